import { expect, it } from "vitest";
import { sorted } from "../../src/panel/sort";
import { netSales, title } from "./panels";

it("a column that is chosen gives the order, in each currency its own, and what is not known is last", () => {
  const rows = [
    { title: "Event 10", currency: "JPY", net_sales: 900 },
    { title: "Event 9", currency: "EUR", net_sales: 5 },
    { title: null, currency: "EUR", net_sales: 70 },
    { title: "Event 2", currency: "EUR", net_sales: null },
  ];
  const by = (column: typeof title, descending: boolean) =>
    sorted(rows, { column: column.name, descending }, column).map((row) => rows.indexOf(row as (typeof rows)[0]));
  expect(by(title, false)).toEqual([3, 1, 0, 2]);
  expect(by(title, true)).toEqual([0, 1, 3, 2]);
  expect(by(netSales, true)).toEqual([2, 1, 3, 0]);
  expect(sorted(rows, undefined, undefined)).toBe(rows);
});
