// A question to the lake, and what comes back.

import { DataType, type Field } from "apache-arrow";
import { call } from "../api";
import { type Read, readArrow } from "../arrow/read";
import { textsOf, typeOf } from "../arrow/text";
import type { Column, Format, Row, Value } from "../data/panel";

export interface Answer {
  columns: Column[];
  /** What the lake said, digit by digit. */
  texts: (string | null)[][];
  rows: Row[];
  count: number;
  /** There are more rows than these: the files have them. */
  cut: boolean;
  /** The same rows as they came, for the pivot. */
  came: Read;
  position: number;
  took: number;
}

/** Where in the text something is wrong. Lines and columns count from one. */
export interface Place {
  line: number;
  column: number;
}

const ARROW = "application/vnd.apache.arrow.stream";
/** More rows than anybody reads on a page, and as many bytes as a phone has to spare. */
const LIMITS = { rows: 20_000, bytes: 32 << 20 };
/** Batches come whole, and one may have more rows than a page can hold as texts. */
const MOST_ROWS = 50_000;

export const ask = (sql: string, organizer: string, accept: string, signal?: AbortSignal): Promise<Response> =>
  call("POST", "/v1/sql", { body: { sql, ...(organizer && { organizer_id: organizer }) }, accept, ...(signal && { signal }) });

export async function run(sql: string, organizer: string, signal: AbortSignal): Promise<Answer> {
  const started = performance.now();
  const response = await ask(sql, organizer, ARROW, signal);
  const position = Number(response.headers.get("Bilten-Position") ?? 0);
  if (!response.body) throw new Error("The answer is empty.");
  const came = await readArrow(response.body, LIMITS);
  const took = performance.now() - started;
  const texts = linesOf(came, MOST_ROWS);
  const columns = columnsOf(came.schema.fields, texts);
  const rows = texts.map((row) => rowOf(columns, row));
  return { columns, texts, rows, count: texts.length, cut: came.cut || came.rows > texts.length, came, position, took };
}

/** The first rows, each value as a text. */
export function linesOf({ schema, batches }: Read, most = Infinity): Answer["texts"] {
  const lines: Answer["texts"] = [];
  for (const { data, numRows } of batches) {
    const columns = data.children.map((child, at) => textsOf(child, String(schema.fields[at]?.name)));
    for (let row = 0; row < numRows && lines.length < most; row += 1) lines.push(columns.map((text) => text(row)));
  }
  return lines;
}

/** For charts, which draw with the numbers of JavaScript. What is read is the text. */
function rowOf(columns: Column[], texts: (string | null)[]): Row {
  const pairs = columns.map(({ name, role }, index): [string, Value] => {
    const text = texts[index] ?? null;
    if (text === null || role !== "metric") return [name, text];
    const number = Number(text);
    return [name, Number.isFinite(number) ? number : null];
  });
  return Object.fromEntries(pairs);
}

const LOOKED_AT = 200;
const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d|$)/;
const isNumber = (type: DataType): boolean => DataType.isInt(type) || DataType.isFloat(type) || DataType.isDecimal(type);

/** What the columns are: by their types, and texts by what is in them. Two of one name are two. */
export function columnsOf(fields: Field[], texts: (string | null)[][]): Column[] {
  const hasCurrency = fields.some(({ name }) => name === "currency");
  const seen = new Map<string, number>();
  return fields.map(({ name: label, type }, index) => {
    const again = (seen.get(label) ?? 0) + 1;
    seen.set(label, again);
    const values = texts.slice(0, LOOKED_AT).flatMap((row) => row[index] ?? []);
    const [role, format] = kindOf(label, type, values, hasCurrency);
    return { name: again === 1 ? label : `${label} (${again})`, label, role, format };
  });
}

function kindOf(name: string, type: DataType, values: string[], hasCurrency: boolean): [Column["role"], Format] {
  if (isNumber(typeOf(type))) {
    if (name.endsWith("_minor") && hasCurrency) return ["metric", "money"];
    return ["metric", values.every((value) => Number.isInteger(Number(value))) ? "integer" : "decimal"];
  }
  if (values.length > 0 && values.every((value) => TIME.test(value))) {
    const days = values.every((value) => value.length === 10 || value.slice(11).startsWith("00:00:00"));
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
