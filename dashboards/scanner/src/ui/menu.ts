// The last scans and what became of them, the settings, and the way out.

import * as feedback from "../device/feedback";
import type { Door } from "../door/door";
import type { Scan } from "../door/model";
import { type Icon, el, fill, icon } from "../dom";
import { type Key, moment, t } from "../i18n";
import type { App } from "./app";
import { ask, open } from "./dialogs";
import { headline, reasonText } from "./verdict";

const MOST_SHOWN = 50;

export function menu(app: App, door: Door): void {
  const scans = el("ul", { class: "rows history" });
  const sent = el("p", { class: "muted small", role: "status" });
  const update = () => {
    const { queued, lastSync } = door.state();
    const waiting = queued ? t("queue", { n: queued }) : t("queueEmpty");
    sent.textContent = `${waiting}. ${lastSync ? t("lastSync", { time: moment(lastSync) }) : t("neverSynced")}.`;
    const shown = door.lastScans(MOST_SHOWN);
    const undo = (scan: Scan) => void app.guard(door.undo(scan.nonce)).catch(() => undefined);
    fill(scans, ...shown.map((scan) => row(scan, door, undo)), shown.length === 0 && el("li", { class: "muted" }, t("historyEmpty")));
  };
  update();
  const unwatch = door.watch(update);
  const sync = () => void app.guard(door.sync()).catch(() => undefined);
  const dialog = open((close) => [
    el(
      "div",
      { class: "stack" },
      el(
        "div",
        { class: "bar flat" },
        el("h1", { id: "menu-title" }, t("menu")),
        app.languageChoice(),
        el("button", { type: "button", class: "bare", autofocus: true, "aria-label": t("close"), onclick: close }, icon("close")),
      ),
      el("section", { class: "stack" }, sent, el("button", { type: "button", class: "plain wide", onclick: sync }, icon("sync"), t("syncNow"))),
      el("section", { class: "stack" }, el("h2", {}, t("history")), scans),
      el(
        "section",
        { class: "stack" },
        el("h2", {}, t("settings")),
        soundSwitch(app),
        el("p", { class: "muted small" }, [app.device?.name, app.device?.gate, t("loaded", { n: door.tickets })].filter(Boolean).join(" · ")),
        el("button", { type: "button", class: "danger wide", onclick: () => void leave(app, door) }, t("logOut")),
      ),
    ),
  ]);
  dialog.classList.add("menu");
  dialog.setAttribute("aria-labelledby", "menu-title");
  dialog.addEventListener("close", unwatch);
}

async function leave(app: App, door: Door): Promise<void> {
  const { queued } = door.state();
  const title = queued ? t("logOutSure", { n: queued }) : t("logOutPlain");
  if ((await ask({ title, yes: t("delete"), danger: true })) !== null) await app.logOut();
}

function soundSwitch(app: App): HTMLElement {
  const box = el("input", { type: "checkbox", checked: feedback.usesSound() });
  box.addEventListener("change", () => {
    feedback.useSound(box.checked);
    void app.memory.set("sound", box.checked);
  });
  return el("label", { class: "toggle" }, t("sound"), box);
}

function row(scan: Scan, door: Door, undo: (scan: Scan) => void): HTMLElement {
  const { verdict, conflict } = scan;
  const [symbol, ink]: [Icon, string] = scan.conflict
    ? ["warning", "warn-ink"]
    : verdict.accepted
      ? ["accepted", "good-ink"]
      : ["refused", "bad-ink"];
  const who = [verdict.holder, verdict.ticketType].filter(Boolean).join(", ");
  const why = !verdict.accepted && verdict.reason ? reasonText(verdict.reason) : scan.why;
  return el(
    "li",
    { class: "scan-row", "data-nonce": scan.nonce },
    icon(symbol, ink),
    el("span", { class: "what" }, [headline(scan), who].filter(Boolean).join(" · ")),
    el(
      "span",
      { class: "meta small muted" },
      el("span", { class: "number" }, moment(new Date(scan.scannedAt), door.timezone)),
      el("span", { class: `pill ${pill(scan)}` }, t(stateKey(scan))),
      why && el("span", {}, why),
      conflict && el("span", { class: "warn-ink" }, t("conflictHelp", { reason: reasonText(conflict) })),
    ),
    conflict && !scan.looked && el("button", { type: "button", class: "plain", onclick: () => void door.settle(scan) }, icon("accepted"), t("settled")),
    door.mayUndo(scan) && el("button", { type: "button", class: "plain", onclick: () => undo(scan) }, icon("undo", "turns"), t("undo")),
  );
}

function stateKey({ state, undo, conflict }: Scan): Key {
  if (undo) return "stateUndone";
  if (conflict) return "stateConflict";
  return ({ queued: "stateQueued", sent: "stateSent", rejected: "stateRejected" } as const)[state];
}

function pill({ state, conflict, undo }: Scan): string {
  if (undo) return "";
  if (conflict || state === "rejected") return "bad";
  return state === "queued" ? "warn" : "good";
}
