// Rows as a chart wants them: one mark a row, in facets that are never added to each other.

import { type Context, major, quantity, shown, span, instant } from "../data/format";
import {
  type Column,
  type Format,
  type PanelData,
  type Row,
  currencies,
  currencyOf,
  dimensions,
  hasCurrency,
  metrics,
  numberIn,
  timeOf,
} from "../data/panel";

export interface Mark {
  /** Where it stands: a time in milliseconds, or a name. */
  x: number | string;
  /** Where it ends, if it is a span of time. */
  end?: number;
  y: number;
  /** What is below it in a stack. */
  base: number;
  series: string;
  before: number | null;
  /** The value as it is written beside the mark. */
  label: string;
  tip: string;
  href: string | null;
}

/** What is shown wherever the pointer is in a span of time: all series at once. */
export interface Stop {
  x: number;
  tip: string;
}

export interface Facet {
  key: string;
  title: string | null;
  format: Format;
  context: Context;
  marks: Mark[];
  stops: Stop[];
  series: string[];
  /** The series that the others are held against. */
  usual: string[];
  compares: boolean;
  /** The marks stand along a count, and not a time; it falls from left to right if the rows do. */
  along: { label: string; falls: boolean } | null;
  /** What the columns of a heatmap are. */
  axis: string | null;
}

export interface Options {
  hrefOf: (row: Row) => string | null;
  locale?: string | undefined;
}

const MOST_STEPS = 3_000;
const STEP = { minute: 60_000, hour: 3_600_000, day: 86_400_000, week: 604_800_000 } as const;

/** The start of the next span of this grain. Months differ in length. */
export function next(at: number, grain: PanelData["grain"]): number {
  if (grain !== "month") return at + STEP[grain ?? "day"];
  const date = new Date(at);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
}

/** Every facet of a panel: each currency, and in it each kind of unit, has axes of its own. */
export function facets(panel: PanelData, options: Options): Facet[] {
  const groups = byUnit(metrics(panel));
  const found = currencies(panel).flatMap((currency) => {
    const rows = hasCurrency(panel) ? panel.rows.filter((row) => currencyOf(row) === currency) : panel.rows;
    return groups.map((group) => facet(panel, rows, group, currency, groups.length > 1, options));
  });
  const told = found.filter(({ marks }) => marks.length > 0);
  // One alone is called what the panel is called.
  return told.length === 1 ? told.map((each) => ({ ...each, title: null })) : told;
}

/** A facet in a sentence, for who can't see it. */
export function summary({ title, marks, series, format, context, along }: Facet, panel: PanelData): string {
  const [first, last] = [marks[0], marks.at(-1)];
  if (!first || !last) return panel.title;
  const say = (y: number) => quantity(y, format, context);
  const place = ({ x }: Mark) => (typeof x === "number" && !along ? span(x, panel.grain ?? "day", context.locale) : String(x));
  const [least, most] = [...marks]
    .sort((one, other) => one.y - other.y)
    .filter((_, index, all) => index === 0 || index === all.length - 1);
  const parts = [
    `${[panel.title, title].filter(Boolean).join(", ")}.`,
    `${marks.length} values from ${place(first)} to ${place(last)}.`,
  ];
  if (series.length > 1) parts.push(`${series.length} series: ${series.join(", ")}.`);
  if (most) parts.push(`Highest: ${say(most.y)}, ${place(most)}.`);
  if (least && most) parts.push(`Lowest: ${say(least.y)}, ${place(least)}.`);
  return parts.join(" ");
}

function byUnit(columns: Column[]): Column[][] {
  // An average of counts is a count to whoever compares the two.
  const unit = ({ format }: Column) => (format === "decimal" ? "integer" : format);
  const groups = new Map<Format, Column[]>();
  for (const column of columns) groups.set(unit(column), [...(groups.get(unit(column)) ?? []), column]);
  return [...groups.values()];
}

function facet(panel: PanelData, rows: Row[], group: Column[], currency: string | null, mixed: boolean, options: Options): Facet {
  const first = group[0] as Column;
  const context: Context = { currency, decimals: panel.decimals, zone: panel.zone, locale: options.locale };
  const title = [currency, mixed ? group.map(({ label }) => label).join(", ") : null].filter(Boolean).join(" · ");
  const made: Facet = {
    key: `${currency ?? ""} ${first.format}`,
    title: title === "" ? null : title,
    format: first.format,
    context,
    marks: [],
    stops: [],
    series: [],
    usual: [],
    along: null,
    axis: null,
    compares: group.some(({ before }) => before && rows.some((row) => numberIn(row, before) !== null)),
  };
  const time = timeOf(panel);
  const drawsLines = panel.kind === "line" || panel.kind === "area";
  const count = !time && drawsLines ? dimensions(panel).find(({ format: each }) => each === "integer") : undefined;
  if (panel.kind === "funnel") made.marks = funnel(panel, rows, group, context, options);
  else {
    const marking = { panel, several: group.length > 1, along: time ?? count, context, options, names: new Names(panel) };
    const marked = rows.flatMap((row) => group.map((column) => ({ column, marks: mark(row, column, marking) })));
    made.marks = marked.flatMap(({ marks }) => marks);
    // In the order of the metrics, whichever of them begins first: a colour means the same on every day.
    made.series = group.flatMap((column) => namesOf(marked.filter((each) => each.column === column)));
    made.usual = namesOf(marked.filter(({ column }) => isUsual(column, group)));
  }
  if (panel.kind === "heatmap") made.axis = dimensions(panel).at(time ? 0 : 1)?.label ?? null;
  if (time && panel.kind !== "heatmap") Object.assign(made, overTime(panel, made));
  if (count) Object.assign(made, alongCount(count, made));
  made.series = [...new Set([...made.series, ...made.marks.map(({ series }) => series)])];
  return made;
}

const namesOf = (marked: { marks: Mark[] }[]): string[] => [
  ...new Set(marked.flatMap(({ marks }) => marks.map(({ series }) => series))),
];

/** What is usual of a metric that stands beside it. */
const isUsual = ({ name }: Column, group: Column[]): boolean => group.some((other) => name === `usual_${other.name}`);

/** Two things of one name are two: the second one gets a number. Ids tell them apart, and are nothing to read. */
class Names {
  private readonly known = new Map<string, Map<string, string>>();
  private readonly ids: string[];

  constructor({ columns }: PanelData) {
    this.ids = columns.filter(({ role, name }) => role === "dimension" && name.endsWith("_id")).map(({ name }) => name);
  }

  unique(name: string, row: Row): string {
    const id = this.ids.map((each) => row[each]).join();
    const same = this.known.get(name) ?? new Map<string, string>();
    this.known.set(name, same);
    const found = same.get(id) ?? (same.size === 0 ? name : `${name} (${same.size + 1})`);
    same.set(id, found);
    return found;
  }
}

const nameOf = (row: Row, columns: Column[], context: Context): string =>
  columns
    .map(({ name, format }) => (row[name] === null || row[name] === "" ? "none" : shown(row[name], format, context)))
    .join(" · ");

interface Marking {
  panel: PanelData;
  /** There are several metrics, so each mark says which one it shows. */
  several: boolean;
  /** The column of an axis with distances: times, or counts such as days that are left. */
  along: Column | undefined;
  context: Context;
  options: Options;
  names: Names;
}

function mark(row: Row, column: Column, { panel, several, along, context, options, names }: Marking): Mark[] {
  const value = numberIn(row, column.name);
  if (value === null) return [];
  const scale = (minor: number) => (column.format === "money" ? major(minor, context) : minor);
  const [y, was] = [scale(value), column.before ? numberIn(row, column.before) : null];
  const before = was === null ? null : scale(was);
  const apart = dimensions(panel).filter(({ name }) => name !== along?.name);
  const named = panel.kind === "heatmap" && along ? along : along ? undefined : apart[0];
  const rest = along ? apart : apart.slice(1);
  const text = quantity(y, column.format, context);
  const labels = [
    ...(rest.length > 0 ? [named ? nameOf(row, rest, context) : names.unique(nameOf(row, rest, context), row)] : []),
    ...(several && (along || named) ? [column.label] : []),
  ];
  const series = labels.join(" · ") || (along || named ? column.label : panel.title);
  const place = along ? placeOf(row, along) : null;
  if (along && place === null) return [];
  const x = named ? names.unique(nameOf(row, [named], context), row) : (place ?? column.label);
  const then = before === null ? [] : [`Before\t${quantity(before, column.format, context)}`];
  const called = labels.length > 0 ? series : column.label;
  return [
    { x, y, base: 0, series, before, label: text, tip: [x, `${called}\t${text}`, ...then].join("\n"), href: options.hrefOf(row) },
  ];
}

function placeOf(row: Row, { name, role }: Column): number | null {
  return role === "time" ? instant(String(row[name])) : numberIn(row, name);
}

/** Each step with the part of the first one that has come so far. */
function funnel(panel: PanelData, rows: Row[], group: Column[], context: Context, options: Options): Mark[] {
  const [own] = dimensions(panel);
  const steps = rows.flatMap((row) =>
    group.map((column) => ({
      row,
      name: own ? nameOf(row, [own], context) : column.label,
      value: numberIn(row, column.name) ?? 0,
      before: column.before ? numberIn(row, column.before) : null,
    })),
  );
  const whole = steps[0]?.value ?? 0;
  return steps.map(({ row, name, value, before }, index) => {
    const part = whole > 0 ? quantity(value / whole, "percent", context) : null;
    const last = index > 0 ? (steps[index - 1]?.value ?? 0) : 0;
    const lost = last > 0 && index > 0 ? [`Of the step before\t${quantity(value / last, "percent", context)}`] : [];
    const text = quantity(value, "integer", context);
    return {
      x: name,
      y: value,
      base: 0,
      series: "",
      before,
      label: part && index > 0 ? `${text}  ·  ${part}` : text,
      tip: [name, `${text}\t${part ?? ""}`, ...lost].join("\n"),
      href: options.hrefOf(row),
    };
  });
}

/** Lines along a count: no value is made up between two that are known. */
function alongCount(count: Column, { marks, context, format }: Facet): Pick<Facet, "marks" | "stops" | "along"> {
  const stops = new Map<number, string[]>();
  for (const { x, series, y, before } of marks) {
    const lines = stops.get(x as number) ?? [`${count.label}: ${shown(x, "integer", context)}`];
    lines.push(`${series}\t${quantity(y, format, context)}`);
    if (before !== null) lines.push(`${series}, before\t${quantity(before, format, context)}`);
    stops.set(x as number, lines);
  }
  const falls = Number(marks[0]?.x ?? 0) > Number(marks.at(-1)?.x ?? 0);
  return { marks, stops: [...stops].map(([x, lines]) => ({ x, tip: lines.join("\n") })), along: { label: count.label, falls } };
}

/** Spans without a row are spans with nothing in them, where what is counted can be nothing. */
function overTime(panel: PanelData, { marks, format, context }: Facet): Pick<Facet, "marks" | "stops"> {
  const at = [...new Set(marks.map(({ x }) => x as number))].sort((one, other) => one - other);
  const steps: number[] = [];
  const counted = format === "integer" || format === "money";
  for (
    let step = at[0] ?? 0;
    at.length > 0 && step <= (at.at(-1) ?? 0) && steps.length < MOST_STEPS;
    step = next(step, panel.grain)
  )
    steps.push(step);
  const places = counted && steps.length < MOST_STEPS && at.every((each) => steps.includes(each)) ? steps : at;
  const found = new Map(marks.map((each) => [`${each.x} ${each.series}`, each]));
  const series = [...new Set(marks.map((each) => each.series))];
  const compares = marks.some(({ before }) => before !== null);
  const filled: Mark[] = [];
  const stops = places.map((x) => {
    let base = 0;
    const lines = [span(x, panel.grain ?? "day", context.locale)];
    for (const name of series) {
      const known = found.get(`${x} ${name}`);
      if (!known && !counted) continue;
      const each: Mark = known ?? {
        x,
        y: 0,
        base: 0,
        series: name,
        before: compares ? 0 : null,
        label: quantity(0, format, context),
        tip: "",
        href: null,
      };
      filled.push({ ...each, base, end: next(x, panel.grain) });
      base += each.y;
      lines.push(`${name}\t${each.label}`);
      if (each.before !== null)
        lines.push(`${series.length > 1 ? `${name}, before` : "Before"}\t${quantity(each.before, format, context)}`);
    }
    return { x, tip: lines.join("\n") };
  });
  return { marks: filled, stops };
}
