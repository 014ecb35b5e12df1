// One tip for the whole page, near the pointer. The table below each chart says the same to those who use none.

import { el } from "../dom";

const GAP = 14;

let tip: HTMLElement | undefined;

/** Lines are separated by line feeds, a name and its value by a tab. */
export function showTip(event: MouseEvent, text: string): void {
  tip ??= document.body.appendChild(el("div", { class: "tip", "aria-hidden": "true" }));
  const [title, ...lines] = text.split("\n");
  const rows = lines.map((line) => {
    const [name, value] = line.split("\t");
    return el("div", {}, el("span", {}, name), el("b", {}, value));
  });
  tip.replaceChildren(el("strong", {}, title), ...rows);
  tip.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = tip;
  const [left, top] = [event.clientX + GAP, event.clientY + GAP];
  tip.style.left = `${Math.max(4, left + width > innerWidth - 8 ? event.clientX - width - GAP : left)}px`;
  tip.style.top = `${Math.max(4, top + height > innerHeight - 8 ? event.clientY - height - GAP : top)}px`;
}

export function hideTip(): void {
  if (tip) tip.hidden = true;
}
