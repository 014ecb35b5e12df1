// Rows in the order of a column that the reader has chosen. It stays when new rows come.

import { type Column, type Row, currencyOf } from "../data/panel";
import { all, el } from "../dom";

export interface Order {
  column: string;
  descending: boolean;
}

const orders = new WeakMap<HTMLTableElement, Order>();

/** As they came, if nothing is chosen. Amounts of one currency stand together, and what is not known comes last. */
export function sorted(rows: Row[], order: Order | undefined, column: Column | undefined): Row[] {
  if (!order || !column) return rows;
  const told = (row: Row) => {
    const value = row[order.column];
    return value === "" ? null : (value ?? null);
  };
  const compare = (one: Row, other: Row): number => {
    const [a, b] = [told(one), told(other)];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    const apart = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
    return order.descending ? -apart : apart;
  };
  const currencies = (one: Row, other: Row) => (currencyOf(one) ?? "").localeCompare(currencyOf(other) ?? "");
  return [...rows].sort((one, other) => (column.format === "money" ? currencies(one, other) : 0) || compare(one, other));
}

export const orderOf = (table: HTMLTableElement): Order | undefined => orders.get(table);

/** A head that sorts: numbers the largest first, then the other way round, then as they came. */
export function sorter(table: HTMLTableElement, { name, label }: Column, falls: boolean, redraw: () => void): HTMLElement {
  const sort = () => {
    const now = orders.get(table);
    if (now?.column !== name) orders.set(table, { column: name, descending: falls });
    else if (now.descending === falls) orders.set(table, { column: name, descending: !falls });
    else orders.delete(table);
    for (const head of all("th[aria-sort]", table)) head.removeAttribute("aria-sort");
    const order = orders.get(table);
    if (order) button.closest("th")?.setAttribute("aria-sort", order.descending ? "descending" : "ascending");
    redraw();
  };
  const button = el("button", { type: "button", class: "sort", onclick: sort }, label);
  return button;
}
