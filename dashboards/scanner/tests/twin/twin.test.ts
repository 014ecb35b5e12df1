import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as box from "../../src/door/box";
import { codeBytes, verifiedClaim } from "../../src/door/code";
import { type Answer, type Question, answer } from "../../src/door/judge";

interface Table {
  questions: { question: Question; answer: Answer }[];
  codes: { text: string; claim: unknown; box: string; label: string | null; opened: unknown }[];
  /** Of the key with number 0. */
  key: string;
}

// The suite `browser` makes the table, and runs this: `cargo test --workspace --test browser`.
const file = process.env.BILTEN_VERDICTS;
if (!file) throw new Error("BILTEN_VERDICTS names no table: run `cargo test --workspace --test browser`");

describe("what the domain says is said here too", () => {
  const { questions, codes, key } = JSON.parse(readFileSync(file, "utf8")) as Table;

  it("of thousands of people at doors", () => {
    expect(questions.length).toBeGreaterThan(5_000);
    for (const { question, answer: said } of questions) expect(answer(question), JSON.stringify(question)).toEqual(said);
  });

  it("of codes, good and spoilt, and of their boxes", () => {
    const keys = [{ keyNumber: 0, bytes: Uint8Array.from(Buffer.from(key, "hex")) }];
    for (const { text, claim, box: sealed, label, opened } of codes) {
      const code = codeBytes(text);
      expect(code && verifiedClaim(code, keys), text).toEqual(claim);
      expect(code && box.label(code), text).toEqual(label);
      expect(code && box.open(code, sealed), text).toEqual(opened);
    }
  });
});
