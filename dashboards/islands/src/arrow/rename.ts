// An Arrow stream whose columns are called what readers call them. Its rows stay where they are: names stand in the
// schema alone, which comes first.

import { Table } from "./flat";

const HEAD = 8;
const SCHEMA = 1;
const FIELDS = 1;
const NAME = 0;
const padded = (length: number): number => Math.ceil(length / 8) * 8;

/** The stream with other names. Two columns are never called the same: the second one keeps its own name. */
export function renamed(stream: ArrayBuffer, labels: Map<string, string>): ArrayBuffer {
  const length = new DataView(stream).getInt32(4, true);
  const meta = new Uint8Array(stream.slice(HEAD, HEAD + length));
  const message = Table.root(meta);
  if (message.byte(1) !== SCHEMA) return stream;
  const fields = message.table(2)?.tables(FIELDS) ?? [];
  const taken = new Set(fields.map((field) => field.text(NAME)));
  // A reference leads forwards, so that new names go behind all there is.
  let end = padded(length);
  const written: [at: number, place: number, name: Uint8Array][] = [];
  for (const field of fields) {
    const [label, place] = [labels.get(field.text(NAME)), field.place(NAME)];
    if (!label || !place || taken.has(label)) continue;
    taken.add(label);
    const name = new TextEncoder().encode(label);
    written.push([end, place, name]);
    end = padded(end + 4 + name.length + 1);
  }
  const made = new Uint8Array(HEAD + end + stream.byteLength - HEAD - length);
  const view = new DataView(made.buffer);
  view.setUint32(0, 0xffffffff, true);
  view.setInt32(4, end, true);
  made.set(meta, HEAD);
  for (const [at, place, name] of written) {
    view.setUint32(HEAD + place, at - place, true);
    view.setUint32(HEAD + at, name.length, true);
    made.set(name, HEAD + at + 4);
  }
  made.set(new Uint8Array(stream, HEAD + length), HEAD + end);
  return made.buffer;
}
