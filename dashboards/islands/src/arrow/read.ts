// An Arrow stream, read only as far as a page can hold it. What is left is never asked for.

import { type RecordBatch, RecordBatchReader, type Schema } from "apache-arrow";

export interface Limits {
  rows: number;
  bytes: number;
}

export interface Read {
  schema: Schema;
  batches: RecordBatch[];
  rows: number;
  /** There are more rows than these. */
  cut: boolean;
}

const ALL: Limits = { rows: Infinity, bytes: Infinity };
const MEGABYTE = 1 << 20;
const OVER = new Error("The answer has more bytes than this page can hold.");

/** Reads whole batches until the next one would be over a limit. */
export async function readArrow(body: ReadableStream<Uint8Array>, limits = ALL): Promise<Read> {
  const source = body.getReader();
  const batches: RecordBatch[] = [];
  let [schema, rows, cut]: [Schema | null, number, boolean] = [null, 0, false];
  try {
    const reader = await RecordBatchReader.from(pieces(source, limits.bytes));
    schema = (await reader.open()).schema;
    for await (const batch of reader) {
      if (batch.numRows === 0) continue;
      cut = rows >= limits.rows;
      if (cut) break;
      batches.push(batch);
      rows += batch.numRows;
    }
  } catch (error) {
    if (error !== OVER) throw said(error);
    const most = Math.ceil(limits.bytes / MEGABYTE);
    if (rows === 0) throw new Error(`The first rows alone have more than ${most} MB. Ask for fewer columns or shorter texts.`);
    cut = true;
  } finally {
    // Tells the server that nobody reads on.
    await source.cancel().catch(() => undefined);
  }
  if (!schema) throw new Error("The answer is no Arrow stream.");
  return { schema, batches, rows, cut };
}

/** What begins every message of a stream, four times. */
const CONTINUES = 255;
/** What a whole stream ends with. The library takes any end for one. */
const END = [255, 255, 255, 255, 0, 0, 0, 0].join();

async function* pieces(source: ReadableStreamDefaultReader<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let last: number[] = [];
  for (let held = 0; ; ) {
    const { done, value } = await source.read();
    if (done) break;
    if (value.subarray(0, Math.max(0, 4 - held)).some((byte) => byte !== CONTINUES))
      throw new Error("The answer is no Arrow stream.");
    yield value.subarray(0, most - held);
    held += value.length;
    if (held > most) throw OVER;
    last = [...last, ...value.subarray(-8)].slice(-8);
  }
  if (last.join() !== END) throw new Error("The answer broke off before its end. Ask again, or for fewer rows.");
}

/** What the library says to programmers, as readers understand it. */
function said(error: unknown): unknown {
  const message = error instanceof Error ? error.message : "";
  if (message.startsWith("Unrecognized type"))
    return new Error("A column is of a kind that this page can't show. Cast it to text.", { cause: error });
  if (message.includes("compressed"))
    return new Error("The answer is compressed in a way that this page can't read.", { cause: error });
  return error;
}
