import { describe, expect, it } from "vitest";
import { languages, preferred } from "../../src/i18n";
import { en } from "../../src/i18n/en";
import { REASONS } from "../../src/door/judge";

const places = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string).sort();

describe.each(Object.entries(languages))("the words in %s", (name, { messages }) => {
  it("are all there, and none is empty", () => {
    expect(Object.keys(messages).sort()).toEqual(Object.keys(en).sort());
    expect(Object.entries(messages).filter(([, text]) => text.trim() === "")).toEqual([]);
  });

  it("leave the same places to fill", () => {
    for (const [key, text] of Object.entries(messages)) expect(places(text), `${name}: ${key}`).toEqual(places(en[key as keyof typeof en]));
  });

  it("have a sentence for every refusal", () => {
    for (const reason of REASONS) expect(messages).toHaveProperty(`reason_${reason}`);
  });
});

it("takes the first language of the browser that there is", () => {
  expect(preferred(["fr-FR", "ar-EG", "de"])).toBe("ar");
  expect(preferred(["de-AT"])).toBe("de");
  expect(preferred(["toString", "fr"])).toBe("en");
});
