import {
  Binary,
  CompressionType,
  type Data,
  DateDay,
  DateMillisecond,
  type DataType,
  Decimal,
  Dictionary,
  DurationMicrosecond,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float16,
  Float32,
  Float64,
  Int32,
  Int64,
  IntervalDayTime,
  IntervalMonthDayNano,
  IntervalYearMonth,
  LargeUtf8,
  List,
  Map_,
  Null,
  RecordBatch,
  Schema,
  SparseUnion,
  Struct,
  Table,
  TimeMicrosecond,
  TimestampMicrosecond,
  TimestampNanosecond,
  Uint64,
  Utf8,
  Utf8View,
  Vector,
  compressionRegistry,
  makeData,
  tableFromArrays,
  tableToIPC,
  vectorFromArray,
} from "apache-arrow";
import { describe, expect, it } from "vitest";
import { readArrow } from "../../src/arrow/read";
import { bytesOf } from "../../src/arrow/write";
import { columnsOf, linesOf } from "../../src/sql/run";

const named = (name: string, type: DataType) => new Field(name, type, true);

/** Batches with one column, as a server would send them. */
function sent(...parts: Data[]): Uint8Array {
  const schema = new Schema([named("it", parts[0]!.type)]);
  const batches = parts.map(
    (part) => new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: part.length, nullCount: 0, children: [part] })),
  );
  return tableToIPC(new Table(schema, batches));
}

const bodyOf = (bytes: BlobPart): ReadableStream<Uint8Array> => new Blob([bytes]).stream() as ReadableStream<Uint8Array>;

/** The texts of these values, which a pivot's bytes must have as well. */
async function shown(...parts: Data[]): Promise<(string | null | undefined)[]> {
  const came = await readArrow(bodyOf(sent(...parts) as BlobPart));
  const again = await readArrow(bodyOf(bytesOf(came)));
  expect(linesOf(again)).toEqual(linesOf(came));
  return linesOf(came).map(([text]) => text);
}

/** What is stored, bit by bit, which builders of vectors would round. */
const stored = (type: DataType, data: ArrayLike<number> | ArrayLike<bigint>): Data => makeData({ type, data } as never);
const vector = (values: unknown[], type: DataType): Data => vectorFromArray(values as never, type).data[0] as Data;

describe("a value is shown", () => {
  it("whole numbers with every digit", async () => {
    expect(await shown(stored(new Int64(), BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n)))).toEqual([
      "-9223372036854775808",
      "9007199254740993",
    ]);
    expect(await shown(stored(new Uint64(), BigUint64Array.of(2n ** 64n - 1n)))).toEqual(["18446744073709551615"]);
  });

  it("decimals with their scale", async () => {
    const parts = (value: bigint, bits: number) =>
      Array.from({ length: bits / 32 }, (_, at) => Number(BigInt.asUintN(32, BigInt.asUintN(bits, value) >> BigInt(32 * at))));
    const decimals = (scale: number, bits: number, ...values: bigint[]) =>
      shown(stored(new Decimal(scale, bits === 128 ? 38 : 76, bits), Uint32Array.from(values.flatMap((value) => parts(value, bits)))));
    expect(await decimals(2, 128, 110n, -5n, 0n, 10n ** 37n)).toEqual(["1.10", "-0.05", "0.00", `1${"0".repeat(35)}.00`]);
    expect(await decimals(0, 128, -7n)).toEqual(["-7"]);
    expect(await decimals(-2, 128, 7n)).toEqual(["700"]);
    expect(await decimals(1, 256, 12345n, -(10n ** 70n))).toEqual(["1234.5", `-1${"0".repeat(69)}.0`]);
  });

  it("floats with the digits that they have, and what is no number by its name", async () => {
    const odd = Float64Array.of(0.1, NaN, Infinity, -Infinity);
    expect(await shown(stored(new Float64(), odd))).toEqual(["0.1", "NaN", "Infinity", "-Infinity"]);
    expect(await shown(stored(new Float32(), Float32Array.of(0.1, NaN, 16777216)))).toEqual(["0.1", "NaN", "16777216"]);
    expect(await shown(stored(new Float16(), Uint16Array.of(0x3c00, 0x7c00, 0xfc00, 0x7e00, 1)))).toEqual([
      "1",
      "Infinity",
      "-Infinity",
      "NaN",
      "5.960464477539063e-8",
    ]);
  });

  it("moments to the microsecond, with their zone or without", async () => {
    const at = BigInt64Array.of(1_777_663_800_120_001n, 0n, -1n);
    expect(await shown(stored(new TimestampMicrosecond("UTC"), at))).toEqual([
      "2026-05-01T19:30:00.120001Z",
      "1970-01-01T00:00:00Z",
      "1969-12-31T23:59:59.999999Z",
    ]);
    expect((await shown(stored(new TimestampMicrosecond(), at)))[0]).toBe("2026-05-01T19:30:00.120001");
    expect(await shown(stored(new TimestampNanosecond(), BigInt64Array.of(1n)))).toEqual(["1970-01-01T00:00:00.000000001"]);
    expect(await shown(stored(new TimeMicrosecond(), BigInt64Array.of(70_200_000_500n)))).toEqual(["19:30:00.0005"]);
  });

  it("days, also those that JavaScript does not know", async () => {
    expect(await shown(stored(new DateDay(), Int32Array.of(20_574, -1, 2 ** 31 - 1)))).toEqual([
      "2026-05-01",
      "1969-12-31",
      "185542587100800 s",
    ]);
    expect(await shown(stored(new DateMillisecond(), BigInt64Array.of(86_400_000n, 2n ** 63n - 1n)))).toEqual([
      "1970-01-02",
      "9223372036854775 s",
    ]);
  });

  it("spans of time", async () => {
    expect(await shown(stored(new DurationMicrosecond(), BigInt64Array.of(-1_500_000n, 0n)))).toEqual(["-1.5 s", "0 s"]);
    expect(await shown(stored(new IntervalYearMonth(), Int32Array.of(14, 0)))).toEqual(["14 months", "0 days"]);
    expect(await shown(stored(new IntervalDayTime(), Int32Array.of(2, 500, 0, -1)))).toEqual(["2 days 500 ms", "-1 ms"]);
    expect(await shown(stored(new IntervalMonthDayNano(), Int32Array.of(1, 2, 0, 0, 0, 0, -1, -1, 0, 0, 0, 1)))).toEqual([
      "1 months 2 days",
      "-1 ns",
      "4294967296 ns",
    ]);
  });

  it("texts of every length, and bytes in hex", async () => {
    const texts = ["", "kurz", "länger als zwölf Buchstaben", null];
    for (const type of [new Utf8(), new LargeUtf8(), new Utf8View()]) expect(await shown(vector(texts, type))).toEqual(texts);
    expect(await shown(vector([Uint8Array.of(0, 255), null], new Binary()))).toEqual(["00ff", null]);
    expect(await shown(stored(new FixedSizeBinary(2), Uint8Array.of(1, 2, 3, 4)))).toEqual(["0102", "0304"]);
    expect(await shown(makeData({ type: new Null(), length: 2 }))).toEqual([null, null]);
  });

  it("lists, structs and maps as JSON", async () => {
    expect(await shown(vector([[1, null], [], null], new List(named("item", new Int32()))))).toEqual(["[1,null]", "[]", null]);
    expect(await shown(vector([[NaN, 1.5]], new FixedSizeList(2, named("item", new Float64()))))).toEqual(['["NaN",1.5]']);
    const thing = new Struct([named("a", new Int64()), named('"b"', new Utf8())]);
    expect(await shown(vector([{ a: 2n ** 60n, '"b"': 'x"y' }, { a: null, '"b"': null }], thing))).toEqual([
      '{"a":1152921504606846976,"\\"b\\"":"x\\"y"}',
      '{"a":null,"\\"b\\"":null}',
    ]);
    const entries = new Struct<{ key: Utf8; value: Int32 }>([new Field("key", new Utf8(), false), new Field("value", new Int32(), true)]);
    expect(await shown(vector([new Map([["a", 1]])], new Map_(new Field("entries", entries, false))))).toEqual(['[{"key":"a","value":1}]']);
  });

  it("values of dictionaries, of each batch by its own", async () => {
    const type = new Dictionary(new Utf8(), new Int32(), 7);
    const part = (words: (string | null)[], ...places: number[]) =>
      makeData({ type, data: Int32Array.from(places), dictionary: new Vector([vector(words, new Utf8())]) } as never);
    expect(await shown(part(["a", null], 0, 1, 0), part(["b", "c"], 1, 0) as Data)).toEqual(["a", null, "a", "c", "b"]);
    const longer = new Dictionary(new Utf8(), new Int32(), 7);
    const chunks = new Vector([vector(["a", "b"], new Utf8()), vector(["c"], new Utf8())]);
    expect(await shown(makeData({ type: longer, data: Int32Array.of(2, 0), dictionary: chunks } as never))).toEqual(["c", "a"]);
  });
});

describe("an answer", () => {
  it("whose numbers stand in a dictionary has numbers", async () => {
    const type = new Dictionary(new Int64(), new Int32(), 1);
    const [column] = columnsOf([named("it", type)], [["1"], ["2"]]);
    expect([column?.role, column?.format]).toEqual(["metric", "integer"]);
  });

  it("without a row has its columns, and may be a stream again", async () => {
    const came = await readArrow(bodyOf(tableToIPC(new Table(new Schema([named("it", new Utf8())]))) as BlobPart));
    const again = await readArrow(bodyOf(bytesOf(came, new Map([["it", "It"]]))));
    expect([came.rows, came.cut, again.schema.fields.map(({ name }) => name)]).toEqual([0, false, ["It"]]);
  });

  it("with a column that can't be shown says which", async () => {
    const type = new SparseUnion([0], [named("a", new Int32())]);
    const children = [stored(new Int32(), Int32Array.of(1))];
    const union = makeData({ type, length: 1, nullCount: 0, typeIds: Int8Array.of(0), children } as never);
    const came = await readArrow(bodyOf(sent(union as Data) as BlobPart));
    expect(() => linesOf(came)).toThrow("“it” is of a kind");
    // A kind that Arrow has and the library has not: in place of a view's number stands the one of run-end encoding.
    const [view, runs] = [24, 22];
    const strange = sent(vector(["a"], new Utf8View()));
    strange[strange.indexOf(view, 80)] = runs;
    await expect(readArrow(bodyOf(strange as BlobPart))).rejects.toThrow("Cast it to text");
  });

  it("that is given up fails as the page gave it up", async () => {
    const gone = new DOMException("Enough.", "AbortError");
    const whole = sent(stored(new Int32(), new Int32Array(1_000)));
    let asked = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => (asked++ ? controller.error(gone) : controller.enqueue(new Uint8Array(whole.subarray(0, 2_000)))),
    });
    await expect(readArrow(body)).rejects.toBe(gone);
  });

  it("that is compressed is no riddle", async () => {
    const magic = [40, 181, 47, 253];
    compressionRegistry.set(CompressionType.ZSTD, { encode: (bytes) => Uint8Array.from([...magic, ...bytes]) });
    const table = tableFromArrays({ number: new Int32Array(100) });
    const bytes = tableToIPC(table, "stream", CompressionType.ZSTD) as BlobPart;
    await expect(readArrow(bodyOf(bytes))).rejects.toThrow("compressed in a way");
  });
});
