// Columns of a batch, and what each value is as a text: digit by digit what the lake said, which a number of
// JavaScript's can't always hold.

import type { Table } from "./flat";
import type { Field, Type, Unit } from "./types";

/** The text of a row's value; null where there is none. */
export interface Vector {
  length: number;
  text(row: number): string | null;
}

/** Columns take their buffers one after the other, in the order of the schema. */
export class Parts {
  private readonly nodes: number[][];
  private readonly buffers: number[][];
  private readonly variadic: number[][];

  constructor(
    batch: Table,
    private readonly body: Uint8Array,
    readonly dictionaries: Map<number, Vector>,
  ) {
    if (batch.table(3)) throw new Error("The answer is compressed in a way that this page can't read.");
    this.nodes = batch.longs(1, 2);
    this.buffers = batch.longs(2, 2);
    this.variadic = batch.longs(4, 1);
  }

  node(): number {
    return this.nodes.shift()?.[0] ?? 0;
  }

  buffer(): DataView {
    const [offset = 0, length = 0] = this.buffers.shift() ?? [];
    return new DataView(this.body.buffer, this.body.byteOffset + offset, length);
  }

  /** The buffers that views point into. */
  more(): DataView[] {
    const [count = 0] = this.variadic.shift() ?? [];
    return Array.from({ length: count }, () => this.buffer());
  }
}

const bit = (bits: DataView, at: number): boolean => ((bits.getUint8(at >> 3) >> (at & 7)) & 1) === 1;

export function vectorOf(field: Field, parts: Parts): Vector {
  const { type, dictionary } = field;
  const length = parts.node();
  if (type.is === "null" && !dictionary) return { length, text: () => null };
  const valid = parts.buffer();
  const inner = dictionary ? fromDictionary(dictionary, parts) : textOf(field, type, parts);
  return { length, text: (row) => (valid.byteLength > 0 && !bit(valid, row) ? null : inner(row)) };
}

type Text = (row: number) => string | null;

function fromDictionary({ id, index }: NonNullable<Field["dictionary"]>, parts: Parts): Text {
  const at = integers(index.is === "int" ? index : { bits: 32, signed: true }, parts.buffer());
  const values = parts.dictionaries.get(id);
  return (row) => values?.text(Number(at(row))) ?? null;
}

function textOf(field: Field, type: Type, parts: Parts): Text {
  switch (type.is) {
    case "null":
      return () => null;
    case "bool": {
      const bits = parts.buffer();
      return (row) => String(bit(bits, row));
    }
    case "int": {
      const at = integers(type, parts.buffer());
      return (row) => String(at(row));
    }
    case "float":
      return floats(type.bits, parts.buffer());
    case "decimal": {
      const at = wide(type.bits, parts.buffer());
      return (row) => pointed(at(row), type.scale);
    }
    case "text":
    case "binary":
    case "fixed":
      return strings(type, parts);
    case "interval":
      return intervals(type.unit, parts.buffer());
    case "date":
    case "time":
    case "timestamp":
    case "duration": {
      const at = integers({ bits: type.bits, signed: true }, parts.buffer());
      return (row) => timeText(type, BigInt(at(row)));
    }
    default:
      return nested(field, type, parts);
  }
}

function integers({ bits, signed }: { bits: number; signed: boolean }, view: DataView): (row: number) => number | bigint {
  switch (bits) {
    case 8:
      return (row) => (signed ? view.getInt8(row) : view.getUint8(row));
    case 16:
      return (row) => (signed ? view.getInt16(2 * row, true) : view.getUint16(2 * row, true));
    case 32:
      return (row) => (signed ? view.getInt32(4 * row, true) : view.getUint32(4 * row, true));
    default:
      return (row) => (signed ? view.getBigInt64(8 * row, true) : view.getBigUint64(8 * row, true));
  }
}

/** The least digits that lead back to the same number of 32 bits. */
function single(value: number): string {
  for (let digits = 1; digits < 9; digits += 1) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return String(shorter);
  }
  return String(value);
}

function half(bits: number): number {
  const [sign, exponent, part] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return part ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? part * 2 ** -24 : (1 + part / 1024) * 2 ** (exponent - 15));
}

function floats(bits: number, view: DataView): Text {
  if (bits === 16) return (row) => String(half(view.getUint16(2 * row, true)));
  if (bits === 32) return (row) => single(view.getFloat32(4 * row, true));
  return (row) => String(view.getFloat64(8 * row, true));
}

/** Whole numbers of up to 256 bits, the lowest first. */
function wide(bits: number, view: DataView): (row: number) => bigint {
  return (row) => {
    let made = 0n;
    for (let part = bits / 32 - 1; part >= 0; part -= 1)
      made = (made << 32n) | BigInt(view.getUint32((row * bits) / 8 + 4 * part, true));
    return BigInt.asIntN(bits, made);
  };
}

function pointed(value: bigint, scale: number): string {
  if (scale <= 0) return String(value * 10n ** BigInt(-scale));
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

const utf8 = new TextDecoder();
const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const slice = (view: DataView, from: number, length: number): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset + from, length);

const VIEW = 16;
/** A text that is so short stands in its view. */
const INLINE = 12;

function strings(type: Type & { is: "text" | "binary" | "fixed" }, parts: Parts): Text {
  const read = (bytes: Uint8Array) => (type.is === "text" ? utf8.decode(bytes) : hex(bytes));
  if (type.is === "fixed") {
    const data = parts.buffer();
    return (row) => read(slice(data, row * type.width, type.width));
  }
  if (type.views) {
    const [views, data] = [parts.buffer(), parts.more()];
    return (row) => {
      const at = row * VIEW;
      const length = views.getInt32(at, true);
      if (length <= INLINE) return read(slice(views, at + 4, length));
      const from = data[views.getInt32(at + 8, true)];
      return from ? read(slice(from, views.getInt32(at + 12, true), length)) : null;
    };
  }
  const [ends, data] = [integers({ bits: type.wide ? 64 : 32, signed: true }, parts.buffer()), parts.buffer()];
  return (row) => read(slice(data, Number(ends(row)), Number(ends(row + 1)) - Number(ends(row))));
}

const A_SECOND: Record<Unit, bigint> = { 0: 1n, 1: 1_000n, 2: 1_000_000n, 3: 1_000_000_000n };
const DAY = 86_400n;

/** What is left of a second, without the zeros at its end. */
function rest(parts: bigint, unit: Unit): string {
  const digits = parts === 0n ? "" : String(parts).padStart(3 * unit, "0").replace(/0+$/, "");
  return digits && `.${digits}`;
}

function timeText(type: Type & { is: "date" | "time" | "timestamp" | "duration" }, value: bigint): string {
  if (type.is === "date") return day(type.bits === 32 ? value * DAY : value / 1_000n);
  const per = A_SECOND[type.unit];
  const part = ((value % per) + per) % per;
  const seconds = (value - part) / per;
  if (type.is === "duration") {
    const own = value < 0n ? -value : value;
    return `${value < 0n ? "-" : ""}${own / per}${rest(own % per, type.unit)} s`;
  }
  const clock = (((seconds % DAY) + DAY) % DAY) * 1_000n;
  const time = new Date(Number(clock)).toISOString().slice(11, 19) + rest(part, type.unit);
  return type.is === "time" ? time : `${day(seconds)}T${time}${type.is === "timestamp" && type.zoned ? "Z" : ""}`;
}

/** Days outside of what JavaScript knows are told in seconds. */
function day(seconds: bigint): string {
  const date = new Date(Number(seconds) * 1_000);
  return Number.isNaN(date.getTime()) ? `${seconds} s` : date.toISOString().replace(/T.*$/, "");
}

function intervals(unit: Unit, view: DataView): Text {
  const said = (...pieces: [number | bigint, string][]) =>
    pieces
      .filter(([count]) => Number(count) !== 0)
      .map(([count, name]) => `${count} ${name}`)
      .join(" ") || "0 days";
  if (unit === 0) return (row) => said([view.getInt32(4 * row, true), "months"]);
  if (unit === 1) return (row) => said([view.getInt32(8 * row, true), "days"], [view.getInt32(8 * row + 4, true), "ms"]);
  return (row) =>
    said(
      [view.getInt32(16 * row, true), "months"],
      [view.getInt32(16 * row + 4, true), "days"],
      [view.getBigInt64(16 * row + 8, true), "ns"],
    );
}

const AS_THEY_ARE = new Set<Type["is"]>(["int", "float", "decimal", "bool", "list", "fixed-list", "struct", "map"]);

/** A value inside of another one, as JSON writes it; NaN and its like, which JSON does not know, in quotes. */
function inside({ type }: Field, text: string | null): string {
  if (text === null) return "null";
  return AS_THEY_ARE.has(type.is) && !/^-?(NaN|Infinity)$/.test(text) ? text : JSON.stringify(text);
}

/** Lists, maps and structs, as JSON text. */
function nested(field: Field, type: Type, parts: Parts): Text {
  const ends =
    type.is === "list" || type.is === "map"
      ? integers({ bits: type.is === "list" && type.wide ? 64 : 32, signed: true }, parts.buffer())
      : null;
  const children = field.children.map((child) => ({ child, vector: vectorOf(child, parts) }));
  if (type.is === "struct") {
    return (row) =>
      `{${children.map(({ child, vector }) => `${JSON.stringify(child.name)}:${inside(child, vector.text(row))}`).join(",")}}`;
  }
  const [first] = children;
  const size = type.is === "fixed-list" ? type.size : 0;
  return (row) => {
    const [from, to] = ends ? [Number(ends(row)), Number(ends(row + 1))] : [row * size, (row + 1) * size];
    const items = Array.from({ length: to - from }, (_, each) =>
      first ? inside(first.child, first.vector.text(from + each)) : "null",
    );
    return `[${items.join(",")}]`;
  };
}
