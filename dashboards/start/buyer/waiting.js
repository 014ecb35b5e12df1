// The page of a place in the waiting list: what is offered, until when, and taking it or leaving.

import { confirmed } from "../dialog.js";
import { element } from "../show.js";
import { occasion, typeName } from "./occasion.js";
import { api, begin, busy, button, post, show } from "./page.js";
import { moment, money, number, t } from "./words.js";

const place = api("/v1/waiting-list");

/** An offer of a zero amount is taken, any other is paid for. */
function takeLabel({ amount }) {
  return amount.amount_minor ? t("takeFor", { amount: money(amount) }) : t("take");
}

function checkout(found) {
  const email = element("input", { name: "email", type: "email", autocomplete: "email", required: "", value: found.email ?? "" });
  const name = element("input", { name: "name", autocomplete: "name", maxlength: 300, value: found.name ?? "" });
  const take = element("button", {}, takeLabel(found.hold));
  const form = element("form", {}, element("label", {}, t("email"), email), element("label", {}, t("name"), name), element("div", { class: "row" }, take, leaving(found)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(take, async () => {
      const buyer = { email: email.value, ...(name.value.trim() && { name: name.value }) };
      const order = await post("/v1/orders", { hold_id: found.hold_id, buyer, payment_method: found.payment_method });
      location.assign(order.payment_url ?? `/order#${order.order_id}/${order.secret}`);
    });
  });
  return form;
}

function leaving(found) {
  const offered = found.status === "offered";
  return button(t(offered ? "giveBack" : "leave"), async () => {
    const text = t(offered ? "leaveOffered" : "leaveWaiting");
    if (!(await confirmed(t("leaveTitle"), text, t(offered ? "giveBack" : "leave"), t("stay")))) return;
    await place.send("DELETE", "");
    await refresh();
    document.getElementById("status").focus();
  }, "plain quiet");
}

/** What there is to do in each state. */
const STEPS = { offered: checkout, waiting: (found) => element("div", { class: "row" }, leaving(found)) };
const MOODS = { offered: "good", taken: "good", expired: "bad" };

function draw(found) {
  document.title = `${found.event.title} · ${t("waiting.title")}`;
  const status = element("h2", { class: "status", id: "status", tabindex: "-1" }, element("span", { class: `pill ${MOODS[found.status] ?? "wait"}` }, t(`waiting.${found.status}`)), element("span", { class: "muted" }, t("waiting.title")));
  const until = found.offer_expires_at && moment(found.offer_expires_at, found.event.timezone);
  const wanted = element("bdi", {}, `${number(found.quantity)} × ${typeName(found, found.ticket_type_id)}`);
  const price = found.status === "offered" ? element("b", {}, found.hold.amount.amount_minor ? money(found.hold.amount) : t("free")) : "";
  const bill = element("ul", { class: "bill" }, element("li", {}, wanted, price));
  const step = STEPS[found.status]?.(found);
  const card = element("section", { class: "card summary", "aria-labelledby": "status" }, status, element("p", {}, t(`waitingAbout.${found.status}`, { until })), bill, ...(step ? [step] : []));
  show(found.organizer_name, [occasion(found), card], () => draw(found));
}

const refresh = begin(() => place.get(), draw);
