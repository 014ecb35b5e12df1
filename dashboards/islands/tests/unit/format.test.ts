import { describe, expect, it } from "vitest";
import type { Column } from "../../src/data/panel";
import { brief, change, instant, shortened, shown, span, tick } from "../../src/data/format";

const en = { currency: "EUR", decimals: { EUR: 2, JPY: 0, KWD: 3 }, locale: "en-GB" };
const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, " ");

describe("numbers", () => {
  it("money is in the currency's own unit and the reader's own language", () => {
    expect(shown(125_000, "money", en)).toBe("€1,250.00");
    expect(plain(shown(125_000, "money", { ...en, locale: "de-AT" }))).toBe("€ 1.250,00");
    expect(shown(125_000, "money", { ...en, currency: "JPY" })).toBe("JP¥125,000");
    expect(plain(shown(125_000, "money", { ...en, currency: "KWD" }))).toBe("KWD 125.000");
  });

  it("money of no currency is a number", () => expect(shown(1_250, "money", { ...en, currency: null })).toBe("12.50"));

  it("what is not there is a dash, and nothing is nothing", () => {
    expect(shown(null, "money", en)).toBe("–");
    expect(shown(undefined, "integer", en)).toBe("–");
    expect(shown(0, "integer", en)).toBe("0");
  });

  it("a ratio is a percentage with one digit", () => expect(shown(0.12345, "percent", en)).toBe("12.3%"));

  it("a duration has its two largest units", () => {
    expect(shown(3.25, "duration", en)).toBe("3.3s");
    expect(shown(754, "duration", en)).toBe("12m 34s");
    expect(shown(90_061, "duration", en)).toBe("1d 1h");
  });

  it("beside an axis numbers are short", () => {
    expect(brief(1_250_000, "money", en)).toMatch(/^€1\.3m$/i);
    expect(plain(brief(15_000, "money", { ...en, currency: "PLN" }))).toMatch(/^PLN 15k$/i);
    expect(plain(shown(8_659_000, "money", { ...en, currency: "PLN" }))).toBe("PLN 86,590.00");
    expect(brief(12_500, "integer", en)).toMatch(/^12\.5k$/i);
    expect(brief(0.5, "percent", en)).toBe("50%");
  });
});

describe("times", () => {
  it("a span stands on the clock of the event, whatever the zone of the reader", () => {
    expect(span(instant("2026-05-01T00:00:00"), "day", "en-GB")).toBe("Fri, 1 May 2026");
    expect(shown("2026-05-01T19:30:00", "minute", en)).toBe("1 May, 19:30");
    expect(shown("2026-05-01", "month", en)).toBe("May 2026");
  });

  it("a moment is told on the clocks of the page", () => {
    const told = (zone: string) => shown("2026-11-19T23:30:12Z", "moment", { ...en, zone });
    expect(told("Europe/Berlin")).toBe("20 Nov, 00:30");
    expect(told("America/New_York")).toBe("19 Nov, 18:30");
  });

  it("a tick tells what is new at it", () => {
    const ticks = ["2026-01-01T00:00:00", "2026-02-01T00:00:00", "2026-02-09T00:00:00", "2026-02-09T18:00:00"];
    expect(ticks.map((each) => tick(instant(each), true, "en-GB"))).toEqual(["2026", "Feb", "9 Feb", "18:00"]);
    expect(ticks.map((each) => tick(instant(each), false, "en-GB"))).toEqual(["1 Jan", "1 Feb", "9 Feb", "18:00"]);
  });
});

describe("a change", () => {
  const tickets = (good?: "up" | "down" | "none") => ({ name: "tickets_sold", format: "integer", good, counted: true }) as Column;
  const rate = { name: "repeat_rate", format: "percent", good: "up" } as Column;
  const money = (counted: boolean) => ({ format: "money", good: "up", counted }) as Column;

  it("is good if it went where it should", () => {
    expect(change(125, 90, tickets("up"), "en-GB")).toEqual({ text: "+38.9%", mood: "good" });
    expect(change(125, 90, tickets("down"), "en-GB")).toEqual({ text: "+38.9%", mood: "bad" });
    expect(change(45, 90, tickets("down"), "en-GB")).toEqual({ text: "-50%", mood: "good" });
    expect(change(45, 90, tickets("none"), "en-GB")?.mood).toBe("same");
  });

  it("from nothing can't be told", () => {
    expect(change(1, 0, tickets("up"))).toBeNull();
    expect(change(1, null, tickets("up"))).toBeNull();
  });

  it("to nothing is all of it, but an average of nothing is none", () => {
    expect(change(null, 199, tickets("up"), "en-GB")).toEqual({ text: "-100%", mood: "bad" });
    expect(change(null, 5_000, money(true), "en-GB")?.text).toBe("-100%");
    expect(change(null, -15, tickets("up"))).toBeNull();
    expect(change(null, 2_500, money(false))).toBeNull();
    expect(change(null, 0.2, rate)).toBeNull();
  });

  it("of percentages is in points", () => {
    expect(change(0.054, 0.161, rate, "en-GB")).toEqual({ text: "-10.7 pp", mood: "bad" });
    expect(change(0.03, 0, rate, "en-GB")).toEqual({ text: "+3 pp", mood: "good" });
  });

  it("from below nothing goes up when it rises", () =>
    expect(change(-5, -10, tickets("up"), "en-GB")).toEqual({ text: "+50%", mood: "good" }));
});

it("a name that is cut keeps the day behind it", () => {
  expect(shortened("Chor der Werkstätten, 19 Nov", 20)).toBe("Chor der We…, 19 Nov");
  expect(shortened("Chor der Werkstätten, 19 Nov", 28)).toBe("Chor der Werkstätten, 19 Nov");
  expect(shortened("Die lange Nacht der Synthesizer", 12)).toBe("Die lange N…");
});
