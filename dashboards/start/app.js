// Logs in, and then keeps asking: each panel at its own pace, slower when the server is away, not at all when nobody looks.

import * as api from "./api.js";
import { audited, clear, panels, way } from "./panels.js";
import { $, count, element, table } from "./show.js";

const SLOWEST = 30_000;
const MOST_ROWS = 500;

const EXAMPLES = {
  "Orders by status": "select status, count(*) as orders, sum(quantity) as tickets\nfrom orders\ngroup by status\norder by orders desc",
  "Sales by weekday":
    "select date_part('dow', placed_at) as weekday, count(*) as orders\nfrom orders\nwhere status = 'paid'\ngroup by weekday\norder by weekday",
  "Fullest events":
    "select e.title, e.starts_at, count(*) as tickets\nfrom tickets t\njoin events e on e.event_id = t.event_id\nwhere t.status = 'valid'\ngroup by e.title, e.starts_at\norder by tickets desc\nlimit 20",
  "From view to purchase, last hour":
    "select kind, count(distinct session_id) as sessions\nfrom interactions\nwhere occurred_at > now() - interval '1 hour'\ngroup by kind\norder by sessions desc",
  "Why scans were refused": "select reason, count(*) as scans\nfrom check_ins\nwhere not accepted\ngroup by reason\norder by scans desc",
  "What promo codes brought":
    "select p.code, o.currency, count(*) as orders, sum(o.total_minor) as total_minor\nfrom orders o\njoin promo_codes p on p.promo_code_id = o.promo_code_id\nwhere o.status = 'paid'\ngroup by p.code, o.currency\norder by orders desc",
  "Who waits for what":
    "select e.title, w.status, count(*) as people, sum(w.quantity) as tickets\nfrom waiting_entries w\njoin events e on e.event_id = w.event_id\ngroup by e.title, w.status\norder by people desc",
  "How far each stage is": "select * from system.lag",
};

let organizer = "";
let stop = new AbortController();

function linkIs(up) {
  $("link").hidden = false;
  $("link").className = up ? "pill good" : "pill bad";
  $("link").textContent = up ? "live" : "reconnecting…";
}

const pause = (ms, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

const visible = () =>
  new Promise((resolve) => {
    if (!document.hidden) return resolve();
    document.addEventListener("visibilitychange", () => resolve(), { once: true });
  });

/** A panel that is refused its rows keeps the last ones, or stays empty; the reader is told. */
const troubles = new Map();

function troubleIs(what, why) {
  if (why) troubles.set(what, why);
  else troubles.delete(what);
  const said = [...new Set(troubles.values())].join(" ");
  if ($("trouble").textContent !== said) $("trouble").textContent = said && `Not all figures are current. ${said}`;
}

/** Asks again and again. An error slows it down, so that a server that comes back is not met by a crowd. */
async function keepAsking(what, ask, every, signal) {
  let wait = every;
  while (!signal.aborted) {
    try {
      await ask(signal);
      if (signal.aborted) return;
      linkIs(true);
      troubleIs(what, "");
      wait = every;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof api.LoggedOut) return showLogIn();
      if (error instanceof api.Refused) troubleIs(what, error.message);
      else linkIs(false);
      wait = Math.min(wait * 2, SLOWEST);
    }
    await pause(wait, signal);
    await visible();
  }
}

function watch() {
  stop.abort();
  stop = new AbortController();
  const { signal } = stop;
  forget();
  for (const { question, every, draw } of panels) {
    const ask = async () => {
      const rows = await api.question(question, organizer);
      if (!signal.aborted) draw(rows);
    };
    keepAsking(question, ask, every, signal);
  }
  const ask = async () => {
    const status = await api.status();
    if (!signal.aborted) way(status);
  };
  keepAsking("status", ask, 1_000, signal);
}

/** Nobody sees the rows of who looked before. */
function forget() {
  clear();
  troubles.clear();
  $("sql-rows").replaceChildren();
  $("trouble").textContent = $("sql-error").textContent = $("sql-note").textContent = "";
}

function showLogIn() {
  stop.abort();
  forget();
  $("now").hidden = $("log-out").hidden = $("whose").hidden = $("link").hidden = true;
  for (const link of document.querySelectorAll(".inside")) link.hidden = true;
  $("who").textContent = "";
  $("log-in").hidden = false;
  $("log-in-form").elements.email.focus();
}

/** Where a page of ours has sent who was not logged in. Only its own address counts, whatever a link says. */
function cameFrom() {
  const next = new URL(new URLSearchParams(location.search).get("next") ?? "/", location.origin);
  return next.origin === location.origin && next.pathname.startsWith("/dashboards") ? next.href : null;
}

async function enter(session) {
  const back = cameFrom();
  if (back) return location.replace(back);
  $("log-in").hidden = true;
  $("now").hidden = $("log-out").hidden = false;
  for (const link of document.querySelectorAll(".inside")) link.hidden = false;
  $("audit-now").hidden = !session.platform_admin;
  $("who").textContent = session.name ?? session.email;
  await offerOrganizers(session);
  watch();
}

/** A platform admin sees all organizers' rows, or one's; a member of several looks at one at a time. */
async function offerOrganizers({ platform_admin, memberships }) {
  const ids = memberships.filter(({ active }) => active).map(({ organizer_id }) => organizer_id);
  const known = platform_admin ? await api.organizers() : await Promise.all(ids.map(api.organizer));
  const options = known.map(({ id, name }) => element("option", { value: id }, name));
  if (platform_admin) options.unshift(element("option", { value: "" }, "all organizers"));
  $("organizer").replaceChildren(...options);
  $("whose").hidden = options.length < 2;
  organizer = $("organizer").value;
}

async function run(event) {
  event?.preventDefault();
  const button = $("sql-form").querySelector("button");
  button.disabled = true;
  $("sql-error").textContent = $("sql-note").textContent = "";
  try {
    const started = performance.now();
    const { rows, position } = await api.sql($("sql").value, organizer);
    const took = Math.round(performance.now() - started);
    const names = [...new Set(rows.slice(0, MOST_ROWS).flatMap(Object.keys))];
    const shown = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : value);
    const columns = names.map((name) => ({ title: name, of: (row) => shown(row[name]), kind: typeof rows[0]?.[name] === "number" ? "number" : "" }));
    $("sql-rows").replaceChildren(table(columns, rows.slice(0, MOST_ROWS), "No rows."));
    const cut = rows.length > MOST_ROWS ? `, the first ${count(MOST_ROWS)} shown` : "";
    $("sql-note").textContent = `${count(rows.length)} rows${cut} in ${count(took)} ms, as of position ${count(Number(position))}`;
  } catch (error) {
    if (error instanceof api.LoggedOut) return showLogIn();
    $("sql-error").textContent = error.message;
    $("sql-rows").replaceChildren();
  } finally {
    button.disabled = false;
  }
}

async function auditNow() {
  $("audit-now").disabled = true;
  try {
    const { audited_at: at, clean, position } = await api.audit();
    audited({ at, clean, position });
  } catch (error) {
    $("audit-detail").textContent = error.message;
  } finally {
    $("audit-now").disabled = false;
  }
}

async function logIn(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const button = form.querySelector("button");
  $("log-in-error").textContent = "";
  button.disabled = true;
  try {
    const { email, password, code } = Object.fromEntries(new FormData(form));
    await enter(await api.logIn({ email, password, ...(code && { code }) }));
    form.reset();
    $("log-in-code").hidden = true;
  } catch (error) {
    $("log-in-error").textContent = error.message;
    if (error.code === "code_needed") $("log-in-code").hidden = false;
    form.elements[$("log-in-code").hidden ? "password" : "code"].select();
  } finally {
    button.disabled = false;
  }
}

$("log-in-form").addEventListener("submit", logIn);
$("log-out").addEventListener("click", () => api.logOut().catch(() => {}).finally(showLogIn));
$("organizer").addEventListener("change", () => ((organizer = $("organizer").value), watch()));
$("audit-now").addEventListener("click", auditNow);
$("sql-form").addEventListener("submit", run);
$("sql").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run(event);
});
$("examples").replaceChildren(...Object.keys(EXAMPLES).map((name) => element("option", {}, name)));
$("examples").addEventListener("change", () => ($("sql").value = EXAMPLES[$("examples").value]));
$("sql").value = Object.values(EXAMPLES)[0];

api.session().then(enter, showLogIn);
