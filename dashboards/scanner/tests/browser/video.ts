// What a fake camera shows: a QR code on paper, a grey wall around it, as Chromium reads it from a .y4m file.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { prepareZXingModule, writeBarcode } from "zxing-wasm/writer";

const wasm = readFileSync(createRequire(import.meta.url).resolve("zxing-wasm/writer/zxing_writer.wasm"));
prepareZXingModule({ overrides: { wasmBinary: new Uint8Array(wasm).buffer } });

const [WIDTH, HEIGHT, FRAMES] = [640, 480, 2];

export async function film(file: string, text: string): Promise<void> {
  const { symbol, error } = await writeBarcode(text, { format: "QRCode", ecLevel: "M" });
  if (error) throw new Error(error);
  const { data, width } = symbol;
  const scale = Math.floor((HEIGHT * 0.62) / width);
  const [left, top] = [(WIDTH - width * scale) >> 1, (HEIGHT - width * scale) >> 1];
  const [quiet, light] = [4 * scale, Buffer.alloc(WIDTH * HEIGHT, 150)];
  for (let y = top - quiet; y < top + width * scale + quiet; y++) light.fill(235, y * WIDTH + left - quiet, y * WIDTH + left + width * scale + quiet);
  for (let y = 0; y < width * scale; y++) {
    for (let x = 0; x < width * scale; x++) {
      const dark = data[Math.floor(y / scale) * width + Math.floor(x / scale)] === 0;
      if (dark) light[(top + y) * WIDTH + left + x] = 24;
    }
  }
  const frame = Buffer.concat([Buffer.from("FRAME\n"), light, Buffer.alloc((WIDTH * HEIGHT) / 2, 128)]);
  const head = Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F15:1 Ip A1:1 C420jpeg\n`);
  writeFileSync(file, Buffer.concat([head, ...Array.from({ length: FRAMES }, () => frame)]));
}
