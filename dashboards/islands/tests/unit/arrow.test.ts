import { gunzipSync } from "node:zlib";
import { Table, tableFromArrays, tableToIPC } from "apache-arrow";
import { describe, expect, it } from "vitest";
import { type Limits, readArrow } from "../../src/arrow/read";
import { bytesOf } from "../../src/arrow/write";
import { columnsOf, linesOf } from "../../src/sql/run";

/** What the server answered to two rows with a column of nearly every type, zipped. */
const ANSWER = gunzipSync(
  Buffer.from(
    `
  H4sIAAAAAAACA+0XPW/TQPT5I6lpA0QQlQhlMAgQA0MHJBhQsUQnpg6FEXAbq41wkypxv1AFGRn4AVR06A9gRKhsFkioAwM/oANDxw6MXah5d75Lc0+JouaC
  IqQ869m+9/1xvrwkSZLctwHywGAccojnwMa7oBk2OHgB2OKe0nctgDlEF/HIBPiIuIU4g1hEPDAAdhBXEGcQi4h7qHdX2Ij/JEkBnznu15hI/QM8RjqAyWUa
  K36V0Y6QVjqVPV8GJgEwhchiOkR+/kSxl8kJe4B0dA3zzDe+Mz/FVMZk8gXU9VJJQ958xAxitFSpLuIzRL3iqe2cJ+SY7xfIe9fBbkjssnwqUbAs38NKI2Lv
  e0odoCjj3kObLIbGUq3OBH+r+bXkfiGd2VurBOvcQNK5Dk6Syq3X6qx84CVKTcdvSDm+A9JeO5xiArYYnsw94jX3MZgt1cd4Uehmk7R3EtgeCmsLfvg8qiwH
  AJ9UPUf2fJrrAfdT9jfhQJXLyhx+IJ3JbAYN3IMFxAtwkVfTAVl/oWNI2za/AMYQq7W0o3eStF+FVMRi71/bYud1X/bDkO/1SW6b+ikJ3TT3LHKyeAFIGyzO
  WrkM75VcYEz4hJ+iH7fkfggaDUbfV/oCY6W2vjiiL8zDpIhzpV5ZCHichY5xuqm6WRI2bJjgNtr3Jot1vrII/UDSdn7k4Cr6vMKjZPGzPeVlFHHLxp6VUDon
  TpMLIs4yRnJbBiTAJGsJlzvQB7U2Bmyv37U14HhA7LVu4IinR+hyLb+nJuE3CT8m/JjY7xZoyz/hy7UkNwlfrm3pj/BjYr/teFLWLf+E7xF+01TjiYm8XOdJ
  I69Jexaxb5H6Er5cS/+xRcooEpdnsGcT+13WrXwIv0n4sa3uR8iQ+mVIvmeENA8X+oUq6EHuJFGgPyvHbzRC2N3e/vIQtOrXPzyb1dOPLz398H0227+B6Tk9
  fc0a+Jr1Y9+170ZB3/5RdyNyw1p1Mai70ZJfdaP1IFwL3DCIoqDe6KHPPs+Xq/VXOjlYQ9Jt7505pP2vm8PG9U3t/E0NfXZmHVvd5684qzd/wZDnr3/9hB50
  GKCfm//R/EXnLYPMUwbZJDaZlwwyLzlkPjLIx+eQecjoMf9Aj3ko32P+yZN5xyDzjtNj3qFrqe+RdTND4id88afxNH/yUyjXLXtZNX7d829fU39qVU9/ZxXe
  Pji891rPiu3BCEYwgjMDO46/fR7VYQTDAfmf+y+GikCTiBgAAA==
`,
    "base64",
  ),
);

/** In pieces of a size that ends where no message does. */
const streamed = (bytes: Uint8Array, piece = 97, cancelled: () => unknown = () => {}): ReadableStream<Uint8Array> => {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(new Uint8Array(bytes.subarray(at, (at += piece))));
    },
    cancel: () => void cancelled(),
  });
};

const ROOM = { rows: 1_000, bytes: 1 << 20 };
const read = async (bytes: Uint8Array, limits = ROOM) => {
  const found = await readArrow(streamed(bytes), limits);
  return { ...found, fields: found.schema.fields, texts: linesOf(found) };
};

describe("an Arrow stream", () => {
  it("is read digit by digit", async () => {
    const { fields, texts } = await read(ANSWER);
    const [first, second] = texts.map((row) => Object.fromEntries(fields.map(({ name }, index) => [name, row[index]])));
    expect(first).toEqual({
      big: "9007199254740993",
      price: "1.10",
      less: "-0.0500",
      odd: "NaN",
      small: "0.10000000149011612",
      nothing: null,
      yes: "true",
      day: "2026-05-01",
      local_time: "2026-05-01T19:30:00.12",
      at: "2026-05-01T19:30:00Z",
      word: "a",
      view: "a text longer than twelve letters",
      short: "kurz",
      list: "[1,2,null]",
      thing: '{"a":1,"b":"x\\"y"}',
      span: "1 months 2 days",
    });
    expect(second).toMatchObject({ big: "1", price: "2.00", odd: "1e+300", small: "2.5", yes: null, view: null, list: null });
  });

  it("has columns that are what their types say", async () => {
    const { fields, texts } = await read(ANSWER);
    const found = columnsOf(fields, texts).map(({ name, role, format }) => `${name} ${role} ${format}`);
    expect(found.slice(0, 2)).toEqual(["big metric integer", "price metric decimal"]);
    expect(found).toContain("day time day");
    expect(found).toContain("view dimension text");
  });

  it("is cut at a limit, and the rest is not asked for", async () => {
    const rows = await read(ANSWER, { ...ROOM, rows: 1 });
    expect([rows.rows, rows.cut]).toEqual([1, true]);
    expect((await read(ANSWER, { ...ROOM, rows: 2 })).cut).toBe(false);
    const long = tableToIPC(new Table(Array.from({ length: 50 }, () => tableFromArrays({ number: new Int32Array(100) }).batches[0]!)));
    let left = 0;
    const counted = (limits: Limits) => readArrow(streamed(long, 97, () => (left += 1)), limits);
    const [few, small] = [await counted({ ...ROOM, rows: 200 }), await counted({ ...ROOM, bytes: 2_000 })];
    expect([few.rows, few.cut, small.rows, small.cut, left]).toEqual([200, true, 300, true, 2]);
    await expect(read(ANSWER, { ...ROOM, bytes: 10 })).rejects.toThrow("fewer columns");
  });

  it("is, as far as it was read, a stream again", async () => {
    const again = await read(new Uint8Array(bytesOf(await read(ANSWER, { ...ROOM, rows: 1 }))));
    expect([again.rows, again.cut, again.texts[0]?.[0]]).toEqual([1, false, "9007199254740993"]);
    const whole = await read(ANSWER);
    expect((await read(new Uint8Array(bytesOf(whole)))).texts).toEqual(whole.texts);
  });

  it("that breaks off is an error, and no short answer", async () => {
    await expect(read(ANSWER.subarray(0, ANSWER.length - 8))).rejects.toThrow("broke off");
    await expect(read(new Uint8Array())).rejects.toThrow("broke off");
    await expect(read(Buffer.from("<html>no stream</html>"))).rejects.toThrow("no Arrow stream");
  });

  it("two columns of one name are two", async () => {
    const { fields } = await read(ANSWER);
    const big = fields[0]!;
    expect(columnsOf([big, big], []).map(({ name, label }) => [name, label])).toEqual([
      ["big", "big"],
      ["big (2)", "big"],
    ]);
  });

  it("is renamed without touching its rows, and no two columns get one name", async () => {
    const labels = new Map([
      ["big", "Größe"],
      ["price", "Price, before"],
      ["less", "Größe"],
      ["odd", "small"],
    ]);
    const { fields, texts } = await read(new Uint8Array(bytesOf(await read(ANSWER), labels)));
    expect(fields.slice(0, 5).map(({ name }) => name)).toEqual(["Größe", "Price, before", "less", "odd", "small"]);
    expect(texts).toEqual((await read(ANSWER)).texts);
  });
});
