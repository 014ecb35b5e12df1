// Words in the reader's language: the one chosen on this device, else the browser's, else English.

import { ar } from "./ar";
import { de } from "./de";
import { type Messages, en } from "./en";

export const languages = {
  en: { name: "English", messages: en, direction: "ltr" },
  de: { name: "Deutsch", messages: de, direction: "ltr" },
  ar: { name: "العربية", messages: ar, direction: "rtl" },
} as const satisfies Record<string, { name: string; messages: Messages; direction: "ltr" | "rtl" }>;

export type Language = keyof typeof languages;
export type Key = keyof Messages;

let current: Language = "en";

export const isLanguage = (name: unknown): name is Language => typeof name === "string" && Object.hasOwn(languages, name);

export function preferred(wanted: readonly string[]): Language {
  return wanted.map((tag) => tag.split("-")[0]).find(isLanguage) ?? "en";
}

export function useLanguage(language: Language): void {
  current = language;
  document.documentElement.lang = language;
  document.documentElement.dir = languages[language].direction;
}

export const language = (): Language => current;

/** The message with its `{places}` filled. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return languages[current].messages[key].replace(/\{(\w+)\}/g, (place, name: string) => {
    const value = values[name];
    if (value === undefined) return place;
    return typeof value === "number" ? number(value) : value;
  });
}

/** With the reader's own habits, such as the day of 24 hours, if the browser tells them. */
const locale = (): string => globalThis.navigator?.languages?.find((tag) => tag.split("-")[0] === current) ?? current;

export const number = (value: number): string => new Intl.NumberFormat(locale()).format(value);

/** The hour, and the day too if it is another one. */
export function moment(at: Date, timezone?: string): string {
  const day = new Intl.DateTimeFormat("en", { dateStyle: "short", timeZone: timezone });
  const today = day.format(at) === day.format(new Date());
  const date: Intl.DateTimeFormatOptions = today ? {} : { day: "numeric", month: "short" };
  return new Intl.DateTimeFormat(locale(), { ...date, hour: "2-digit", minute: "2-digit", timeZone: timezone }).format(at);
}

export function day(at: Date, timezone?: string): string {
  const format: Intl.DateTimeFormatOptions = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(locale(), { ...format, timeZone: timezone }).format(at);
}
