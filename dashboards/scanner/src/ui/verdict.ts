// The answer, over the whole screen: by colour, shape, word, sound and touch.

import { type Child, el, icon } from "../dom";
import { type Key, moment, t } from "../i18n";
import type { Scan, Verdict } from "../door/model";

export interface Actions {
  next(): void;
  /** Missing where there is nothing to take back. */
  undo?: () => void;
  /** Missing where no person may overrule the verdict. */
  admit?: () => void;
  /** Only who has not paid yet, on a list that allows it. */
  admitUnpaid?: () => void;
}

export function headline({ verdict, kind }: Pick<Scan, "verdict" | "kind">): string {
  if (!verdict.accepted) return t(kind === "entry" ? "refused" : "refusedExit");
  if (verdict.forced) return t("forced");
  return t(kind === "entry" ? "accepted" : "acceptedExit");
}

export const reasonText = (reason: NonNullable<Verdict["reason"]>): string => t(`reason_${reason}` satisfies Key);

/** All of it in one sentence, for those who hear it. */
export function spoken(scan: Scan): string {
  const { reason, holder, ticketType, first } = scan.verdict;
  const parts = [headline(scan), reason && reasonText(reason), holder, ticketType, first && `${t("firstScan")}: ${firstText(first)}`];
  return parts.filter(Boolean).join(". ");
}

export function verdictView(scan: Scan, timezone: string | undefined, actions: Actions): HTMLElement {
  const { verdict } = scan;
  const kind = verdict.accepted ? (verdict.forced ? "accepted by-hand" : "accepted") : "refused";
  const next = el("button", { type: "button", class: "next", onclick: actions.next }, t("next"));
  const view = el(
    "section",
    { class: `verdict ${kind}`, role: "alertdialog", "aria-modal": "true", "aria-labelledby": "headline" },
    el(
      "div",
      { class: "told" },
      icon(verdict.accepted ? "accepted" : "refused", "sign"),
      el("h1", { id: "headline" }, headline(scan)),
      verdict.reason && el("p", { class: "why" }, reasonText(verdict.reason)),
      facts(verdict, timezone),
      verdict.repeated && el("p", { class: "note" }, icon("list"), el("span", {}, t("repeated"))),
      verdict.here && el("p", { class: "note" }, icon("offline"), el("span", {}, t("decidedHere"))),
    ),
    el(
      "div",
      { class: "actions" },
      next,
      actions.undo && el("button", { type: "button", class: "plain", onclick: actions.undo }, icon("undo", "turns"), t("undo")),
      actions.admitUnpaid && el("button", { type: "button", class: "plain", onclick: actions.admitUnpaid }, t("admitUnpaid")),
      actions.admit && el("button", { type: "button", class: "plain", onclick: actions.admit }, icon("warning"), t("admitAnyway")),
    ),
  );
  queueMicrotask(() => next.focus({ preventScroll: true }));
  return view;
}

function facts({ holder, ticketType, first }: Verdict, timezone?: string): Child {
  const known: [Key, string | null][] = [
    ["holder", holder],
    ["ticketType", ticketType],
    ["firstScan", first && firstText(first, timezone)],
  ];
  const rows = known.filter(([, value]) => value);
  return rows.length > 0 && el("dl", {}, ...rows.map(([key, value]) => el("div", {}, el("dt", {}, t(key)), el("dd", {}, value))));
}

export function firstText({ at, gate }: NonNullable<Verdict["first"]>, timezone?: string): string {
  const time = moment(new Date(at), timezone);
  return gate ? t("firstScanAt", { time, gate }) : time;
}
