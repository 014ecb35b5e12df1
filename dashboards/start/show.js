// How things are shown. Data becomes text nodes and attributes, never markup.

export const $ = (id) => document.getElementById(id);

/** An element with attributes and children; a child that is no element becomes text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child ?? ""))));
  return made;
}

function drawn(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const whole = new Intl.NumberFormat();
export const count = (number) => whole.format(number ?? 0);

/** Money from minor units: a yen has none, a euro has a hundred. */
export function money(minor, currency) {
  try {
    const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
    return format.format((minor ?? 0) / 10 ** format.resolvedOptions().maximumFractionDigits);
  } catch {
    return `${count(minor)} ${currency}`;
  }
}

/** Times in answers are UTC, also where they don't say so. */
export const moment = (text) => new Date(/[zZ]|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`);

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const secondsFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
export const clock = (text) => clockFormat.format(moment(text));
export const seconds = (text) => secondsFormat.format(moment(text));
export const day = (text) => dayFormat.format(moment(text));

/** Columns: { title, of(row), kind }: "number", "name" and "when" say how it is set; "extra" is left out on a narrow screen. */
export function table(columns, rows, empty) {
  if (rows.length === 0) return element("p", { class: "muted" }, empty);
  const head = columns.map(({ title, kind = "" }) => element("th", { scope: "col", class: kind }, title));
  const body = rows.map((row) => element("tr", {}, ...columns.map(({ of, kind = "" }) => element("td", { class: kind }, of(row)))));
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
}

/** Times under the bars closer than this would touch. */
const LABEL_WIDTH = 60;

/**
 * Draws stacked bars, one a minute, as wide as the place has room. Each minute: { at, values: [lower, upper] }. What it
 * shows is said in `label` for those who don't see it.
 */
export function bars(host, minutes, label, height) {
  const width = Math.max(host.clientWidth, 280);
  const highest = Math.max(4, ...minutes.map(({ values }) => values.reduce((total, value) => total + value, 0)));
  const [bottom, top, left] = [height - 18, 8, 34];
  const step = (width - left) / minutes.length;
  const y = (value) => bottom - (value / highest) * (bottom - top);
  const labelled = step * 10 >= LABEL_WIDTH ? 10 : 20;
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  for (const value of new Set([0, Math.round(highest / 2), highest])) {
    svg.append(drawn("line", { class: "rule", x1: left, x2: width, y1: y(value), y2: y(value) }));
    svg.append(drawn("text", { class: "axis", x: left - 6, y: y(value) + 4, "text-anchor": "end" }, count(value)));
  }
  minutes.forEach(({ at, values }, index) => {
    const x = left + index * step;
    let below = 0;
    values.forEach((value, part) => {
      if (value > 0) {
        const tall = y(below) - y(below + value);
        const place = { x: x + step * 0.15, y: y(below + value), width: step * 0.7, height: tall, rx: 1.5 };
        svg.append(drawn("rect", { class: part ? "two" : "one", ...place }));
      }
      below += value;
    });
    if (index % labelled === 0) svg.append(drawn("text", { class: "axis", x, y: height - 4 }, clockFormat.format(at)));
  });
  host.replaceChildren(svg);
}

/** The last sixty minutes, each with the values that `of` makes from its rows. */
export function lastHour(rows, of) {
  const byMinute = new Map();
  for (const row of rows) {
    const at = moment(row.minute_at).getTime();
    byMinute.set(at, [...(byMinute.get(at) ?? []), row]);
  }
  const now = Math.floor(Date.now() / 60_000) * 60_000;
  return Array.from({ length: 60 }, (_, index) => {
    const at = now - (59 - index) * 60_000;
    return { at: new Date(at), values: of(byMinute.get(at) ?? []) };
  });
}

export const sum = (rows, field) => rows.reduce((total, row) => total + (row[field] ?? 0), 0);
