// A list on the device, put together from the server's pages.

import { base64url } from "./bytes";
import { micros } from "./judge";
import type { Download } from "./server";
import type { DownloadView, SeenView } from "./views";

/** What the page adds to what is known. Parts in which nothing is new stay the same objects. */
export function withPage(known: Download | null, page: DownloadView): Download {
  const { list, event, ticket_types, revocations } = page;
  const time = (text: string | null) => (text === null ? null : micros(text));
  return {
    listId: list.check_in_list_id,
    name: list.name,
    event: event.title,
    timezone: event.timezone,
    eventStatus: event.status,
    rules: {
      reentry: list.reentry,
      multi_entry: list.multi_entry,
      include_pending: list.include_pending,
      ticket_types: list.ticket_types.map(({ ticket_type_id }) => ticket_type_id),
      opens_at: time(list.opens_at),
      closes_at: time(list.closes_at),
      min_gap_minutes: list.min_gap_minutes,
      once_a_day: list.once_a_day,
      timezone: event.timezone,
      emptied_at: time(list.emptied_at),
    },
    types: Object.fromEntries(
      ticket_types.map(({ ticket_type_id, name, valid_from, valid_to }) => [
        ticket_type_id,
        { name, validFrom: time(valid_from), validTo: time(valid_to) },
      ]),
    ),
    keys: page.keys.flatMap(({ number, public_key }) => {
      const bytes = base64url(public_key);
      return bytes ? [{ keyNumber: number, bytes }] : [];
    }),
    // All of them, but not on every page.
    revocations: revocations
      ? Object.fromEntries(
          revocations.map(({ ticket_id, code_version, cancelled, blocked, due }) => [
            ticket_id,
            { codeVersion: code_version, cancelled, blocked, due },
          ]),
        )
      : (known?.revocations ?? {}),
    boxes: merged(known?.boxes, page.attendees),
    seen: merged(known?.seen, page.seen.map((view) => [view.ticket_id, seen(view)])),
    cursor: page.cursor,
  };
}

function merged<T>(known: Record<string, T> | undefined, news: [string, T][]): Record<string, T> {
  return known && news.length === 0 ? known : { ...known, ...Object.fromEntries(news) };
}

function seen(view: SeenView): Download["seen"][string] {
  const time = (text: string | null) => (text === null ? null : micros(text));
  return {
    entries: view.entries,
    last_at: time(view.last_at),
    last_kind: view.last_kind,
    first_at: time(view.first_at),
    first_gate: view.first_gate,
    entered_at: time(view.entered_at),
  };
}
