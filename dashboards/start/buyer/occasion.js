// What tickets are for: the same on each page of a buyer.

import { element } from "../show.js";
import { span, t } from "./words.js";

const place = (venue) => [venue.name, venue.address, venue.city].filter(Boolean).join(", ");

/** The event in two or three lines. On paper each ticket has them once more. */
export function lines({ event, venue }) {
  const time = element("time", { datetime: event.starts_at }, span(event));
  return [element("p", { class: "when" }, time), venue && element("p", { class: "muted" }, place(venue))].filter(Boolean);
}

export function occasion(found) {
  const { event } = found;
  const news = { cancelled: "eventCancelled", postponed: "eventPostponed" }[event.status];
  // The event speaks its own language, whatever the page speaks.
  const title = element("h1", {}, element("bdi", event.language ? { lang: event.language } : {}, event.title));
  return element("section", { class: "occasion" }, title, ...lines(found), ...(news ? [element("p", { class: "news" }, t(news))] : []));
}

export const typeName = ({ ticket_types }, id) => ticket_types.find((type) => type.ticket_type_id === id)?.name ?? "";
