// A chart of an answer: which mark, what along, how much, and in which colours.

import { type Child, el } from "../dom";
import { placesOf } from "../data/format";
import { type Column, type PanelData, currencyOf } from "../data/panel";
import { choice, field } from "../dialogs/dialog";
import type { Answer } from "./run";

export interface Charted {
  mark: "line" | "area" | "bar" | "heatmap";
  x: string;
  y: string;
  colour: string | null;
}

const MARKS: [Charted["mark"], string][] = [
  ["bar", "Bars"],
  ["line", "Line"],
  ["area", "Areas"],
  ["heatmap", "Heatmap"],
];
const NONE = "";

/** What is likely meant: the first number, along time if there is one. */
export function guess(columns: Column[]): Charted | null {
  const y =
    columns.find(({ role, name }) => role === "metric" && !/_id$|^(year|month|day|hour|weekday|dow)$/.test(name)) ??
    columns.find(({ role }) => role === "metric");
  const time = columns.find(({ role }) => role === "time");
  const x = time ?? columns.find(({ name }) => name !== y?.name && name !== "currency");
  if (!y || !x) return null;
  const colour = columns.find(({ role, name }) => role === "dimension" && name !== x.name && name !== "currency");
  return { mark: time || x.role === "metric" ? "line" : "bar", x: x.name, y: y.name, colour: colour?.name ?? null };
}

/** The answer as a panel, so that it is drawn as panels are. */
export function chartOf({ columns, rows, position }: Answer, { mark, x, y, colour }: Charted): PanelData {
  const find = (name: string | null) => columns.find((column) => column.name === name);
  const [along, value, split] = [find(x), find(y), find(colour)];
  const isDistance = along?.role === "time" && mark !== "heatmap";
  const used: Column[] = [
    ...(along
      ? [
          {
            ...along,
            role: isDistance ? ("time" as const) : ("dimension" as const),
            format:
              along.role === "metric"
                ? ("integer" as const)
                : isDistance
                  ? along.format
                  : along.format === "moment"
                    ? ("moment" as const)
                    : along.format,
          },
        ]
      : []),
    ...(split && split.name !== x ? [{ ...split, role: "dimension" as const }] : []),
    ...(value?.format === "money" ? columns.filter(({ name }) => name === "currency" && name !== x && name !== colour) : []),
    ...(value ? [{ ...value, role: "metric" as const }] : []),
  ];
  const codes = new Set(rows.map(currencyOf).filter((code) => code !== null));
  return {
    id: "answer",
    title: value?.label ?? "",
    kind: mark,
    description: "The answer as a chart",
    columns: used,
    grain: null,
    rows,
    decimals: Object.fromEntries([...codes].map((code) => [code, placesOf(code)])),
    drill: null,
    position,
    error: null,
  };
}

export function chooser(columns: Column[], charted: Charted, changed: () => void, ...more: Child[]): HTMLElement {
  const names = columns.map(({ name }): [string, string] => [name, name]);
  const numbers = columns.filter(({ role }) => role === "metric").map(({ name }): [string, string] => [name, name]);
  const selects = [
    ["Mark", choice("mark", MARKS, charted.mark), (value: string) => (charted.mark = value as Charted["mark"])],
    ["Along", choice("x", names, charted.x), (value: string) => (charted.x = value)],
    ["How much", choice("y", numbers, charted.y), (value: string) => (charted.y = value)],
    [
      "Colour",
      choice("colour", [[NONE, "one colour"], ...names], charted.colour ?? NONE),
      (value: string) => (charted.colour = value === NONE ? null : value),
    ],
  ] as const;
  for (const [, select, set] of selects) {
    select.addEventListener("change", () => {
      set(select.value);
      changed();
    });
  }
  return el("div", { class: "chooser" }, ...selects.map(([label, select]) => field(label, select)), ...more);
}
