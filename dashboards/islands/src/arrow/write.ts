// Rows as bytes again, for what reads Arrow itself.

import { RecordBatch, Schema, Table, tableToIPC } from "apache-arrow";
import type { Read } from "./read";

/** The rows as a stream whose columns are called what readers call them. Two are never called the same: the second one
 * keeps its own name. */
export function bytesOf({ schema, batches }: Pick<Read, "schema" | "batches">, labels = new Map<string, string>()): ArrayBuffer {
  const taken = new Set(schema.fields.map(({ name }) => String(name)));
  const fields = schema.fields.map((field) => {
    const label = labels.get(field.name);
    if (!label || taken.has(label)) return field;
    taken.add(label);
    return field.clone({ name: label });
  });
  const renamed = new Schema(fields, schema.metadata);
  const table = new Table(
    renamed,
    batches.map(({ data }) => new RecordBatch(renamed, data)),
  );
  return tableToIPC(table).slice().buffer;
}
