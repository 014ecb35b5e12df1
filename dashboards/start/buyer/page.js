// What the buyer's pages share. Whoever has the link may see the order: its secret stands in the address's fragment and
// goes to the server in a header, so that neither logs nor other sites get to see it.

import { element } from "../show.js";
import { languages, speak, t } from "./words.js";

/** The server refused, and said why. */
export class Refused extends Error {
  constructor(problem, status) {
    super(problem.detail || problem.title || String(status));
    this.code = problem.code;
  }
}

const [id, secret] = location.hash.slice(1).split("/");

async function call(method, path, body) {
  const headers = { "Bilten-Secret": secret ?? "" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  // A repeat on a bad line buys nothing twice.
  if (method === "POST") headers["Idempotency-Key"] = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (!response.ok) throw new Refused(await response.json().catch(() => ({})), response.status);
  return response;
}

/** The API below an address that ends with the id of the link. */
export function api(root) {
  const path = (rest) => `${root}/${encodeURIComponent(id)}${rest}`;
  return {
    get: async (rest = "") => (await call("GET", path(rest))).json(),
    text: async (rest) => (await call("GET", path(rest))).text(),
    send: (method, rest, body) => call(method, path(rest), body),
  };
}

export const post = async (path, body) => (await call("POST", path, body)).json();

/** What went wrong, in words of the page's language as far as it has them. */
export function trouble(error) {
  if (!(error instanceof Refused)) return t("unreachable");
  return t(`errors.${error.code}`, undefined, "") || t("refused", { why: error.message });
}

const said = element("p", { class: "said", role: "status" });

/** Tells how something went, for the eye and for the ear. */
export function say(text, bad = false) {
  said.className = bad ? "said bad" : "said";
  said.textContent = text;
}

/** A button that does one thing at a time, and says if it could not. */
export function button(label, run, kind = "") {
  const made = element("button", { type: "button", class: kind }, label);
  made.addEventListener("click", () => busy(made, run));
  return made;
}

export async function busy(control, run) {
  control.disabled = true;
  say("");
  try {
    await run();
  } catch (error) {
    say(trouble(error), true);
  } finally {
    control.disabled = false;
  }
}

/** Puts the page together: who sells at the top, then what there is to see. `again` draws it in another language. */
export function show(organizer, parts, again) {
  const choice = element("select", { "aria-label": t("language") });
  for (const [code, name] of Object.entries(languages)) choice.append(element("option", { value: code, lang: code }, name));
  choice.value = document.documentElement.lang;
  choice.addEventListener("change", () => (speak(choice.value), again()));
  const bar = element("header", { class: "bar" }, element("span", { class: "brand" }, organizer), element("nav", { "aria-label": t("language") }, choice));
  document.body.replaceChildren(bar, element("main", { class: "buyer" }, ...parts.filter(Boolean), said));
}

/** Draws again and again what `load` brings: at once, and when it may have changed. */
export function begin(load, draw) {
  const refresh = async () => draw(await load());
  const start = () => refresh().catch((error) => {
    const text = error instanceof Refused && error.code !== "too_many_requests" ? t("unknown") : trouble(error);
    show("", [element("section", { class: "card" }, element("h1", {}, text), button(t("again"), start))], start);
  });
  addEventListener("hashchange", () => location.reload());
  start();
  return refresh;
}
