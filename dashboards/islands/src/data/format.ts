// Numbers and times as the reader's own language writes them.

import type { Column, Format, Grain, PanelData, Row, Value } from "./panel";
import { currencyOf } from "./panel";

/** What a value needs to know of the row that it stands in. */
export interface Context {
  currency: string | null;
  decimals: Record<string, number>;
  /** On whose clocks moments are told; the browser's without it. */
  zone?: string | undefined;
  /** The reader's language; that of the browser without it. */
  locale?: string | undefined;
}

export const contextOf = (row: Row, { decimals, zone }: Pick<PanelData, "decimals" | "zone">): Context => ({
  currency: currencyOf(row),
  decimals,
  zone,
});

export const NOTHING = "–";

const made = new Map<string, Intl.NumberFormat>();

function numbers(locale: string | undefined, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${locale} ${JSON.stringify(options)}`;
  const known = made.get(key) ?? new Intl.NumberFormat(locale, options);
  made.set(key, known);
  return known;
}

const digits = ({ currency, decimals }: Context): number => (currency === null ? 2 : (decimals[currency] ?? 2));

/** How many digits a currency has after its point, where no server says so. */
export function placesOf(currency: string): number {
  try {
    return numbers("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    return 2;
  }
}

/** An amount in the currency's main unit. */
export const major = (minor: number, context: Context): number => minor / 10 ** digits(context);

function money(value: number, context: Context, short: boolean): string {
  const places = short ? {} : { minimumFractionDigits: digits(context), maximumFractionDigits: digits(context) };
  const compact: Intl.NumberFormatOptions = short
    ? { notation: "compact", minimumFractionDigits: 0, maximumFractionDigits: 1 }
    : {};
  const options = { ...places, ...compact };
  if (context.currency === null) return numbers(context.locale, options).format(value);
  try {
    const how = {
      style: "currency",
      currency: context.currency,
      // On axes as in figures: a narrow sign would be another one, and of several currencies at once.
      currencyDisplay: "symbol",
      ...options,
    } as const;
    return numbers(context.locale, how).format(value);
  } catch {
    return `${numbers(context.locale, options).format(value)} ${context.currency}`;
  }
}

function duration(seconds: number, locale: string | undefined): string {
  const whole = Math.round(Math.abs(seconds));
  const sign = seconds < 0 ? "−" : "";
  const unit = (value: number, name: string) =>
    numbers(locale, { style: "unit", unit: name, unitDisplay: "narrow" }).format(value);
  if (whole < 60) return sign + unit(Math.abs(seconds) < 10 ? Math.round(Math.abs(seconds) * 10) / 10 : whole, "second");
  const parts = [
    ["day", Math.floor(whole / 86_400)],
    ["hour", Math.floor(whole / 3_600) % 24],
    ["minute", Math.floor(whole / 60) % 60],
    ["second", whole % 60],
  ] as const;
  const first = parts.findIndex(([, value]) => value > 0);
  return (
    sign +
    parts
      .slice(first, first + 2)
      .filter(([, value]) => value > 0)
      .map(([name, value]) => unit(value, name))
      .join(" ")
  );
}

/** A time in an answer. It is UTC, or on the clock of where the event is, and says neither: both are read alike. */
export const instant = (text: string): number =>
  Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(text) ? text : text.length === 10 ? `${text}T00:00:00Z` : `${text}Z`);

const OF_GRAIN: Record<Grain, Intl.DateTimeFormatOptions> = {
  minute: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  hour: { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  day: { weekday: "short", day: "numeric", month: "short", year: "numeric" },
  week: { day: "numeric", month: "short", year: "numeric" },
  month: { month: "long", year: "numeric" },
};

const times = new Map<string, Intl.DateTimeFormat>();

function dates(locale: string | undefined, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale} ${JSON.stringify(options)}`;
  const known = times.get(key) ?? new Intl.DateTimeFormat(locale, options);
  times.set(key, known);
  return known;
}

/** The start of a span on the event's own clock, which is why no zone moves it. */
export const span = (at: number, grain: Grain, locale?: string): string =>
  dates(locale, { ...OF_GRAIN[grain], timeZone: "UTC" }).format(at);

const moment = (at: number, { locale, zone: timeZone }: Context): string =>
  dates(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone }).format(at);

const isGrain = (format: Format): format is Grain => format in OF_GRAIN;

/** A value in full. */
export function shown(value: Value | undefined, format: Format, context: Context): string {
  if (value === null || value === undefined || value === "") return NOTHING;
  if (typeof value === "string" && (isGrain(format) || format === "moment")) {
    const at = instant(value);
    if (Number.isNaN(at)) return value;
    return format === "moment" ? moment(at, context) : span(at, format, context.locale);
  }
  if (typeof value !== "number") return String(value);
  return quantity(format === "money" ? major(value, context) : value, format, context);
}

/** A number of this format; an amount in the main unit. */
export function quantity(value: number, format: Format, context: Context): string {
  switch (format) {
    case "money":
      return money(value, context, false);
    case "percent":
      return numbers(context.locale, { style: "percent", maximumFractionDigits: 1 }).format(value);
    case "duration":
      return duration(value, context.locale);
    case "decimal":
      return numbers(context.locale, { maximumFractionDigits: 2 }).format(value);
    case "integer":
      return numbers(context.locale, { maximumFractionDigits: 0 }).format(value);
    default:
      return String(value);
  }
}

/** The same where there is little room, as beside an axis. */
export function brief(value: number, format: Format, context: Context): string {
  if (format === "money") return money(value, context, true);
  if (format === "integer" || format === "decimal") {
    return numbers(context.locale, { notation: "compact", maximumFractionDigits: 1 }).format(value);
  }
  return quantity(value, format, context);
}

/** A name in so many letters. What stands behind its last comma stays: the day tells events of one title apart. */
export function shortened(name: string, letters: number): string {
  if (name.length <= letters) return name;
  const tail = /, [^,]{1,14}$/.exec(name)?.[0] ?? "";
  return `${name.slice(0, Math.max(1, Math.floor(letters) - tail.length - 1)).trimEnd()}…${tail}`;
}

/** A tick of a time axis tells what is new at it: a day or a time of day; on an axis of months, a year or a month. */
export function tick(at: number, inMonths: boolean, locale?: string): string {
  const date = new Date(at);
  const [clock, first] = [at % 86_400_000 !== 0, inMonths && date.getUTCDate() === 1];
  const options: Intl.DateTimeFormatOptions = clock
    ? { hour: "2-digit", minute: "2-digit" }
    : !first
      ? { day: "numeric", month: "short" }
      : date.getUTCMonth() > 0
        ? { month: "short" }
        : { year: "numeric" };
  return dates(locale, { ...options, timeZone: "UTC" }).format(at);
}

export interface Change {
  text: string;
  mood: "good" | "bad" | "same";
}

type Judged = Pick<Column, "format" | "good" | "counted">;

/**
 * How far a value is from what it was, as a part of that; of percentages, in points. Nothing, if it can't be said.
 */
export function change(value: number | null, before: number | null, column: Judged, locale?: string): Change | null {
  if (before === null) return null;
  const now = value ?? (column.counted && before > 0 ? 0 : null);
  if (now === null) return null;
  const text = column.format === "percent" ? points(now - before, locale) : before === 0 ? null : part(now, before, locale);
  if (text === null) return null;
  const { good } = column;
  if (good === "none" || good === undefined || now === before) return { text, mood: "same" };
  return { text, mood: now > before === (good === "up") ? "good" : "bad" };
}

function part(now: number, before: number, locale: string | undefined): string {
  const moved = (now - before) / Math.abs(before);
  const maximumFractionDigits = Math.abs(moved) < 10 ? 1 : 0;
  return numbers(locale, { style: "percent", maximumFractionDigits, signDisplay: "exceptZero" }).format(moved);
}

const points = (moved: number, locale: string | undefined): string =>
  `${numbers(locale, { maximumFractionDigits: 1, signDisplay: "exceptZero" }).format(moved * 100)} pp`;
