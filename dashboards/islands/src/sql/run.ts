// A question to the lake, and what comes back.

import { Refused, call } from "../api";
import type { Column, Format, Row } from "../data/panel";

export interface Answer {
  columns: Column[];
  rows: Row[];
  position: number;
  took: number;
}

/** Where in the text something is wrong. Lines and columns count from one. */
export interface Place {
  line: number;
  column: number;
}

export const ARROW = "application/vnd.apache.arrow.stream";

export const ask = (sql: string, organizer: string, accept: string, signal?: AbortSignal): Promise<Response> =>
  call("POST", "/v1/sql", { body: { sql, ...(organizer && { organizer_id: organizer }) }, accept, ...(signal && { signal }) });

export async function run(sql: string, organizer: string, signal: AbortSignal): Promise<Answer> {
  const started = performance.now();
  const response = await ask(sql, organizer, "application/json", signal);
  const rows = (await response.json()) as Row[];
  const took = performance.now() - started;
  return { columns: columnsOf(rows), rows, position: Number(response.headers.get("Bilten-Position") ?? 0), took };
}

const LOOKED_AT = 200;
const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d|$)/;

/** What the columns are, by their values: an answer says no types. */
export function columnsOf(rows: Row[]): Column[] {
  const sample = rows.slice(0, LOOKED_AT);
  const names = [...new Set(sample.flatMap(Object.keys))];
  const hasCurrency = names.includes("currency");
  return names.map((name) => {
    const values = sample.map((row) => row[name]).filter((value) => value !== null && value !== undefined);
    const [role, format] = kindOf(name, values, hasCurrency);
    return { name, label: name, role, format };
  });
}

function kindOf(name: string, values: unknown[], hasCurrency: boolean): [Column["role"], Format] {
  if (values.length > 0 && values.every((value) => typeof value === "number")) {
    if (name.endsWith("_minor") && hasCurrency) return ["metric", "money"];
    return ["metric", values.every(Number.isInteger) ? "integer" : "decimal"];
  }
  if (values.length > 0 && values.every((value) => typeof value === "string" && TIME.test(value))) {
    const days = values.every((value) => String(value).length === 10 || String(value).slice(11).startsWith("00:00:00"));
    return ["time", days ? "day" : "moment"];
  }
  return ["dimension", "text"];
}

/** Where the error is, if it says so. */
export function placeOf(error: unknown): Place | null {
  if (!(error instanceof Error)) return null;
  const found = /line:?\s*(\d+),?\s*column:?\s*(\d+)/i.exec(error.message);
  return found ? { line: Number(found[1]), column: Number(found[2]) } : null;
}

export const isNotOffered = (error: unknown): boolean => error instanceof Refused && error.code === "not_acceptable";
