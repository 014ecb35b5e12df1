// The state of a page is its query string: what it says is all that a link needs.

import type { Drill, Row } from "./panel";

const FILTER = "filter.";
/** What a form says for "all of them", and for days that it names itself. */
const ALL = "*";
const CUSTOM = "custom";
const KEPT = new Set(["range", "from", "to", "compare", "organizer_id", "embed"]);

export type State = URLSearchParams;

/** Only what a page knows, in one order: two links to the same view are the same text. */
export function tidyState(query: Iterable<[string, string]>): State {
  const pairs = [...query].filter(([key]) => KEPT.has(key) || key.startsWith(FILTER));
  const says = (key: string, value: string) => (key.startsWith(FILTER) ? value !== ALL : value !== "" && !(key === "range" && value === CUSTOM));
  const kept = pairs.filter(([key, value]) => says(key, value));
  const dated = kept.some(([key]) => key === "from" || key === "to");
  const told = kept.filter(([key]) => !(dated && key === "range"));
  const seen = new Set<string>();
  const fresh = told.filter(([key, value]) => !seen.has(`${key}=${value}`) && seen.add(`${key}=${value}`));
  return new URLSearchParams(fresh.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0)));
}

export const isFiltered = (state: State, dimension: string): boolean => state.has(FILTER + dimension);

export function withoutFilter(state: State, dimension: string, value: string): State {
  const key = FILTER + dimension;
  return tidyState([...state].filter(([name, each]) => name !== key || each !== value));
}

export function withFilter(state: State, dimension: string, values: string[]): State {
  const key = FILTER + dimension;
  return tidyState([...[...state].filter(([name]) => name !== key), ...values.map((value): [string, string] => [key, value])]);
}

/** Where a click on a row leads. Nowhere, if the row does not say what to filter by. */
export function drilled(drill: Drill | null, row: Row, page: string, state: State): string | null {
  if (!drill) return null;
  const value = row[drill.by];
  if (value === undefined) return null;
  const values = [value === null ? "" : String(value)];
  if (!drill.page || drill.page === page) return `/dashboards/${page}?${withFilter(state, drill.by, values)}`;
  // Another page has days of its own. Whose rows they are stays the same.
  const whose = state.get("organizer_id");
  return `/dashboards/${drill.page}?${withFilter(new URLSearchParams(whose ? { organizer_id: whose } : {}), drill.by, values)}`;
}

/** What a share link, a report and a saved view keep of a state: whose it is, is said elsewhere. */
export const shareable = (state: State): string =>
  tidyState([...state].filter(([key]) => key !== "organizer_id" && key !== "embed")).toString();
