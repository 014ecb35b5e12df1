// The server that runs, as the suite that started it tells it, and a browser with somebody logged in.

import { execFileSync } from "node:child_process";
import { type Browser, type BrowserContextOptions, type Page, chromium } from "playwright-core";

interface World {
  url: string;
  /** A token of the platform's. */
  admin: string;
  /** A manager of one organizer. */
  staff: { email: string; password: string };
  organizer: string;
  /** Two events of that organizer; some tickets of the first are sold. */
  events: { id: string; title: string; ticket_type: string }[];
  /** A page that stands in a folder of its own, by name and title. */
  own: { name: string; title: string };
}

const told = process.env.BILTEN_WORLD;
if (!told) throw new Error("these tests need a server: `cargo test --test browser` starts one and then them");
export const world = JSON.parse(told) as World;

function browserPath(): string {
  for (const name of ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]) {
    try {
      return process.env.CHROMIUM ?? execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      // The next one.
    }
  }
  throw new Error("there is no Chromium: on Debian `apt-get install chromium`, or name one in CHROMIUM");
}

export const open = (): Promise<Browser> => chromium.launch({ executablePath: browserPath(), args: ["--no-sandbox"] });

/** What no page may ever say in its console: an error of its own, or that its policy forbids something. */
export const complaints: string[] = [];

/** A page of nobody's. */
export async function stranger(browser: Browser, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 }, locale: "en-GB", reducedMotion: "reduce", baseURL: world.url, acceptDownloads: true, ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy|Uncaught|Vega|TypeError/i.test(message.text())) complaints.push(message.text());
  });
  return page;
}

/** A page of the manager's. */
export async function staff(browser: Browser, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await stranger(browser, options);
  const answer = await page.context().request.post("/v1/session", { data: world.staff });
  if (!answer.ok()) throw new Error(`nobody can log in: ${await answer.text()}`);
  return page;
}

export async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers = { authorization: `Bearer ${world.admin}`, "content-type": "application/json" };
  const response = await fetch(world.url + path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return (text ? JSON.parse(text) : undefined) as T;
}

/** Somebody buys tickets of the first event. The test provider pays at once. */
export async function buy(quantity: number): Promise<void> {
  const [event] = world.events;
  const lines = [{ ticket_type_id: event?.ticket_type, quantity }];
  const { hold_id } = await ask<{ hold_id: string }>("POST", "/v1/holds", { event_id: event?.id, lines });
  const buyer = { email: `ada.${Date.now()}@example.org`, name: "Ada Lovelace" };
  await ask("POST", "/v1/orders", { hold_id, buyer, payment_method: "test_ok" });
}

/** The number that a figure shows. */
export const figure = (page: Page, metric: string): Promise<number> =>
  page.locator(`.figure[data-metric=${metric}] dd`).first().getAttribute("data-value").then(Number);

/** The charts of the page are drawn. */
export async function drawn(page: Page, id: string): Promise<void> {
  const section = page.locator(`#panel-${id}`);
  await section.scrollIntoViewIfNeeded();
  await section.locator(".drawn svg").first().waitFor();
}
