// Rows as a table: the panel of kind table, and what each chart says in numbers.

import { change, contextOf, shown } from "../data/format";
import { type Column, type PanelData, type Row, currencyOf, numberIn } from "../data/panel";
import { el, say } from "../dom";
import { orderOf, sorted, sorter } from "./sort";

const NUMBERS = new Set(["integer", "decimal", "money", "percent", "duration"]);

const TIMES = new Set(["minute", "hour", "day", "week", "month", "moment"]);

export const isNumber = ({ format }: Column): boolean => NUMBERS.has(format);

/**
 * Ids lead somewhere, and are nothing to read where the name stands beside them. Nor is the one currency there is, where
 * amounts have its sign.
 */
export function readable({ columns, rows }: PanelData): Column[] {
  const isTold = columns.some(({ format }) => format === "money") && new Set(rows.map(currencyOf)).size === 1;
  const names = new Set(columns.map(({ name }) => name));
  const told = (name: string) => name.endsWith("_id") && names.has(name === "event_id" ? "title" : name.slice(0, -"_id".length));
  const found = columns.filter(({ name }) => !told(name) && !(isTold && name === "currency"));
  // Where nothing was before, nothing has changed.
  return found.map((column) =>
    column.before && rows.every((row) => numberIn(row, column.before ?? "") === null) ? { ...column, before: null } : column,
  );
}

/** A page holds so many rows as text; the files have all. */
const MOST_ROWS = 200;

/** So many rows are seen without scrolling, or nearly. */
const AT_ONCE = 14;

/** Steps are columns of one row; a reader finds them one below the other. */
function steps(panel: PanelData): PanelData {
  const [row, found] = [panel.rows[0], panel.columns.filter(({ role }) => role === "metric")];
  if (panel.kind !== "funnel" || found.length < 2 || !row) return panel;
  const count = (index: number) => numberIn(row, found[index]?.name ?? "") ?? 0;
  const part = (value: number, of: number) => (of > 0 ? value / of : null);
  const column = (name: string, label: string, format: Column["format"], role: Column["role"] = "metric"): Column => ({
    name,
    label,
    role,
    format,
  });
  const rows = found.map(({ label }, index) => ({
    step: label,
    count: count(index),
    of_last: index > 0 ? part(count(index), count(index - 1)) : null,
    of_all: part(count(index), count(0)),
  }));
  const columns = [
    column("step", "Step", "text", "dimension"),
    column("count", "Count", "integer"),
    column("of_last", "Of the step before", "percent"),
    column("of_all", "Of all", "percent"),
  ];
  return { ...panel, columns, rows };
}

/** What a table shows now, to be shown in another order. */
const shownAgain = new WeakMap<HTMLTableElement, () => void>();

export function showTable(table: HTMLTableElement, shownPanel: PanelData, hrefOf: (row: Row) => string | null): void {
  const panel = steps(shownPanel);
  const columns = readable(panel);
  const order = orderOf(table);
  const rows = sorted(panel.rows, order, columns.find(({ name }) => name === order?.column));
  const head = columns.flatMap((column) => {
    const number = isNumber(column);
    const label = panel === shownPanel ? sorter(table, column, number, () => shownAgain.get(table)?.()) : column.label;
    const own = el("th", { scope: "col", class: number && "number" }, label);
    if (!column.before) return [own];
    const [before, moved] = ["Before", "Change"].map((label) => el("th", { scope: "col", class: "number" }, label));
    return panel.kind === "table" ? [own, moved as HTMLElement] : [own, before as HTMLElement, moved as HTMLElement];
  });
  const key = head.map(({ textContent }) => textContent).join("|");
  const body = table.tBodies[0] ?? table.createTBody();
  if (table.dataset.columns !== key) {
    table.tHead?.remove();
    const row = table.createTHead().insertRow();
    row.append(...head);
    table.dataset.columns = key;
  }
  renew(
    body,
    rows.slice(0, MOST_ROWS).map((row) => line(panel, columns, row, hrefOf(row))),
  );
  shownAgain.set(table, () => showTable(table, shownPanel, hrefOf));
  count(table);
}

/** Rows that there is no room for are scrolled to: how many there are is told below. */
function count(table: HTMLTableElement): void {
  const scroll = table.closest<HTMLElement>(".scroll");
  const rows = table.tBodies[0]?.rows.length ?? 0;
  const known = scroll?.parentElement?.querySelector(":scope > .count");
  if (rows <= AT_ONCE) return void known?.remove();
  const place = known ?? el("p", { class: "note count" });
  say(place, `${rows} rows, to scroll through`);
  if (!known) scroll?.after(place);
}

/** Rows that are as they were stay, so that who stands on a link in them goes on standing there. */
function renew(body: HTMLTableSectionElement, rows: HTMLTableRowElement[]): void {
  const focused = [...body.rows].findIndex((row) => row.contains(document.activeElement));
  rows.forEach((row, index) => {
    const old = body.rows[index];
    if (!old) body.append(row);
    else if (!old.isEqualNode(row)) old.replaceWith(row);
  });
  for (const row of [...body.rows].slice(rows.length)) row.remove();
  const now = body.rows[focused];
  if (now && !now.contains(document.activeElement)) now.querySelector("a")?.focus({ preventScroll: true });
}

function line(panel: PanelData, columns: Column[], row: Row, href: string | null): HTMLTableRowElement {
  const context = contextOf(row, panel);
  let leads = href;
  const cells = columns.flatMap((column) => {
    const text = shown(row[column.name], column.format, context);
    const link =
      leads !== null && column.role === "dimension" && column.name !== "currency" ? el("a", { href: leads }, text) : text;
    if (link !== text) leads = null;
    const own = el("td", { class: isNumber(column) ? "number" : TIMES.has(column.format) && "when" }, link);
    if (!column.before) return [own];
    const before = numberIn(row, column.before);
    const moved = change(numberIn(row, column.name), before, column);
    const was = shown(before, column.format, context);
    const far = el(
      "td",
      { class: "number", title: `Before: ${was}` },
      moved && el("span", { class: `change ${moved.mood}` }, moved.text),
    );
    return panel.kind === "table" ? [own, far] : [own, el("td", { class: "number" }, was), far];
  });
  return el("tr", {}, ...cells);
}
