// What a link, a report or an alert is about, in words.

import type { AlertRule } from "../dialogs/alert";
import { Refused, json } from "../api";

const FILTER = "filter.";
const EVENT = "event_id";
/** So much of an id tells it from others. */
const SHORT = 8;
/** Longer, and more of them, tell nobody more. */
const LONGEST = 80;
const MOST = 10;

const MOODS: Record<AlertRule["state"], [string, string]> = {
  ok: ["as it should be", "good"],
  firing: ["firing", "bad"],
  new: ["not checked yet", ""],
  too_little_history: ["too little history", ""],
  paused: ["paused", ""],
};

/** An alert that can't be checked is in no state that anybody knows. */
export const moodOf = ({ paused, state, last_error: error }: Pick<AlertRule, "paused" | "state" | "last_error">) =>
  !paused && state !== "paused" && error ? (["failing", "bad"] as [string, string]) : MOODS[state];

export type Filters = { dimension: string; in: (string | null)[] }[];

export function filtersOf(state: string): Filters {
  const query = new URLSearchParams(state);
  const keys = [...new Set(query.keys())].filter((key) => key.startsWith(FILTER));
  return keys.map((key) => ({ dimension: key.slice(FILTER.length), in: query.getAll(key) }));
}

const cut = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);

/** "only event: Late Quartet; only channel: online, none". */
export function only(filters: Filters, titles: Map<string, string>): string {
  const said = filters.map(({ dimension, in: values }) => {
    const isEvent = dimension === EVENT;
    const nameOf = (value: string) => (isEvent ? (titles.get(value) ?? `…${value.slice(-SHORT)}`) : value);
    const named = values.slice(0, MOST).map((value) => (value ? cut(nameOf(value)) : "none"));
    const more = values.length > MOST ? ` and ${values.length - MOST} more` : "";
    return `only ${isEvent ? "event" : dimension.replaceAll("_", " ")}: ${named.join(", ")}${more}`;
  });
  return said.join("; ");
}

/** What is chosen on a page, in words. */
export function chosen(state: string, titles: Map<string, string>): string {
  const rest = [...new URLSearchParams(state)].filter(([key]) => !key.startsWith(FILTER));
  const said = rest.map(([key, value]) => `${key === "to" ? "before" : key}: ${cut(value) || "none"}`);
  return [only(filtersOf(state), titles), ...said].filter(Boolean).join("; ");
}

const known = new Map<string, Promise<string | null>>();

/** What the events are called that are filtered by. One that can't be had keeps its id. */
export async function titlesOf(filters: Filters): Promise<Map<string, string>> {
  const ids = filters.flatMap(({ dimension, in: values }) => (dimension === EVENT ? values : []));
  const found = await Promise.all([...new Set(ids)].map(async (id) => [id, id ? await titleOf(id) : null] as const));
  return new Map(found.filter((each): each is [string, string] => each[0] !== null && each[1] !== null));
}

function titleOf(id: string): Promise<string | null> {
  const asked =
    known.get(id) ??
    json<{ title?: string }>("GET", `/v1/events/${encodeURIComponent(id)}`).then(
      ({ title }) => title ?? null,
      (error: unknown) => {
        if (error instanceof Refused) return null;
        throw error;
      },
    );
  known.set(id, asked);
  return asked;
}
