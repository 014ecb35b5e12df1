// Always in sight: whether there is a network, what waits to be sent, and how full it is.

import type { Door } from "../door/door";
import { el, fill, icon } from "../dom";
import { moment, number, t } from "../i18n";

const EVERY_MS = 20_000;

export function stateBar(door: Door, more: () => void): { view: HTMLElement; update(): void } {
  const view = el("div", { class: "state" });
  const update = () => {
    const { queued, conflicts, net, lastSync, attendance } = door.state();
    const symbol = icon(net === "online" ? "online" : "offline");
    const synced = lastSync ? t("lastSync", { time: moment(lastSync) }) : t("neverSynced");
    fill(
      view,
      el("span", { class: `pill ${net === "online" ? "good" : "warn"}`, role: "status", "data-net": net }, symbol, t(net)),
      queued > 0 && el("span", { class: "pill warn", "data-queued": queued }, icon("sync"), t("queue", { n: queued })),
      conflicts > 0 &&
        el("button", { type: "button", class: "danger", "data-conflicts": conflicts, onclick: more }, icon("warning"), t("conflicts", { n: conflicts })),
      queued === 0 && el("span", { class: "muted small" }, synced),
      attendance && figures(attendance.inside, attendance.entered),
    );
  };
  update();
  const timer = setInterval(() => (view.isConnected ? update() : clearInterval(timer)), EVERY_MS);
  return { view, update };
}

function figures(inside: number, entered: number): HTMLElement {
  return el(
    "span",
    { class: "figures" },
    el("span", {}, t("inside"), el("b", { "data-inside": inside }, number(inside))),
    el("span", {}, t("entered"), el("b", { "data-entered": entered }, number(entered))),
  );
}
