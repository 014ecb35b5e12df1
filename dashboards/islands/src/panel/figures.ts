// Figures: each metric in large, one line a currency, with how far it is from before.

import { type Change, change, contextOf, shown } from "../data/format";
import { type Column, type PanelData, currencyOf, metrics, numberIn } from "../data/panel";
import { all, el, one, say } from "../dom";

export interface Figure {
  metric: Column;
  lines: { currency: string | null; value: number | null; text: string; change: Change | null; before: string | null }[];
}

/** What there is to show. Money stands on rows with a currency, and what is no money on rows without one. */
export function figures(panel: PanelData, locale?: string): Figure[] {
  return metrics(panel).map((metric) => {
    const isMoney = metric.format === "money";
    const rows = panel.rows.filter((row) => numberIn(row, metric.name) !== null && (currencyOf(row) !== null) === isMoney);
    const lines = rows.map((row) => {
      const context = { ...contextOf(row, panel), locale };
      const [now, was] = [numberIn(row, metric.name), metric.before ? numberIn(row, metric.before) : null];
      return {
        currency: currencyOf(row),
        value: now,
        text: shown(now, metric.format, context),
        change: change(now, was, metric, locale),
        before: was === null ? null : shown(was, metric.format, context),
      };
    });
    const none = { currency: null, value: null, text: shown(null, metric.format, contextOf({}, panel)), change: null, before: null };
    return { metric, lines: lines.length > 0 ? lines : [none] };
  });
}

/** Puts the figures into their places. Returns what has changed, as a sentence for those who can't see it. */
export function showFigures(host: HTMLElement, panel: PanelData, moved: boolean): string[] {
  const news: string[] = [];
  for (const { metric, lines } of figures(panel)) {
    const place = one(`.figure[data-metric="${CSS.escape(metric.name)}"]`, host) ?? added(host, metric);
    const old = new Map(all("dd", place).map((each) => [each.dataset.currency ?? "", each]));
    for (const line of lines) {
      const key = line.currency ?? "";
      const dd = old.get(key) ?? place.appendChild(el("dd", line.currency === null ? {} : { "data-currency": line.currency }));
      old.delete(key);
      if (fill(dd, line) && moved) {
        news.push(`${metric.label} ${line.text}`);
        flash(dd);
      }
    }
    for (const gone of old.values()) gone.remove();
  }
  return news;
}

function added(host: HTMLElement, metric: Column): HTMLElement {
  return host.appendChild(el("div", { class: "figure", "data-metric": metric.name }, el("dt", {}, metric.label)));
}

function fill(dd: HTMLElement, line: Figure["lines"][number]): boolean {
  let value = one(".value", dd);
  if (!value) dd.replaceChildren((value = el("span", { class: "value" })));
  dd.dataset.value = String(line.value ?? "");
  const isNew = say(value, line.text);
  const mark = one(".change", dd);
  if (!line.change) mark?.remove();
  else {
    const place = mark ?? dd.appendChild(el("span"));
    place.className = `change ${line.change.mood}`;
    place.removeAttribute("title");
    say(place, line.change.text);
  }
  const was = one(".before", dd);
  if (line.before === null) was?.remove();
  else say(was ?? dd.appendChild(el("small", { class: "before" })), `before: ${line.before}`);
  return isNew;
}

function flash(dd: HTMLElement): void {
  dd.classList.remove("moved");
  // A style that is read starts the animation anew.
  void dd.offsetWidth;
  dd.classList.add("moved");
}
