// The languages of the buyer's pages: those that mails are written in. The first that the browser asks for is taken.

import ar from "./words/ar.js";
import de from "./words/de.js";
import en from "./words/en.js";

const known = { en, de, ar };
export const languages = { en: "English", de: "Deutsch", ar: "العربية" };

let words = en;
/** What dates and amounts are written by: the browser's own region, if it speaks the language. */
let locale = "en";

export function speak(language) {
  words = known[language];
  locale = navigator.languages.find((tag) => tag.split("-")[0] === language) ?? language;
  document.documentElement.lang = language;
  document.documentElement.dir = language === "ar" ? "rtl" : "ltr";
}

speak(navigator.languages.map((tag) => tag.split("-")[0].toLowerCase()).find((language) => language in known) ?? "en");

/** A text by its name, with its places filled. A text of many forms is chosen by `count`. */
export function t(name, values = {}, otherwise = name) {
  let text = name.split(".").reduce((found, part) => found?.[part], words);
  if (text === undefined) return otherwise;
  if (typeof text === "object") text = text[new Intl.PluralRules(locale).select(values.count)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, place) => values[place] ?? "");
}

export const number = (value) => new Intl.NumberFormat(locale).format(value);

/** Money from minor units: a yen has none, a euro has a hundred, a dinar a thousand. */
export function money({ amount_minor, currency }) {
  const format = new Intl.NumberFormat(locale, { style: "currency", currency });
  return format.format(amount_minor / 10 ** format.resolvedOptions().maximumFractionDigits);
}

const dated = { weekday: "long", day: "numeric", month: "long", year: "numeric" };
const timed = { hour: "2-digit", minute: "2-digit" };

/** A span of time on the clocks of where the event is. */
export function span({ starts_at, ends_at, timezone }) {
  const format = new Intl.DateTimeFormat(locale, { ...dated, ...timed, timeZone: timezone, timeZoneName: "short" });
  return format.formatRange(new Date(starts_at), new Date(ends_at));
}

export function moment(text, timeZone) {
  return new Intl.DateTimeFormat(locale, { ...dated, ...timed, timeZone, timeZoneName: "short" }).format(new Date(text));
}
