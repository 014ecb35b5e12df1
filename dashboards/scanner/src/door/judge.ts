// The verdict at a door: the twin of `domain::check_in`, in the same words and the same order, so that this device says
// without a network what the server would say. A test asks both the same thousands of questions. Times are microseconds
// since 1970, UTC.

export type Kind = "entry" | "exit";

/** Why a scan is refused, in the order in which the rules are asked. */
export const REASONS = [
  "invalid",
  "annulled",
  "revoked",
  "cancelled",
  "event_closed",
  "blocked",
  "unapproved",
  "invalid_time",
  "ticket_type",
  "unpaid",
  "rules",
  "already_redeemed",
] as const;
export type Reason = (typeof REASONS)[number];

/** What a ticket's order still waits for. */
export type Due = "nothing" | "payment" | "approval";

export interface Scan {
  kind: Kind;
  scanned_at: number;
  gate: string | null;
  force: boolean;
  ignore_unpaid: boolean;
}

export interface Presented {
  ticket: "valid" | "cancelled";
  blocked: boolean;
  due: Due;
  code_is_old: boolean;
  event: "draft" | "published" | "postponed" | "cancelled" | "ended";
  ticket_type_id: string | null;
  valid_from: number | null;
  valid_to: number | null;
}

export interface ListRules {
  reentry: boolean;
  multi_entry: boolean;
  include_pending: boolean;
  ticket_types: string[];
  opens_at: number | null;
  closes_at: number | null;
  min_gap_minutes: number | null;
  once_a_day: boolean;
  timezone: string;
  emptied_at: number | null;
}

/** What a list has seen of a ticket: accepted scans only. It is the same in whatever order the scans become known. */
export interface Seen {
  entries: number;
  last_at: number | null;
  last_kind: Kind | null;
  first_at: number | null;
  first_gate: string | null;
  entered_at: number | null;
}

export interface Question {
  scan: Scan;
  presented: Presented;
  rules: ListRules;
  seen: Seen;
}

export interface Answer {
  accepted: boolean;
  reason: Reason | null;
  forced: boolean;
  seen: Seen;
}

export const NOTHING_SEEN: Seen = {
  entries: 0,
  last_at: null,
  last_kind: null,
  first_at: null,
  first_gate: null,
  entered_at: null,
};

export function answer({ scan, presented, rules, seen }: Question): Answer {
  const reason = judge(scan, presented, rules, seen);
  const accepted = reason === null || scan.force;
  return { accepted, reason, forced: accepted && reason !== null, seen: accepted ? after(seen, scan) : seen };
}

/** Null if the person may pass. */
export function judge(scan: Scan, shown: Presented, rules: ListRules, seen: Seen): Reason | null {
  const at = scan.scanned_at;
  const entry = scan.kind === "entry";
  const inTime = () => within(at, shown.valid_from, shown.valid_to) && within(at, rules.opens_at, rules.closes_at);
  if (shown.code_is_old) return "revoked";
  if (shown.ticket === "cancelled") return "cancelled";
  if (entry && shown.event !== "published" && shown.event !== "ended") return "event_closed";
  if (shown.blocked) return "blocked";
  if (entry && shown.due === "approval") return "unapproved";
  if (entry && !inTime()) return "invalid_time";
  if (!lists(rules, shown.ticket_type_id)) return "ticket_type";
  if (entry && shown.due === "payment" && !(rules.include_pending && scan.ignore_unpaid)) return "unpaid";
  if (entry && !(pace(rules, at, seen) ?? false)) return "rules";
  if (entry && !mayEnter(rules, at, seen)) return "already_redeemed";
  return null;
}

const within = (at: number, from: number | null, to: number | null): boolean =>
  (from === null || from <= at) && (to === null || at < to);

const lists = ({ ticket_types }: ListRules, type: string | null): boolean =>
  ticket_types.length === 0 || (type !== null && ticket_types.includes(type));

/** Whether enough time has passed since the last entry. Null: it can't be told. */
function pace(rules: ListRules, at: number, seen: Seen): boolean | null {
  const day = rules.once_a_day ? dayIn(rules.timezone) : null;
  if (rules.once_a_day && !day) return null;
  const entered = seen.entered_at;
  if (entered === null || (!rules.once_a_day && rules.min_gap_minutes === null)) return true;
  const gap = (rules.min_gap_minutes ?? 0) * 60_000_000;
  if (at < entered || gap < 0) return null;
  return at - entered >= gap && (!day || day(at) !== day(entered));
}

const zones = new Map<string, ((micros: number) => string) | null>();

/** The calendar's day in a time zone, or null for a zone that does not exist. */
function dayIn(timeZone: string): ((micros: number) => string) | null {
  if (!zones.has(timeZone)) zones.set(timeZone, newDayIn(timeZone));
  return zones.get(timeZone) ?? null;
}

function newDayIn(timeZone: string): ((micros: number) => string) | null {
  try {
    const format = new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
    return (micros) => format.format(Math.floor(micros / 1_000));
  } catch {
    return null;
  }
}

function mayEnter(rules: ListRules, at: number, seen: Seen): boolean {
  const emptied = rules.emptied_at !== null && rules.emptied_at < at ? rules.emptied_at : null;
  return rules.multi_entry || seen.entries === 0 || (rules.reentry && !inside(seen, emptied));
}

/** Whether the person is inside, with what is known. Who came in before the list was emptied is not. */
export const inside = (seen: Seen, emptiedAt: number | null): boolean =>
  seen.last_kind === "entry" && seen.last_at !== null && (emptiedAt === null || seen.last_at > emptiedAt);

/** What the list has seen after one more scan that was accepted. */
export function after(seen: Seen, { kind, scanned_at: at, gate }: Scan): Seen {
  const next = { ...seen };
  const later =
    seen.last_at === null || seen.last_kind === null || seen.last_at < at ||
    (seen.last_at === at && (seen.last_kind === "entry" || kind === "exit"));
  if (later) [next.last_at, next.last_kind] = [at, kind];
  if (kind === "entry") {
    next.entries += 1;
    next.entered_at = Math.max(seen.entered_at ?? at, at);
    const earlier =
      seen.first_at === null || at < seen.first_at || (at === seen.first_at && comesBefore(gate, seen.first_gate));
    if (earlier) [next.first_at, next.first_gate] = [at, gate];
  }
  return next;
}

/** By code points, as UTF-8 sorts; what is missing comes first. */
function comesBefore(one: string | null, other: string | null): boolean {
  if (one === null || other === null) return one === null && other !== null;
  const [left, right] = [[...one], [...other]];
  const at = left.findIndex((letter, index) => letter !== right[index]);
  if (at < 0) return left.length < right.length;
  return (left[at]?.codePointAt(0) ?? 0) < (right[at]?.codePointAt(0) ?? -1);
}

/** RFC 3339 to microseconds, none lost. */
export function micros(text: string): number {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "";
  const seconds = Date.parse(text.replace(/\.\d+/, ""));
  return seconds * 1_000 + Number(fraction.slice(0, 6).padEnd(6, "0"));
}

export const rfc3339 = (micros: number): string => new Date(Math.floor(micros / 1_000)).toISOString();
