// The tickets of an order: each a card on the screen, and a page on paper.

import { picture } from "../dialog.js";
import { element } from "../show.js";
import { lines, typeName } from "./occasion.js";
import { busy, button, say } from "./page.js";
import { t, number } from "./words.js";

export function ticketCards(found, order) {
  const { tickets } = found;
  if (tickets.length === 0) return null;
  const title = t("tickets", { count: tickets.length, number: number(tickets.length) });
  const cards = tickets.map((ticket, index) => card(found, order, ticket, index + 1));
  return element("section", { class: "tickets", "aria-labelledby": "tickets" }, element("h2", { id: "tickets" }, title), ...cards);
}

function card(found, order, ticket, place) {
  const of = t("ticket", { number: number(place), total: number(found.tickets.length) });
  const paper = element("div", { class: "paper" }, element("p", { class: "title", dir: "auto" }, found.event.title), ...lines(found), element("p", { class: "muted" }, found.organizer_name));
  const words = element("div", { class: "words" }, paper, element("h3", {}, element("bdi", {}, typeName(found, ticket.ticket_type_id))), element("p", { class: "muted small" }, of));
  const valid = ticket.status === "valid" && !ticket.blocked;
  if (valid) words.append(holder(order, ticket));
  else words.append(element("p", { class: "news" }, t(ticket.blocked ? "blocked" : "void")));
  const shown = valid ? [code(order, ticket, place), words] : [words];
  return element("article", { class: valid ? "card ticket" : "card ticket void", "aria-label": of }, ...shown);
}

function code(order, ticket, place) {
  const figure = element("figure", {});
  const alt = t("qr", { number: number(place) });
  const load = () => order.text(`/tickets/${ticket.ticket_id}/qr.svg`).then((svg) => figure.replaceChildren(picture(svg, alt)));
  const retry = () => figure.replaceChildren(button(t("again"), load, "plain"));
  load().catch(retry);
  return figure;
}

function holder(order, ticket) {
  const name = element("input", { name: "name", value: ticket.holder_name ?? "", maxlength: 300, required: "", autocomplete: "off", placeholder: t("holderHint") });
  const save = element("button", { class: "plain" }, t("save"));
  const form = element("form", { class: "holder" }, element("label", {}, t("holder"), name), save);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(save, async () => {
      await order.send("PUT", `/tickets/${ticket.ticket_id}/holder`, { name: name.value });
      ticket.holder_name = name.value.trim();
      say(t("saved", { name: ticket.holder_name }));
    });
  });
  return form;
}
