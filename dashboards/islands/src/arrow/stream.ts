// An Arrow stream, read only as far as a page can hold it. What is left is never asked for.

import { Table } from "./flat";
import { type Field, fieldOf } from "./types";
import { Parts, type Vector, vectorOf } from "./vectors";

export interface Limits {
  rows: number;
  bytes: number;
}

export interface Read {
  fields: Field[];
  batches: Vector[][];
  rows: number;
  /** There are more rows than these. */
  cut: boolean;
  /** The same rows as a stream that ends here. */
  stream: Uint8Array[];
}

const CONTINUES = 0xffffffff;
const SCHEMA = 1;
const DICTIONARY = 2;
const ROWS = 3;
/** What says of a message how it is made. More is no schema of ours. */
const MOST_META = 4 << 20;
const END = new Uint8Array([255, 255, 255, 255, 0, 0, 0, 0]);
const MEGABYTE = 1 << 20;

/** Reads whole batches until the next one would be over a limit. */
export async function readArrow(body: ReadableStream<Uint8Array>, limits: Limits): Promise<Read> {
  const source = new Source(body);
  const read: Read = { fields: [], batches: [], rows: 0, cut: false, stream: [] };
  const dictionaries = new Map<number, Vector>();
  let held = 0;
  try {
    for (;;) {
      const meta = await source.meta();
      if (!meta) break;
      const message = Table.root(meta);
      const [kind, header, size] = [message.byte(1), message.table(2), message.long(3)];
      if (!header) continue;
      const over = held + size > limits.bytes;
      if (over && read.rows === 0)
        throw new Error(`The first rows alone have ${Math.ceil(size / MEGABYTE)} MB. Ask for fewer columns or shorter texts.`);
      if (over || (kind === ROWS && read.rows >= limits.rows)) {
        read.cut = true;
        break;
      }
      const content = await source.take(size);
      held += size;
      read.stream.push(framed(meta), content);
      take(read, kind, header, content, dictionaries);
    }
  } finally {
    await source.leave();
  }
  read.stream.push(END);
  return read;
}

function take(read: Read, kind: number, header: Table, content: Uint8Array, dictionaries: Map<number, Vector>): void {
  if (kind === SCHEMA) read.fields = header.tables(1).map(fieldOf);
  else if (kind === DICTIONARY) {
    const [id, batch] = [header.long(0), header.table(1)];
    const field = read.fields.flatMap(withChildren).find(({ dictionary }) => dictionary?.id === id);
    if (field && batch) dictionaries.set(id, vectorOf({ ...field, dictionary: null }, new Parts(batch, content, dictionaries)));
  } else if (kind === ROWS) {
    // A later batch may bring another dictionary: these columns keep the one that they came with.
    const parts = new Parts(header, content, new Map(dictionaries));
    read.batches.push(read.fields.map((field) => vectorOf(field, parts)));
    read.rows += header.long(0);
  }
}

const withChildren = (field: Field): Field[] => [field, ...field.children.flatMap(withChildren)];

function framed(meta: Uint8Array): Uint8Array {
  const made = new Uint8Array(8 + meta.length);
  const view = new DataView(made.buffer);
  view.setUint32(0, CONTINUES, true);
  view.setInt32(4, meta.length, true);
  made.set(meta, 8);
  return made;
}

/** Bytes by the number, whatever the pieces are that they come in. */
class Source {
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  private pieces: Uint8Array[] = [];
  private have = 0;

  constructor(body: ReadableStream<Uint8Array>) {
    this.reader = body.getReader();
  }

  /** What the next message says of itself; null at the end. */
  async meta(): Promise<Uint8Array | null> {
    const head = await this.take(8);
    const view = new DataView(head.buffer, head.byteOffset, 8);
    const length = view.getInt32(4, true);
    if (view.getUint32(0, true) !== CONTINUES || length < 0 || length > MOST_META)
      throw new Error("The answer is no Arrow stream.");
    return length === 0 ? null : this.take(length);
  }

  async take(count: number): Promise<Uint8Array> {
    while (this.have < count) {
      const { done, value } = await this.reader.read();
      if (done) throw new Error("The answer broke off before its end. Ask again, or for fewer rows.");
      this.pieces.push(value);
      this.have += value.length;
    }
    const made = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const piece = this.pieces[0] as Uint8Array;
      const part = piece.subarray(0, count - filled);
      made.set(part, filled);
      filled += part.length;
      if (part.length === piece.length) this.pieces.shift();
      else this.pieces[0] = piece.subarray(part.length);
    }
    this.have -= count;
    return made;
  }

  /** Tells the server that nobody reads on. */
  async leave(): Promise<void> {
    await this.reader.cancel().catch(() => undefined);
  }
}
