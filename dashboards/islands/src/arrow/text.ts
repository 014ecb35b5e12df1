// What each value is as a text: digit by digit what the lake said, which a number of JavaScript's can't always hold.
// The library's own values have no scale for decimals and only milliseconds for times, so that texts come from what is
// stored.

import { type Data, DataType, IntervalUnit, Precision, TimeUnit, Type, Vector } from "apache-arrow";
import type { Decimal, Float, Interval } from "apache-arrow";

/** The text of a row's value; null where there is none. */
export type Text = (row: number) => string | null;

/** What a column's values are, be they in a dictionary or not. */
export const typeOf = (type: DataType): DataType => (DataType.isDictionary(type) ? type.dictionary : type);

export function textsOf(data: Data, name: string): Text {
  const inner = innerOf(data, name);
  return (row) => (data.getValid(row) ? inner(row) : null);
}

function innerOf(data: Data, name: string): Text {
  const { type, values, stride } = data;
  switch (type.typeId) {
    case Type.Null:
      return () => null;
    case Type.Int:
      return (row) => String(values[row]);
    case Type.Float:
      return floats(data);
    case Type.Decimal:
      return (row) => pointed(wide(values.subarray(row * stride, (row + 1) * stride)), (type as Decimal).scale);
    case Type.Bool:
    case Type.Utf8:
    case Type.LargeUtf8:
    case Type.Utf8View: {
      const vector = new Vector([data]);
      return (row) => String(vector.get(row));
    }
    case Type.Binary:
    case Type.LargeBinary:
    case Type.BinaryView:
    case Type.FixedSizeBinary: {
      const vector = new Vector([data]);
      return (row) => hex(vector.get(row));
    }
    case Type.Date:
    case Type.Time:
    case Type.Timestamp:
    case Type.Duration:
      return (row) => timeText(type, BigInt(values[row]));
    case Type.Interval:
      return (row) => intervalText((type as Interval).unit, values.subarray(row * stride, (row + 1) * stride));
    case Type.Dictionary:
      return fromDictionary(data, name);
    case Type.List:
    case Type.LargeList:
    case Type.FixedSizeList:
    case Type.Map:
    case Type.Struct:
      return nested(data, name);
    default:
      throw new Error(`The column “${name}” is of a kind that this page can't show. Cast it to text.`);
  }
}

/** A dictionary that came in parts has them one behind the other. */
function fromDictionary({ dictionary, values }: Data, name: string): Text {
  const parts = (dictionary?.data ?? []).map((part): [number, Text] => [part.length, textsOf(part, name)]);
  return (row) => {
    let at = Number(values[row]);
    for (const [length, text] of parts) {
      if (at < length) return text(at);
      at -= length;
    }
    return null;
  };
}

function floats(data: Data): Text {
  const vector = new Vector([data]);
  if ((data.type as Float).precision === Precision.SINGLE) return (row) => single(vector.get(row));
  return (row) => String(vector.get(row));
}

/** The least digits that lead back to the same number of 32 bits. */
function single(value: number): string {
  for (let digits = 1; digits < 9; digits += 1) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return String(shorter);
  }
  return String(value);
}

/** A whole number of up to 256 bits, whose lowest part is the first. */
function wide(parts: Uint32Array): bigint {
  const made = parts.reduceRight((all, part) => (all << 32n) | BigInt(part), 0n);
  return BigInt.asIntN(32 * parts.length, made);
}

function pointed(value: bigint, scale: number): string {
  if (scale <= 0) return String(value * 10n ** BigInt(-scale));
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const A_SECOND: Record<TimeUnit, bigint> = {
  [TimeUnit.SECOND]: 1n,
  [TimeUnit.MILLISECOND]: 1_000n,
  [TimeUnit.MICROSECOND]: 1_000_000n,
  [TimeUnit.NANOSECOND]: 1_000_000_000n,
};
const DAY = 86_400n;

/** What is left of a second, without the zeros at its end. */
function rest(parts: bigint, unit: TimeUnit): string {
  const digits = parts === 0n ? "" : String(parts).padStart(3 * unit, "0").replace(/0+$/, "");
  return digits && `.${digits}`;
}

function timeText(type: DataType, value: bigint): string {
  if (DataType.isDate(type)) return day(type.unit === 0 ? value * DAY : value / 1_000n);
  const unit: TimeUnit = (type as DataType & { unit: TimeUnit }).unit;
  const per = A_SECOND[unit];
  const part = ((value % per) + per) % per;
  const seconds = (value - part) / per;
  if (DataType.isDuration(type)) {
    const own = value < 0n ? -value : value;
    return `${value < 0n ? "-" : ""}${own / per}${rest(own % per, unit)} s`;
  }
  const clock = (((seconds % DAY) + DAY) % DAY) * 1_000n;
  const time = new Date(Number(clock)).toISOString().slice(11, 19) + rest(part, unit);
  return DataType.isTimestamp(type) ? `${day(seconds)}T${time}${type.timezone ? "Z" : ""}` : time;
}

/** Days outside of what JavaScript knows are told in seconds. */
function day(seconds: bigint): string {
  const date = new Date(Number(seconds) * 1_000);
  return Number.isNaN(date.getTime()) ? `${seconds} s` : date.toISOString().replace(/T.*$/, "");
}

function intervalText(unit: IntervalUnit, parts: Int32Array): string {
  const [first = 0, second = 0, low = 0, high = 0] = parts;
  const pieces: Record<IntervalUnit, [number | bigint, string][]> = {
    [IntervalUnit.YEAR_MONTH]: [[first, "months"]],
    [IntervalUnit.DAY_TIME]: [
      [first, "days"],
      [second, "ms"],
    ],
    [IntervalUnit.MONTH_DAY_NANO]: [
      [first, "months"],
      [second, "days"],
      [(BigInt(high) << 32n) | BigInt(low >>> 0), "ns"],
    ],
  };
  const said = pieces[unit].filter(([count]) => Number(count) !== 0);
  return said.map(([count, name]) => `${count} ${name}`).join(" ") || "0 days";
}

const AS_THEY_ARE = new Set([
  Type.Int,
  Type.Float,
  Type.Decimal,
  Type.Bool,
  Type.List,
  Type.LargeList,
  Type.FixedSizeList,
  Type.Struct,
  Type.Map,
]);

/** A value inside of another one, as JSON writes it; NaN and its like, which JSON does not know, in quotes. */
function inside(type: DataType, text: string | null): string {
  if (text === null) return "null";
  return AS_THEY_ARE.has(typeOf(type).typeId) && !/^-?(NaN|Infinity)$/.test(text) ? text : JSON.stringify(text);
}

/** Lists, maps and structs, as JSON text. */
function nested({ type, children, valueOffsets, stride }: Data, name: string): Text {
  const parts = children.map((child, at) => {
    const own = String(type.children[at]?.name);
    return { key: JSON.stringify(own), type: child.type, text: textsOf(child, own) };
  });
  if (type.typeId === Type.Struct)
    return (row) => `{${parts.map((part) => `${part.key}:${inside(part.type, part.text(row))}`).join(",")}}`;
  const [items] = parts;
  if (!items) throw new Error(`The column “${name}” is a list of nothing.`);
  const end = valueOffsets ? (row: number) => Number(valueOffsets[row]) : (row: number) => row * stride;
  return (row) => {
    const from = end(row);
    const all = Array.from({ length: end(row + 1) - from }, (_, each) => inside(items.type, items.text(from + each)));
    return `[${all.join(",")}]`;
  };
}
