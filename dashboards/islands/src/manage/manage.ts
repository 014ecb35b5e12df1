// Links, reports and alerts: what there is, and how it ends.

import { Refused, json, list, ofOrganizer } from "../api";
import { confirmed } from "../dialogs/dialog";
import { type AlertRule, CONDITIONS, WINDOWS, alertRule, inputOf as alertInput, metrics, scaleOf } from "../dialogs/alert";
import { type Report, capital, inputOf as reportInput, report } from "../dialogs/report";
import { quantity } from "../data/format";
import type { Format } from "../data/panel";
import { type Child, el } from "../dom";
import { chosen, filtersOf, moodOf, only, titlesOf } from "./said";

interface Share {
  dashboard_share_id: string;
  page: string;
  state: string;
  may_embed: boolean;
  expires_at: string;
  created_at: string;
  created_by: { name: string | null };
}

const moment = (text: string | null): string =>
  text === null ? "never" : new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

export async function startManage(host: HTMLElement): Promise<void> {
  const organizer = document.body.dataset.organizer ?? "";
  if (!organizer) {
    host.replaceChildren(el("p", { class: "notice" }, "Choose an organizer: links, reports and alerts are each one's own."));
    return;
  }
  const draw = () => startManage(host);
  const [shares, reports, alerts] = await Promise.all([
    section(
      "links",
      "Links",
      "Whoever has one sees the page without an account, until it ends.",
      listOf<Share>(organizer, "dashboard-shares", (each) => shareRow(each, organizer, draw)),
      "Nobody has a link. “Share” on a dashboard makes one.",
    ),
    section(
      "reports",
      "Reports",
      "Pages that go out by e-mail.",
      listOf<Report>(organizer, "reports", (each) => reportRow(each, organizer, draw)),
      "No page goes out by e-mail. “E-mail” on a dashboard schedules one.",
    ),
    section(
      "alerts",
      "Alerts",
      "Figures that are watched every minute.",
      listOf<AlertRule>(organizer, "alert-rules", (each) => alertRow(each, organizer, draw)),
      "No figure is watched. “Alert” on a dashboard begins with one.",
    ),
  ]);
  host.replaceChildren(shares, reports, alerts);
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

/** What can't be seen or is not there is said in its place; the rest of the page goes on. */
async function listOf<Item>(
  organizer: string,
  what: string,
  row: (item: Item) => Promise<HTMLElement> | HTMLElement,
): Promise<HTMLElement[] | string> {
  try {
    return await Promise.all((await list<Item>(ofOrganizer(organizer, what))).map(row));
  } catch (error) {
    if (error instanceof Refused) return error.status === 404 ? "This server does not have them." : error.message;
    throw error;
  }
}

async function section(
  id: string,
  title: string,
  about: string,
  rows: Promise<HTMLElement[] | string>,
  empty: string,
): Promise<HTMLElement> {
  const found = await rows;
  const body =
    typeof found === "string"
      ? el("p", { class: "trouble" }, found)
      : found.length > 0
        ? el("ul", { class: "things" }, ...found)
        : el("p", { class: "nothing" }, empty);
  return el(
    "section",
    { class: "panel full", id, "aria-labelledby": `${id}-title` },
    el("header", {}, el("h2", { id: `${id}-title` }, title)),
    el("p", { class: "muted" }, about),
    body,
  );
}

interface Thing {
  title: Child;
  pill?: [text: string, mood: string] | null;
  lines: Child[];
  actions: [label: string, act: () => Promise<unknown>][];
}

function thing({ title, pill, lines, actions }: Thing, draw: () => Promise<void>): HTMLElement {
  const buttons = actions.map(([label, act]) => {
    const button = el("button", { type: "button", class: "plain" }, label);
    button.addEventListener("click", () => {
      button.disabled = true;
      act()
        .then(draw, (error: unknown) => {
          trouble.textContent = error instanceof Error ? error.message : String(error);
          trouble.hidden = false;
        })
        .finally(() => (button.disabled = false));
    });
    return button;
  });
  const trouble = el("p", { class: "trouble", role: "alert", hidden: true });
  return el(
    "li",
    {},
    el(
      "div",
      { class: "what" },
      el("h3", {}, title, pill && el("span", { class: `pill ${pill[1]}` }, pill[0])),
      ...lines.map((line) => line && el("p", { class: "muted" }, line)),
      trouble,
    ),
    el("div", { class: "acts" }, ...buttons),
  );
}

const address = (page: string, state: string, organizer: string): string =>
  `/dashboards/${page}?${state ? `${state}&` : ""}organizer_id=${organizer}`;

async function shareRow(share: Share, organizer: string, draw: () => Promise<void>): Promise<HTMLElement> {
  const path = `/v1/dashboard-shares/${share.dashboard_share_id}`;
  const embed = () => json("PUT", path, { body: { expires_at: share.expires_at, may_embed: !share.may_embed } });
  const end = () =>
    confirmed("End this link?", "Who has it sees nothing from now on. That can't be taken back.", "End it", () =>
      json("DELETE", path),
    );
  return thing(
    {
      title: el("a", { href: address(share.page, share.state, organizer) }, capital(share.page)),
      pill: share.may_embed ? ["in frames", ""] : null,
      lines: [
        capital(chosen(share.state, await titlesOf(filtersOf(share.state)))),
        `Until ${moment(share.expires_at)}. Made by ${share.created_by?.name ?? "somebody"} on ${moment(share.created_at)}.`,
      ],
      actions: [
        [share.may_embed ? "Forbid frames" : "Allow frames", embed],
        ["End", end],
      ],
    },
    draw,
  );
}

const RHYTHM = {
  day: () => "Every day",
  week: (each: Report) => `Every ${capital(each.weekday ?? "monday")}`,
  month: (each: Report) => `On day ${each.month_day ?? 1} of every month`,
};

async function reportRow(each: Report, organizer: string, draw: () => Promise<void>): Promise<HTMLElement> {
  const path = `/v1/reports/${each.report_id}`;
  const state = each.paused ? "paused" : `next on ${moment(each.next_at)}`;
  return thing(
    {
      title: each.name,
      pill: each.paused ? ["paused", ""] : each.last_error ? ["failing", "bad"] : null,
      lines: [
        el(
          "span",
          {},
          `${RHYTHM[each.every](each)} at ${each.at} (${each.timezone}), `,
          el("a", { href: address(each.page, each.state, organizer) }, capital(each.page)),
          `; ${state}.`,
        ),
        capital(chosen(each.state, await titlesOf(filtersOf(each.state)))),
        `To ${each.recipients.map(({ name }) => name).join(", ")}. Last sent: ${moment(each.last_sent_at)}.`,
        each.last_error,
      ],
      actions: [
        ["Send now", () => json("POST", `${path}/send-now`, { body: {} })],
        [each.paused ? "Go on" : "Pause", () => json("PUT", path, { body: { ...reportInput(each), paused: !each.paused } })],
        ["Change", () => report(organizer, each.page, each.name, each)],
        [
          "Delete",
          () => confirmed(`Delete “${each.name}”?`, "It is sent to nobody from now on.", "Delete", () => json("DELETE", path)),
        ],
      ],
    },
    draw,
  );
}

async function alertRow(rule: AlertRule, organizer: string, draw: () => Promise<void>): Promise<HTMLElement> {
  const path = `/v1/alert-rules/${rule.alert_rule_id}`;
  const metric = (await metrics().catch(() => [])).find(({ name }) => name === rule.metric);
  const context = {
    currency: rule.currency,
    decimals: { [rule.currency ?? ""]: Math.round(Math.log10(scaleOf("above", "money", rule.currency ?? "EUR"))) },
  };
  const say = (value: number) =>
    quantity(
      metric?.format === "money" ? value / scaleOf("above", "money", rule.currency ?? "EUR") : value,
      (metric?.format ?? "decimal") as Format,
      context,
    );
  const limit = rule.condition.startsWith("unusual") ? `${rule.threshold} %` : say(rule.threshold);
  const seen = [
    rule.last_value === null ? null : `now ${say(rule.last_value)}`,
    rule.usual === null ? null : `usually ${say(rule.usual)}`,
  ]
    .filter(Boolean)
    .join(", ");
  return thing(
    {
      title: rule.name,
      pill: moodOf(rule),
      lines: [
        `${metric?.label ?? rule.metric} ${WINDOWS[rule.time_window] ?? rule.time_window} ${CONDITIONS[rule.condition] ?? rule.condition} ${limit}.`,
        capital(only(rule.filters ?? [], await titlesOf(rule.filters ?? []))),
        seen && `${capital(seen)}. Last checked: ${moment(rule.last_checked_at)}.`,
        `To ${rule.recipients.map(({ name }) => name).join(", ")}.`,
        rule.last_error,
      ],
      actions: [
        [rule.paused ? "Go on" : "Pause", () => json("PUT", path, { body: { ...alertInput(rule), paused: !rule.paused } })],
        ["Change", () => alertRule(organizer, null, [], rule)],
        [
          "Delete",
          () => confirmed(`Delete “${rule.name}”?`, "Nobody is written to from now on.", "Delete", () => json("DELETE", path)),
        ],
      ],
    },
    draw,
  );
}
