// What a QR code on a page says, read as a phone reads it: from its picture.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Locator } from "playwright-core";
import { prepareZXingModule, readBarcodes } from "zxing-wasm/reader";

const wasm = readFileSync(createRequire(import.meta.url).resolve("zxing-wasm/reader/zxing_reader.wasm"));
prepareZXingModule({ overrides: { wasmBinary: wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength) } });

export async function codeOn(picture: Locator): Promise<string | undefined> {
  await picture.waitFor();
  const [found] = await readBarcodes(new Uint8Array(await picture.screenshot()));
  return found?.text;
}
