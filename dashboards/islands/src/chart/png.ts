// A chart as a picture, with what one must know to read it: its title, its currencies and when it was.

import type { Chart } from "./chart";
import { themeOf } from "./theme";
import { save } from "../dom";

const SHARPER = 2;
const [EDGE, LINE, GAP] = [24 * SHARPER, 22 * SHARPER, 16 * SHARPER];

export async function savePicture(chart: Chart, host: HTMLElement, title: string, when: string): Promise<void> {
  const parts = await chart.canvases();
  const theme = themeOf(host);
  const canvas = document.createElement("canvas");
  const heights = parts.map(({ title: name, canvas: each }) => (name ? LINE : 0) + each.height + GAP);
  canvas.width = Math.max(600, ...parts.map(({ canvas: each }) => each.width)) + 2 * EDGE;
  canvas.height = 2 * EDGE + 2 * LINE + GAP + heights.reduce((sum, each) => sum + each, 0);
  const pen = canvas.getContext("2d");
  if (!pen) return;
  const write = (text: string, y: number, size: number, weight: number, colour: string) => {
    pen.font = `${weight} ${size * SHARPER}px ${theme.font}`;
    pen.fillStyle = colour;
    pen.fillText(text, EDGE, y, canvas.width - 2 * EDGE);
  };
  pen.fillStyle = theme.card;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  write(title, EDGE + LINE * 0.7, 17, 650, theme.ink);
  write(when, EDGE + LINE * 1.6, 12, 400, theme.muted);
  let y = EDGE + 2 * LINE + GAP;
  for (const { title: name, canvas: each } of parts) {
    if (name) write(name, y + LINE * 0.6, 12, 600, theme.muted);
    y += name ? LINE : 0;
    pen.drawImage(each, EDGE, y);
    y += each.height + GAP;
  }
  const content = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
  if (content) save(content, `${title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "chart"}.png`);
}
