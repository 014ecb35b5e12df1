// The page of an order: what it is, how it stands, its tickets, and what its buyer may do with it.

import { confirmed } from "../dialog.js";
import { element } from "../show.js";
import { occasion, typeName } from "./occasion.js";
import { api, begin, button, say, show } from "./page.js";
import { ticketCards } from "./tickets.js";
import { moment, money, number, t } from "./words.js";

/** How soon a payment that is on its way is looked for again, and how often at most. */
const SOON = 2_000;
const MOST_LOOKS = 150;

const order = api("/v1/orders");
let looks = 0;

/** The order and its tickets as of one moment: if the order changed between the two, both are read again. */
async function load() {
  let before = await order.get();
  for (;;) {
    const tickets = await order.get("/tickets");
    const found = await order.get();
    if (found.version === before.version) return { ...found, tickets };
    before = found;
  }
}

/** How an order stands, as a person would say it. */
function standing({ status, tickets, awaits_approval, total, event }) {
  if (event.status === "cancelled" && status !== "cancelled" && status !== "expired") return "off";
  if (status === "pending" && awaits_approval) return "approval";
  if (status === "pending" && tickets.length > 0) return event.pay_at_door ? "door" : "approved";
  return status === "paid" && total.amount_minor === 0 ? "free" : status;
}

function about(found, state) {
  if (state === "free") return t("about.paid");
  if (state === "pending" && found.payments[0]?.status === "failed") return t("about.failed");
  return t(`about.${state}`);
}

const MOODS = { paid: "good", free: "good", door: "good", cancelled: "bad", expired: "bad", off: "bad" };

function bill(found) {
  const priced = (line) => (line.unit.amount_minor ? t("each", { price: money(line.unit) }) : t("free"));
  const item = (line) => element("li", {}, element("bdi", {}, `${number(line.quantity)} × ${typeName(found, line.ticket_type_id)}`), element("span", { class: "muted" }, priced(line)));
  const total = found.total.amount_minor ? money(found.total) : t("free");
  return element("ul", { class: "bill" }, ...found.lines.map(item), element("li", { class: "total" }, element("span", {}, t("total")), element("b", {}, total)));
}

function actions(found, state) {
  const made = [];
  if (["pending", "door", "approved"].includes(state)) made.push(button(t("pay", { amount: money(found.total) }), () => pay(found)));
  const valid = found.tickets.some((ticket) => ticket.status === "valid");
  if (valid && state !== "off") made.push(button(t("print"), () => print()));
  if (found.status === "paid") made.push(button(t("mail"), sendMail, "plain"));
  if (found.cancellation) made.push(button(t("cancel"), () => cancel(found), "plain quiet"));
  return element("div", { class: "row" }, ...made);
}

function summary(found) {
  const state = standing(found);
  const until = found.status === "paid" && found.cancellation && found.event.refundable_until;
  const refunds = found.refunds.map((refund) => element("p", {}, t(`refund.${refund.status}`, { amount: money(refund.amount) })));
  const status = element("h2", { class: "status", id: "status", tabindex: "-1" }, element("span", { class: `pill ${MOODS[state] ?? "wait"}` }, t(`status.${state}`)), element("span", { class: "muted" }, t("order", { code: found.code })));
  const policy = until ? [element("p", { class: "muted small" }, t("cancelUntil", { until: moment(until, found.event.timezone) }))] : [];
  return element("section", { class: "card summary", "aria-labelledby": "status" }, status, element("p", {}, about(found, state)), ...refunds, bill(found), actions(found, state), ...policy);
}

async function pay(found) {
  const answer = await order.send("POST", "/payments", { payment_method: found.payment_method });
  const { payment_url } = await answer.json();
  if (payment_url) return location.assign(payment_url);
  looks = 0;
  await refresh();
  say(t("payStarted"));
}

async function sendMail() {
  await order.send("POST", "/link");
  say(t("mailSent"));
}

async function cancel(found) {
  const amount = found.cancellation;
  const text = amount.amount_minor ? t("cancelPaid", { amount: money(amount) }) : t("cancelUnpaid");
  if (!(await confirmed(t("cancelTitle", { code: found.code }), text, t("cancel"), t("keep")))) return;
  await order.send("POST", "/cancel");
  await refresh();
  document.getElementById("status").focus();
  say(t("cancelled"));
}

function draw(found) {
  document.title = `${found.event.title} · ${found.code}`;
  show(found.organizer_name, [occasion(found), summary(found), ticketCards(found, order)], () => draw(found));
  // What is under way changes by itself; everything else changes when somebody does something.
  const moving = found.payments[0]?.status === "pending" || found.refunds.some(({ status }) => status === "pending");
  if (moving && looks < MOST_LOOKS) setTimeout(look, SOON, found);
}

async function look(before) {
  looks += 1;
  const found = await load().catch(() => before);
  const changed = found.version !== before.version || JSON.stringify([found.payments, found.refunds]) !== JSON.stringify([before.payments, before.refunds]);
  if (changed) {
    say("");
    draw(found);
  } else if (looks < MOST_LOOKS) {
    setTimeout(look, SOON, before);
  }
}

const refresh = begin(load, draw);
