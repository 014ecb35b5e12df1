// A facet as a Vega-Lite specification. It tells the form alone; the marks come to it by name, again and again.

import type { TopLevelSpec } from "vega-lite";
import type { Format, Kind } from "../data/panel";
import type { Facet, Mark } from "./tidy";
import type { Theme } from "./theme";

/** What makes a chart another one; while it stays, new marks go into the old chart. */
export interface Shape {
  kind: Kind;
  /** The marks have distances from each other, in time or in something that is counted. */
  overTime: boolean;
  /** So long that the axis counts in months. */
  isLong: boolean;
  along: Facet["along"];
  format: Format;
  currency: string | null;
  decimals: number;
  series: string[];
  usual: string[];
  compares: boolean;
  /** How large the points of a line are, if there are few enough for points. */
  dots: number;
  /** A series has one point alone, which no line leads to. */
  lonely: boolean;
  negative: boolean;
  links: boolean;
  small: boolean;
  names: number;
  axis: string | null;
  /** Few enough marks for each to have its value written in it. */
  written: boolean;
}

export const MARKS = "rows";
export const STOPS = "stops";
/** The signal with the width that all of the chart has, names and axes too. */
export const ROOM = "room";

const FEW = 45;
/** A quarter of a year, in milliseconds. */
const LONG = 93 * 86_400_000;
/** An area of one place has no width, and one of two is a wedge between what is not known: bars show them. */
const SURFACE = 3;
const LONELY = 50;
/** How wide a letter of a heatmap's values is, with its share of the gap. */
const LETTER = 6.8;
const MOST_LETTERS = 34;
/** A letter of a name beside a bar, in pixels. */
const WIDE = 7.4;
const MOST_WRITTEN = 160;

export function shapeOf(kind: Kind, facet: Facet, small: boolean): Shape {
  const { marks, series, usual, compares, format, context, along, axis } = facet;
  const overTime = typeof marks[0]?.x === "number";
  const places = overTime ? new Set(marks.map(({ x }) => x)).size : 0;
  const longest = overTime ? 0 : Math.max(4, ...marks.map(({ x }) => String(x).length));
  return {
    kind: kind === "area" && overTime && places < SURFACE ? (along ? "line" : "bar") : kind,
    overTime,
    isLong: overTime && Math.max(...marks.map(({ x }) => Number(x))) - Math.min(...marks.map(({ x }) => Number(x))) > LONG,
    along,
    format,
    series,
    usual,
    small,
    compares: compares && series.length <= (kind === "area" ? 1 : 4),
    currency: context.currency,
    decimals: context.currency === null ? 0 : (context.decimals[context.currency] ?? 2),
    dots: dotsOf(marks.length / Math.max(series.length, 1), along !== null),
    lonely: overTime && series.some((name) => marks.filter((each) => each.series === name).length === 1),
    negative: marks.some(({ y }) => y < 0),
    links: marks.some(({ href }) => href !== null),
    names: Math.min(longest, MOST_LETTERS),
    axis,
    written: marks.length <= MOST_WRITTEN,
  };
}

/** A line of one or two points is hardly a line. */
const dotsOf = (points: number, isSteps: boolean): number => (points <= 2 ? 90 : points <= FEW && !isSteps ? 26 : 0);

type Part = Record<string, unknown>;

export function specOf(shape: Shape, theme: Theme, width: number): TopLevelSpec {
  const body = bodyOf(shape, theme);
  const spec: Part = {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    width,
    autosize: { type: "fit-x", contains: "padding" },
    data: { name: MARKS },
    params: [{ name: ROOM, value: width }],
    ...body,
  };
  // Checked when it is compiled: the types of Vega-Lite's own pieces are larger than this file.
  return spec as unknown as TopLevelSpec;
}

function bodyOf(shape: Shape, theme: Theme): Part {
  if (shape.kind === "heatmap") return heatmap(shape, theme);
  if (!shape.overTime) return bars(shape, theme);
  return shape.kind === "bar" ? columns(shape, theme) : lines(shape, theme);
}

const text = (value: string): string => JSON.stringify(value);

/** Numbers on axes are written by `data/format`, which knows languages and currencies. */
const brief = ({ format, currency, decimals }: Shape): string =>
  `briefly(datum.value, ${text(format)}, ${text(currency ?? "")}, ${decimals})`;

const yAxis = (shape: Shape): Part => ({
  axis: { labelExpr: brief(shape), tickCount: shape.small ? 3 : 4, ...(shape.format === "integer" && { tickMinStep: 1 }) },
  scale: { zero: true, nice: true },
});

const tickCount = { signal: "max(3, floor(width / 90))" };

function place({ along, isLong }: Shape): Part {
  if (!along)
    return {
      field: "x",
      type: "temporal",
      scale: { type: "utc" },
      axis: { labelExpr: `ticked(datum.value, ${isLong})`, tickCount },
    };
  const scale = { zero: false, nice: false, reverse: along.falls };
  return {
    field: "x",
    type: "quantitative",
    scale,
    axis: { title: along.label, tickCount, tickMinStep: 1, labelExpr: 'briefly(datum.value, "integer", "", 0)' },
  };
}

/** A legend's entry is as wide as its name, and not wider than this. */
const MOST_OF_ENTRY = 180;

function colour({ series, usual }: Shape, { series: colours, muted }: Theme): Part {
  const range = series.map((name, index) => (usual.includes(name) ? muted : colours[index % colours.length]));
  const entry = Math.min(MOST_OF_ENTRY, Math.max(...series.map((name) => name.length)) * 7.2) + 34;
  // Not by the width of the plot, which is known only when the legend has its place.
  const columns = { signal: `max(1, floor(${ROOM} / ${entry}))` };
  const legend = series.length > 1 ? { columns, labelLimit: MOST_OF_ENTRY } : null;
  return { field: "series", type: "nominal", scale: { domain: series, range }, sort: null, legend };
}

const dashed = ({ usual }: Shape): Part => ({
  condition: { test: `indexof(${JSON.stringify(usual)}, datum.series) >= 0`, value: [5, 4] },
  value: [1, 0],
});

const pointer = ({ links }: Shape): Part => (links ? { cursor: "pointer" } : {});

function hover(shape: Shape, theme: Theme): Part {
  return {
    data: { name: STOPS },
    mark: { type: "rule", color: theme.muted, strokeWidth: 1 },
    params: [
      { name: "near", select: { type: "point", encodings: ["x"], nearest: true, on: "pointermove", clear: "pointerout" } },
    ],
    encoding: {
      x: place(shape),
      tooltip: { field: "tip" },
      opacity: { condition: { param: "near", empty: false, value: 0.6 }, value: 0 },
    },
  };
}

function lines(shape: Shape, theme: Theme): Part {
  // What has been counted so far stays until it is counted again; axes that fall are walked from their end.
  // Between two sums of a day nothing is known: a straight line says no more than which comes next.
  const interpolate = !shape.along ? "linear" : shape.along.falls ? "step-before" : "step-after";
  const area = shape.kind === "area";
  const encoding = { x: place(shape), color: colour(shape, theme) };
  const y = { field: "y", type: "quantitative", ...yAxis(shape) };
  const flat = { ...y, stack: null };
  const single = shape.series.length === 1;
  const wash =
    single && !area ? [{ mark: { type: "area", interpolate, opacity: 0.09 }, encoding: { ...encoding, y: flat } }] : [];
  const before = shape.compares
    ? [
        {
          mark: { type: "line", interpolate, strokeDash: [4, 4], strokeWidth: 1.5, opacity: 0.75 },
          encoding: { ...encoding, y: { ...flat, field: "before" }, ...(single && { color: { value: theme.muted } }) },
        },
      ]
    : [];
  const stacked = {
    transform: [{ calculate: "datum.base + datum.y", as: "top" }],
    mark: { type: "area", opacity: 0.85 },
    encoding: { ...encoding, y: { ...flat, field: "base" }, y2: { field: "top" } },
  };
  const line = {
    mark: { type: "line", interpolate, strokeWidth: 2, ...(shape.dots > 0 && { point: { size: shape.dots, filled: true } }) },
    encoding: { ...encoding, y: flat, ...(shape.usual.length > 0 && { strokeDash: dashed(shape) }) },
  };
  const alone = {
    transform: [{ joinaggregate: [{ op: "count", as: "points" }], groupby: ["series"] }, { filter: "datum.points < 2" }],
    mark: { type: "point", filled: true, opacity: 1, size: LONELY },
    encoding: { ...encoding, y: flat },
  };
  const drawn = area ? [stacked] : [line, ...(shape.lonely && shape.dots === 0 ? [alone] : [])];
  return { height: shape.small ? 140 : 240, layer: [...before, ...wash, ...drawn, hover(shape, theme)] };
}

/** Bars that stand on a time axis, each as wide as its span. */
function columns(shape: Shape, theme: Theme): Part {
  const time = place(shape);
  const bar = {
    transform: [{ calculate: "datum.base + datum.y", as: "top" }],
    mark: { type: "rect", cornerRadiusTopLeft: 2, cornerRadiusTopRight: 2, xOffset: 0.5, x2Offset: -0.5, ...pointer(shape) },
    encoding: {
      x: time,
      x2: { field: "end" },
      y: { field: "base", type: "quantitative", ...yAxis(shape) },
      y2: { field: "top" },
      color: colour(shape, theme),
      tooltip: { field: "tip" },
    },
  };
  const before = {
    mark: { type: "rule", strokeWidth: 2, color: theme.muted, opacity: 0.8 },
    encoding: { x: time, x2: { field: "end" }, y: { field: "before", type: "quantitative" } },
  };
  return {
    height: shape.small ? 140 : 240,
    layer: [bar, ...(shape.compares && shape.series.length === 1 ? [before] : []), hover(shape, theme)],
  };
}

/** Bars that lie, with their names beside them and their values behind them. */
function bars(shape: Shape, theme: Theme): Part {
  const { series, negative, names, kind } = shape;
  const grouped = series.length > 1;
  const step = grouped ? Math.max(16, 34 / series.length) : 30;
  const room = `min(${names * WIDE + 12}, ${ROOM} * 0.44)`;
  const y = {
    field: "x",
    type: "nominal",
    sort: null,
    scale: { paddingInner: grouped ? 0.2 : 0.28, paddingOuter: 0.08 },
    axis: {
      labelExpr: `shortened(datum.label, ${room} / ${WIDE})`,
      labelLimit: { signal: room },
      labelColor: theme.ink,
      labelFontSize: 12.5,
      grid: false,
    },
  };
  const x = {
    field: "y",
    type: "quantitative",
    stack: null,
    axis: null,
    scale: { zero: true, nice: false, range: [negative ? 60 : 0, { expr: `max(40, width - ${kind === "funnel" ? 110 : 88})` }] },
  };
  const offset = grouped ? { yOffset: { field: "series", sort: null, scale: { domain: series } } } : {};
  const color = kind === "funnel" ? { value: theme.series[0] } : colour(shape, theme);
  const bar = {
    mark: { type: "bar", cornerRadiusEnd: 3, ...pointer(shape) },
    encoding: { y, x, ...offset, color, tooltip: { field: "tip" } },
  };
  const value = {
    transform: [{ calculate: shape.compares ? "max(datum.y, datum.before)" : "datum.y", as: "edge" }],
    mark: { type: "text", align: "left", dx: 6, color: theme.ink, fontSize: 12, ...pointer(shape) },
    encoding: { y, x: { ...x, field: "edge" }, ...offset, text: { field: "label" }, tooltip: { field: "tip" } },
  };
  const before = {
    mark: { type: "tick", thickness: 2, size: grouped ? 10 : 18, color: theme.ink, opacity: 0.65 },
    encoding: { y, ...offset, x: { ...x, field: "before" }, tooltip: { field: "tip" } },
  };
  return { height: { step, ...(grouped && { for: "offset" }) }, layer: [bar, ...(shape.compares ? [before] : []), value] };
}

function heatmap(shape: Shape, theme: Theme): Part {
  const place = {
    x: {
      field: "series",
      type: "ordinal",
      sort: null,
      scale: { paddingInner: 0.04, paddingOuter: 0 },
      axis: { labelAngle: 0, labelLimit: 60, grid: false, title: shape.axis },
    },
    y: {
      field: "x",
      type: "ordinal",
      sort: null,
      scale: { paddingInner: 0.08, paddingOuter: 0 },
      axis: { labelLimit: 140, labelColor: theme.ink, grid: false },
    },
    tooltip: { field: "tip" },
  };
  const legend = {
    labelExpr: brief(shape),
    gradientLength: 160,
    gradientThickness: 8,
    orient: "top",
    direction: "horizontal",
    offset: 6,
  };
  const cells = {
    mark: { type: "rect", cornerRadius: 3, ...pointer(shape) },
    encoding: { ...place, color: { field: "y", type: "quantitative", scale: { range: theme.ramp, zero: true }, legend } },
  };
  // Each value in the colour that stands out from its cell.
  const fits = { test: `datum.longest * ${LETTER} <= bandwidth("x")`, value: 1 };
  const half = { test: "datum.y > 0.5 * datum.most", value: theme.card };
  // Where the longest is wider than a cell, values would run into each other: the colours tell, and the tips.
  const values = {
    transform: [
      { calculate: "length(datum.label)", as: "letters" },
      {
        joinaggregate: [
          { op: "max", field: "y", as: "most" },
          { op: "max", field: "letters", as: "longest" },
        ],
      },
    ],
    mark: { type: "text", fontSize: 11, ...pointer(shape) },
    encoding: {
      ...place,
      text: { field: "label" },
      opacity: { condition: fits, value: 0 },
      color: { condition: half, value: theme.ink },
    },
  };
  return { height: { step: 30 }, layer: [cells, ...(shape.written ? [values] : [])] };
}

/** The height that a chart will take, so that what is below it does not jump when it comes. */
export const heightOf = (marks: Mark[], shape: Shape): number =>
  shape.overTime ? (shape.small ? 170 : 275) : new Set(marks.map(({ x }) => x)).size * 30 + 20;
