// What the page shows: each panel names its question, how often it is asked, and how its rows are drawn.

import { $, bars, clock, count, day, element, lastHour, money, seconds, sum, table } from "./show.js";

/** The row of the question `freshness`, kept for the way of a change. */
let latency;

export const panels = [
  { question: "sales_per_minute", every: 2_000, draw: sales },
  { question: "latest_orders", every: 2_000, draw: orders },
  { question: "doors_now", every: 4_000, draw: doors },
  { question: "check_ins_per_minute", every: 4_000, draw: scans },
  { question: "sales_today", every: 5_000, draw: today },
  { question: "top_events_now", every: 5_000, draw: top },
  { question: "freshness", every: 5_000, draw: freshness },
];

/** Empties every panel. */
export function clear() {
  for (const id of ["sales-figures", "sales-chart", "today", "way", "audit-detail", "doors", "scans-chart", "top", "orders"]) $(id).replaceChildren();
  $("audit").className = "pill";
  $("audit").textContent = "not audited yet";
  latency = undefined;
}

function sales(rows) {
  const minutes = lastHour(rows, (found) => [sum(found, "tickets")]);
  const tickets = sum(rows, "tickets");
  const figures = [[count(sum(rows, "orders")), "orders"], [count(tickets), "tickets"]];
  for (const currency of new Set(rows.map((row) => row.currency))) {
    figures.push([money(sum(rows.filter((row) => row.currency === currency), "sales_minor"), currency), ""]);
  }
  $("sales-figures").replaceChildren(...figures.map(([figure, what]) => element("span", {}, element("b", {}, figure), what)));
  bars($("sales-chart"), minutes, `${tickets} tickets sold in the last hour, as bars a minute`, 180);
}

function scans(rows) {
  const minutes = lastHour(rows, (found) => [sum(found, "entries"), sum(found, "refused")]);
  const label = `${sum(rows, "entries")} people came in and ${sum(rows, "refused")} scans were refused in the last hour, as bars a minute`;
  $("scans-chart").hidden = rows.length === 0;
  bars($("scans-chart"), minutes, label, 90);
}

function orders(rows) {
  const columns = [
    { title: "Time", of: (row) => seconds(row.placed_at) },
    { title: "Order", of: (row) => row.code, kind: "extra" },
    { title: "Event", of: (row) => row.title, kind: "name" },
    { title: "Tickets", of: (row) => count(row.quantity), kind: "number extra" },
    { title: "Total", of: (row) => money(row.total_minor, row.currency), kind: "number" },
    { title: "Status", of: (row) => row.status },
  ];
  $("orders").replaceChildren(table(columns, rows, "No orders yet."));
}

function doors(rows) {
  const shown = rows.map((row) => {
    const note = row.refused ? `, ${count(row.refused)} refused` : "";
    const said = `${count(row.entered)} of ${count(row.issued)} in${note}`;
    const progress = element("progress", { max: Math.max(row.issued ?? 0, 1), value: row.entered ?? 0, "aria-label": `${row.title}: ${said}` });
    const line = element("p", {}, element("span", {}, row.title, element("span", { class: "muted" }, ` ${clock(row.starts_at)}`)), element("span", { class: "muted" }, said));
    return element("div", { class: "door" }, line, progress);
  });
  $("doors").replaceChildren(...(shown.length ? shown : [element("p", { class: "muted" }, "No doors are open.")]));
}

function today(rows) {
  const columns = [
    { title: "Currency", of: (row) => row.currency },
    { title: "Orders", of: (row) => count(row.orders), kind: "number" },
    { title: "Tickets", of: (row) => count(row.tickets), kind: "number" },
    { title: "Sales", of: (row) => money(row.sales_minor, row.currency), kind: "number" },
    { title: "Cancelled", of: (row) => count(row.cancelled_orders), kind: "number extra" },
  ];
  $("today").replaceChildren(table(columns, rows, "Nothing sold today."));
}

function top(rows) {
  const columns = [
    { title: "Event", of: (row) => row.title, kind: "name" },
    { title: "When", of: (row) => day(row.starts_at), kind: "when" },
    { title: "Tickets", of: (row) => count(row.tickets), kind: "number" },
    { title: "Sales", of: (row) => money(row.sales_minor, row.currency), kind: "number" },
    { title: "Views", of: (row) => count(row.views), kind: "number extra" },
  ];
  $("top").replaceChildren(table(columns, rows, "Nothing sold in the last 24 hours."));
}

function freshness([row]) {
  latency = row;
}

/** The way of a change, from the status of the server and the question above. */
export function way(status) {
  const ms = (value) => (value === undefined || value === null ? "–" : `${count(Math.round(value))} ms`);
  const inFiles = status.partitions.reduce((total, { end_offset, committed_offset }) => total + end_offset - committed_offset, 0);
  const facts = [
    ["Committed → visible, median", ms(latency?.p50_ms)],
    ["… 99 of 100 within", ms(latency?.p99_ms)],
    ["Committed, not yet visible", `${count(status.behind)} changes`],
    ["Visible, not yet in files", `${count(inFiles)} records`],
    ["Position", count(status.visible_seq)],
  ];
  $("way").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  if (status.last_audit) audited(status.last_audit);
}

/** The verdict of an audit: lake and core agree, or not. */
export function audited({ at, clean, position }) {
  $("audit").className = clean ? "pill good" : "pill bad";
  $("audit").textContent = clean ? "Lake and core agree" : "Lake and core differ";
  $("audit-detail").textContent = `Compared to the last row and cent at position ${count(position)}, at ${seconds(at)}.`;
}
