// The door: camera, typed codes, and the verdict over all of it.

import * as feedback from "../device/feedback";
import { keepAwake } from "../device/wake";
import { listenForHandScanner } from "../device/wedge";
import type { Door, Leave } from "../door/door";
import type { Kind, Scan } from "../door/model";
import { Glance } from "../door/glance";
import { el, icon } from "../dom";
import { t } from "../i18n";
import type { App } from "./app";
import { chooseList } from "./choose";
import { ask } from "./dialogs";
import { finder } from "./finder";
import { menu } from "./menu";
import { stateBar } from "./state";
import { spoken, verdictView } from "./verdict";

/** A welcome need not be read; a refusal stays until somebody has seen it. */
const WELCOME_MS = 2_500;

export function scanScreen(host: HTMLElement, app: App): (() => void) | void {
  const { door } = app;
  if (!door) return app.show(chooseList);
  const screen = el("div", { class: `door ${door.kind}` });
  const verdict = new VerdictPlace(app, door);
  const glance = new Glance();

  let busy = false;
  const scan = async (code: string) => {
    if (busy || document.querySelector("dialog[open]")) return;
    busy = true;
    try {
      await verdict.tell(await app.guard(door.scan(code, door.kind)));
    } catch {
      // The device was revoked, and shows so.
    } finally {
      busy = false;
    }
  };
  const seen = (code: string) => {
    const now = performance.now();
    if (verdict.blocks(code)) glance.stillSees(code, now);
    else if (glance.isNew(code, now)) void scan(code);
  };
  const type = async () => {
    const code = await ask({ title: t("typeCode"), label: t("code"), yes: t("check"), class: "code" });
    if (code) await scan(code);
  };

  const camera = finder(seen);
  const state = stateBar(door, () => menu(app, door));
  const turn = (kind: Kind) => {
    door.kind = kind;
    screen.className = `door ${kind}`;
  };
  screen.append(
    el("div", { class: "top" }, header(app, door), state.view),
    camera.view,
    el(
      "section",
      { class: "controls" },
      directions(door.kind, turn),
      el("button", { type: "button", class: "plain", onclick: () => void type() }, icon("keyboard"), t("typeCode")),
    ),
  );
  host.append(screen);

  const touched = () => feedback.allowSound();
  document.addEventListener("pointerdown", touched);
  document.addEventListener("keydown", touched);
  const deaf = listenForHandScanner((code) => void scan(code));
  const changed = () => app.device && state.update();
  const unwatch = door.watch(changed, () => void app.logOut(t("wiped")));
  void keepAwake(true);
  return () => {
    document.removeEventListener("pointerdown", touched);
    document.removeEventListener("keydown", touched);
    deaf();
    unwatch();
    verdict.close();
    camera.stop();
    void keepAwake(false);
  };
}

/** Where the last verdict stands. There is one at a time. */
class VerdictPlace {
  private view: HTMLElement | null = null;
  private scan: Scan | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private before: Element | null = null;

  constructor(
    private readonly app: App,
    private readonly door: Door,
  ) {}

  async tell(scan: Scan): Promise<void> {
    this.close();
    this.scan = scan;
    this.before = document.activeElement;
    const { accepted, forced } = scan.verdict;
    const mayPayLater = scan.verdict.reason === "unpaid" && !accepted && this.door.includesPending;
    const mayAdmit = !accepted && scan.verdict.reason !== "invalid" && scan.kind === "entry";
    this.view = verdictView(scan, this.door.timezone, {
      next: () => this.close(),
      ...(accepted && { undo: () => void this.undo(scan) }),
      ...(mayPayLater && { admitUnpaid: () => void this.again(scan, { ignoreUnpaid: true }) }),
      ...(mayAdmit && { admit: () => void this.admit(scan) }),
    });
    document.body.append(this.view);
    document.getElementById("app")?.setAttribute("inert", "");
    this.app.say(spoken(scan));
    if (accepted) feedback.accepted();
    else feedback.refused();
    if (accepted && !forced) this.timer = setTimeout(() => this.close(), WELCOME_MS);
  }

  /** A refusal must be seen before the next ticket is looked at; the ticket that was just welcomed is not new. */
  blocks(code: string): boolean {
    return this.scan !== null && (!this.scan.verdict.accepted || this.scan.verdict.forced || this.scan.code === code);
  }

  close(): void {
    clearTimeout(this.timer);
    this.view?.remove();
    document.getElementById("app")?.removeAttribute("inert");
    if (this.view && this.before instanceof HTMLElement) this.before.focus({ preventScroll: true });
    this.view = this.scan = null;
  }

  private async undo(scan: Scan): Promise<void> {
    this.close();
    const undone = await this.app.guard(this.door.undo(scan.nonce)).catch(() => false);
    this.app.say(t(undone ? "undone" : "undoFailed"));
  }

  private async admit(scan: Scan): Promise<void> {
    clearTimeout(this.timer);
    const why = await ask({ title: t("admitWhy"), label: t("why"), yes: t("admitAnyway") });
    if (why) await this.again(scan, { why });
  }

  private async again({ code, kind }: Scan, leave: Leave): Promise<void> {
    const scan = await this.app.guard(this.door.scan(code, kind, leave)).catch(() => null);
    if (scan) await this.tell(scan);
  }
}

function header(app: App, door: Door): HTMLElement {
  return el(
    "header",
    { class: "bar" },
    el("div", { class: "where" }, el("b", {}, door.name), el("span", { class: "muted small" }, [door.event, app.device?.gate].filter(Boolean).join(" · "))),
    el("button", { type: "button", class: "bare", "aria-label": t("chooseOther"), onclick: () => app.show(chooseList) }, icon("list")),
    el("button", { type: "button", class: "bare", "aria-label": t("menu"), onclick: () => menu(app, door) }, icon("menu")),
  );
}

function directions(now: Kind, turn: (kind: Kind) => void): HTMLElement {
  const choice = (kind: Kind) =>
    el(
      "label",
      {},
      el("input", { type: "radio", name: "direction", value: kind, checked: kind === now, onchange: () => turn(kind) }),
      icon(kind, "turns"),
      t(kind),
    );
  return el("fieldset", { class: "directions" }, el("legend", { class: "unseen" }, t("direction")), choice("entry"), choice("exit"));
}
