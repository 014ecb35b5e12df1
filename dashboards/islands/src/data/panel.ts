// What a panel shows, as the server sends it: in the page, by the panel's own address, and whenever it changes.

export type Format =
  "integer" | "decimal" | "money" | "percent" | "duration" | "text" | "minute" | "hour" | "day" | "week" | "month" | "moment";

export type Grain = "minute" | "hour" | "day" | "week" | "month";

export type Kind = "figures" | "line" | "area" | "bar" | "heatmap" | "funnel" | "table" | "pivot";

export type Value = string | number | boolean | null;

export type Row = Record<string, Value | undefined>;

export interface Column {
  name: string;
  label: string;
  role: "time" | "dimension" | "metric";
  format: Format;
  /** Whether more of it is welcome. */
  good?: "up" | "down" | "none";
  /** It is 0 where there is nothing; what is not counted or added up is not known there. */
  counted?: boolean;
  /** The column with the value of the span that this one is compared with. */
  before?: string | null;
}

export interface Drill {
  /** Another page; the same one without it. */
  page?: string | null;
  /** The dimension whose value becomes a filter there. */
  by: string;
}

export interface PanelData {
  id: string;
  title: string;
  kind: Kind;
  description: string;
  columns: Column[];
  grain: Grain | null;
  rows: Row[];
  /** How many digits an amount of each currency has after its point. */
  decimals: Record<string, number>;
  /** On whose clocks its moments are told, as the page says. */
  zone?: string;
  drill: Drill | null;
  position: number;
  /** What is left out, and why. */
  notes?: string[];
  /** What stands there when there are no rows. */
  empty?: string | null;
  /** What to do, if the panel could not be computed. */
  error: string | null;
}

const CURRENCY = "currency";

export const metrics = (panel: PanelData): Column[] => panel.columns.filter(({ role }) => role === "metric");

export const timeOf = (panel: PanelData): Column | undefined => panel.columns.find(({ role }) => role === "time");

export const hasCurrency = (panel: PanelData): boolean => panel.columns.some(({ name }) => name === CURRENCY);

/** What tells the rows apart to a reader: without currencies, and without ids where there is a name beside them. */
export function dimensions(panel: PanelData): Column[] {
  const all = panel.columns.filter(({ role, name }) => role === "dimension" && name !== CURRENCY);
  const named = all.filter(({ name }) => !name.endsWith("_id"));
  return named.length > 0 ? named : all;
}

export function currencyOf(row: Row): string | null {
  const currency = row[CURRENCY];
  return typeof currency === "string" && currency !== "" ? currency : null;
}

export const numberIn = (row: Row, name: string): number | null => {
  const value = row[name];
  return typeof value === "number" ? value : null;
};

/** The currencies of the rows, those with the most rows first. */
export function currencies(panel: PanelData): (string | null)[] {
  if (!hasCurrency(panel)) return [null];
  const seen = new Map<string | null, number>();
  for (const row of panel.rows) seen.set(currencyOf(row), (seen.get(currencyOf(row)) ?? 0) + 1);
  return [...seen]
    .sort(([one, ones], [other, others]) => others - ones || String(one).localeCompare(String(other)))
    .map(([each]) => each);
}
