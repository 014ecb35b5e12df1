import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { barriers, sideways } from "./axe";
import { buy, complaints, drawn, figure, open, staff, stranger, world } from "./world";

let browser: Browser;
beforeAll(async () => void (browser = await open()));
afterAll(() => browser?.close());

const [event] = world.events;
const ofEvent = `/dashboards/event?filter.event_id=${event?.id}`;
const PAGES = ["overview", "money", "funnel", "audience", "doors", "compare"].map((name) => `/dashboards/${name}`);

async function ready(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await page.locator("h1").waitFor();
  for (const chart of await page.locator("section:not(.no-rows) [data-chart]").all()) {
    await chart.scrollIntoViewIfNeeded();
    await chart.locator("svg").first().waitFor();
  }
}

describe.each(["light", "dark"] as const)("in the %s", (colorScheme) => {
  it.each([...PAGES, "/dashboards/event", ofEvent, "/dashboards/manage"])("nobody is kept out of %s", async (path) => {
    const page = await staff(browser, { colorScheme });
    await ready(page, path);
    expect(await barriers(page)).toEqual([]);
    await page.context().close();
  });
});

it("nothing runs out of a small screen", async () => {
  const page = await staff(browser, { viewport: { width: 360, height: 740 } });
  for (const path of [...PAGES, ofEvent, "/dashboards/manage"]) {
    await ready(page, path);
    expect(await sideways(page), path).toBeLessThanOrEqual(0);
  }
  await page.context().close();
});

it("a purchase moves the figures of an open page, and the page says that it is live", async () => {
  const page = await staff(browser);
  await page.goto("/dashboards/overview");
  await page.locator("[data-live-state][data-state=live]").waitFor();
  const before = await figure(page, "tickets_sold");
  await buy(3);
  await expect.poll(() => figure(page, "tickets_sold"), { timeout: 10_000 }).toBe(before + 3);
  await page.context().close();
});

it("a page that nobody sees pauses, and has caught up when it is seen again", async () => {
  const page = await staff(browser);
  await page.goto("/dashboards/overview");
  const state = page.locator("[data-live-state]");
  await expect.poll(() => state.getAttribute("data-state")).toBe("live");
  const look = (hidden: boolean) =>
    page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { value, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await look(true);
  await expect.poll(() => state.innerText()).toMatch(/^paused, figures are \d+ s old$/);
  const before = await figure(page, "tickets_sold");
  await buy(2);
  await page.waitForTimeout(1_500);
  expect(await figure(page, "tickets_sold")).toBe(before);
  await look(false);
  await expect.poll(() => figure(page, "tickets_sold"), { timeout: 10_000 }).toBe(before + 2);
  await page.context().close();
});

it.each([
  [429, "too many pages are open"],
  [403, "you may no longer see this"],
])("a page that is refused with %i says so", async (status, text) => {
  const page = await staff(browser);
  await page.route("**/live?*", (route) => route.fulfill({ status, body: "{}" }));
  await page.goto("/dashboards/overview");
  await expect.poll(() => page.locator("[data-live-state]").innerText()).toContain(text);
  await page.context().close();
});

it("a choice that the server never hears of is taken back, and can be tried again", async () => {
  const page = await staff(browser);
  await page.goto("/dashboards/overview");
  await page.locator("form.enhanced").waitFor();
  const before = await page.locator("[name=compare]").inputValue();
  await page.route("**/dashboards/overview?*", (route) => route.abort());
  await page.locator("[name=compare]").selectOption("year");
  await page.getByRole("alert").getByText("can't be reached").waitFor();
  expect(await page.locator("[name=compare]").inputValue()).toBe(before);
  await page.unroute("**/dashboards/overview?*");
  await page.getByRole("link", { name: "Try again" }).click();
  await page.waitForURL(/compare=year/);
  expect(await page.getByRole("alert").count()).toBe(0);
  await page.context().close();
});

it("a bar leads to the page of its event, and so does the row of its table", async () => {
  const page = await staff(browser);
  await page.goto("/dashboards/overview");
  await drawn(page, "top-events");
  await page.locator("#panel-top-events .mark-rect path").first().click();
  await page.waitForURL(/dashboards\/event\?/);
  expect(new URL(page.url()).searchParams.get("filter.event_id")).toBe(event?.id);
  await page.goBack();
  const fold = page.locator("#panel-top-events .as-table summary");
  await fold.focus();
  await page.keyboard.press("Enter");
  await page.locator("#panel-top-events tbody a").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/dashboards\/event\?/);
  await expect.poll(() => page.locator("h1").innerText(), { timeout: 20_000 }).toContain(event?.title);
  await page.context().close();
});

it("a line tells what is under the pointer", async () => {
  const page = await staff(browser);
  await page.goto("/dashboards/overview");
  await drawn(page, "net-sales");
  const box = await page.locator("#panel-net-sales .drawn svg").first().boundingBox();
  if (!box) throw new Error("nothing is drawn");
  // A pointer that only arrives has not moved yet.
  for (const across of [0.5, 0.55]) await page.mouse.move(box.x + box.width * across, box.y + box.height * 0.4);
  const tip = page.locator(".tip");
  await tip.waitFor();
  expect(await tip.innerText()).not.toContain("undefined");
  expect(await tip.locator("strong").innerText()).toMatch(/\d{4}/);
  expect(await tip.locator("b").first().innerText()).toMatch(/\d/);
  await page.mouse.move(1, 1);
  await tip.waitFor({ state: "hidden" });
  await page.context().close();
});

it("a page that the server says nothing to has no connection", async () => {
  const page = await staff(browser);
  await page.clock.install();
  await page.goto("/dashboards/overview");
  await page.locator("[data-live-state][data-state=live]").waitFor();
  await page.route("**/live?*", () => undefined);
  await page.clock.fastForward(12_000);
  await expect.poll(() => page.locator("[data-live-state]").innerText()).toMatch(/^no connection, figures are \d+ s old$/);
  await page.context().close();
});

it("a table is sorted by its heads, and stays so when its figures move", async () => {
  const page = await staff(browser);
  await page.goto("/dashboards/overview?range=all");
  const table = page.locator("#panel-by-event table");
  const tickets = async () => (await table.locator("tbody td:nth-child(2)").allInnerTexts()).map(Number);
  const head = table.getByRole("button", { name: "Tickets" });
  await head.click();
  const [most = 0, least = 0] = await tickets();
  expect(most).toBeGreaterThan(least);
  expect(await table.locator("th[aria-sort]").getAttribute("aria-sort")).toBe("descending");
  await head.click();
  expect(await tickets()).toEqual([least, most]);
  await buy(2);
  await expect.poll(tickets, { timeout: 20_000 }).toEqual([least, most + 2]);
  await head.click();
  expect(await tickets()).toEqual([most + 2, least]);
  expect(await table.locator("th[aria-sort]").count()).toBe(0);
  await page.context().close();
});

it("a filter is a new address, can be gone back from, and is cleared by its chip", async () => {
  const page = await staff(browser);
  await page.goto("/dashboards/overview");
  await page.locator("[data-live-state][data-state=live]").waitFor();
  await page.evaluate(() => Object.assign(globalThis, { kept: true }));
  await page.locator("details[data-name=range] summary").click();
  await page.getByLabel("Last 7 days").check();
  await page.waitForURL(/range=7d/);
  await page.locator("details[data-name=range] summary", { hasText: "Last 7 days" }).waitFor();
  expect(await page.evaluate(() => document.activeElement?.closest("details")?.dataset.name)).toBe("range");
  await page.locator("details[data-name=category] summary").click();
  await page.getByRole("checkbox", { name: "concert" }).check();
  await page.keyboard.press("Escape");
  await page.waitForURL(/filter\.category=concert/);
  await page.locator(".chips li", { hasText: "concert" }).waitFor();
  expect(new URL(page.url()).searchParams.get("range")).toBe("7d");
  await page.getByLabel("Clear the filter Category").click();
  await page.waitForURL((url) => !url.search.includes("category"));
  await page.goBack();
  await page.locator(".chips li", { hasText: "concert" }).waitFor();
  // All that time it was one page.
  expect(await page.evaluate(() => "kept" in globalThis)).toBe(true);
  await page.context().close();
});

it("days of one's own are chosen with their last day in, and an address has the day after", async () => {
  const page = await staff(browser);
  await page.goto("/dashboards/money");
  await page.locator("form.enhanced").waitFor();
  await page.locator("details[data-name=range] summary").click();
  await page.getByLabel("From", { exact: true }).fill("2026-05-01");
  await page.getByLabel("To", { exact: true }).fill("2026-05-31");
  await page.getByRole("button", { name: "Show these days" }).click();
  await page.waitForURL(/from=2026-05-01&.*to=2026-06-01/);
  expect(await page.getByLabel("To", { exact: true }).inputValue()).toBe("2026-05-31");
  await page.context().close();
});

it("panels are taken away as CSV, XLSX, Parquet and PNG", async () => {
  const page = await staff(browser);
  await page.goto("/dashboards/overview");
  await drawn(page, "net-sales");
  const begins: Record<string, string> = { CSV: "at", XLSX: "PK", Parquet: "PAR1", PNG: "\u0089PNG" };
  for (const [name, start] of Object.entries(begins)) {
    await page.locator("#panel-net-sales .menu").evaluate((menu) => ((menu as HTMLDetailsElement).open = true));
    const coming = page.waitForEvent("download");
    await page.locator("#panel-net-sales .files").getByText(name, { exact: true }).click();
    const file = await (await coming).path();
    expect(readFileSync(file).toString("latin1").slice(0, start.length), name).toBe(start);
  }
  await page.context().close();
});

it("a pivot shows its rows", async () => {
  const page = await staff(browser);
  await page.goto("/dashboards/audience");
  await page.locator("[data-pivot]").scrollIntoViewIfNeeded();
  await page.locator("perspective-viewer-datagrid td").first().waitFor();
  expect(await page.locator("perspective-viewer-datagrid td").count()).toBeGreaterThanOrEqual(2);
  await page.context().close();
});

it("light and dark can be chosen, charts follow, and the choice is kept", async () => {
  const page = await staff(browser, { colorScheme: "light" });
  await page.goto("/dashboards/overview");
  await drawn(page, "net-sales");
  const line = () => page.locator("#panel-net-sales .mark-line path").last().getAttribute("stroke");
  const light = await line();
  await page.getByRole("button", { name: "Dark" }).click();
  await expect.poll(line).not.toBe(light);
  await page.reload();
  expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe("dark");
  await page.context().close();
});

it("a page in a folder of one's own is a page like the others", async () => {
  const page = await staff(browser);
  await page.goto("/dashboards/overview");
  await page.getByRole("link", { name: world.own.title }).click();
  await page.locator("h1", { hasText: world.own.title }).waitFor();
  await page.locator(".drawn svg").first().waitFor();
  await page.context().close();
});

it("without JavaScript figures, tables and filters are there", async () => {
  const page = await staff(browser, { javaScriptEnabled: false });
  await page.goto("/dashboards/overview");
  expect(await page.locator(".figure[data-metric=tickets_sold] dd").innerText()).toMatch(/\d/);
  expect(await page.locator("#panel-by-event tbody tr").count()).toBeGreaterThan(0);
  await page.locator("details[data-name=range] summary").click();
  await page.getByLabel("Last 7 days").check();
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await page.waitForURL(/range=7d/);
  await page.context().close();
});

it("who is not logged in is asked to, and comes back to the page", async () => {
  const page = await stranger(browser);
  await page.goto("/dashboards/money");
  await page.getByLabel("E-mail").fill(world.staff.email);
  await page.getByLabel("Password").fill(world.staff.password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL(/dashboards\/money/);
  await page.context().close();
});

it("the pages never break their own policy", () => expect(complaints).toEqual([]));
