// Finds a QR code in a picture. In a worker, so that a slow device still answers a touch.

import { type ReaderOptions, prepareZXingModule, readBarcodes } from "zxing-wasm/reader";
import wasm from "zxing-wasm/reader/zxing_reader.wasm?url";

declare const self: DedicatedWorkerGlobalScope;

const OPTIONS: ReaderOptions = { formats: ["QRCode"], maxNumberOfSymbols: 1, tryHarder: true, tryInvert: true };

// The library would fetch its decoder from elsewhere; ours comes with the page.
void prepareZXingModule({ overrides: { locateFile: () => wasm }, fireImmediately: true });

self.onmessage = async ({ data }: MessageEvent<ImageData>) => {
  try {
    const [found] = await readBarcodes(data, OPTIONS);
    self.postMessage(found?.isValid ? found.text : null);
  } catch {
    self.postMessage(null);
  }
};
