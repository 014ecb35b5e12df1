import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { barriers, sideways } from "../browser/axe";
import { browserWithoutCamera, complaints, newPage, world } from "../browser/world";
import { codeOn } from "./code";

let browser: Browser;
beforeAll(async () => void (browser = await browserWithoutCamera()));
afterAll(() => browser?.close());

async function open(link: string, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await newPage(browser, { viewport: { width: 1000, height: 800 }, ...options });
  await page.goto(world.links[link] ?? link);
  await page.locator("main h1").waitFor();
  return page;
}

const status = (page: Page) => page.locator("#status .pill");

it("an order tells what, when, where and how it stands, and its codes are those of its tickets", async () => {
  const page = await open("paid");
  await page.getByText("€25.00").waitFor();
  expect(await status(page).innerText()).toBe("Paid");
  expect(await page.locator(".occasion").innerText()).toMatch(/Late Quartet[\s\S]*CES?T[\s\S]*Stadtsaal, Vienna/);
  await page.locator(".ticket img").nth(1).waitFor();
  const seen = await codeOn(page.locator(".ticket img").first());
  const [id, secret] = world.links.paid!.split("#")[1]!.split("/");
  const tickets = await fetch(`${world.url}/v1/orders/${id}/tickets`, { headers: { "Bilten-Secret": secret! } });
  const codes = ((await tickets.json()) as { code: string }[]).map(({ code }) => code);
  expect(codes).toContain(seen);
  await page.context().close();
});

it("the link's secret is in no address that is asked for, and in no referrer", async () => {
  const page = await newPage(browser);
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url(), request.headers().referer ?? ""));
  await page.goto(world.links.paid!);
  await page.locator(".ticket img").first().waitFor();
  const secret = world.links.paid!.split("/").at(-1)!;
  expect(asked.length).toBeGreaterThan(10);
  // What the browser shows for the first request has the fragment, which it does not send.
  expect(asked.map((url) => url.split("#")[0]!).filter((url) => url.includes(secret))).toEqual([]);
  await page.context().close();
});

it("a ticket's holder is named, and the name is still there afterwards", async () => {
  const page = await open("paid");
  await page.getByLabel("Who comes with it").first().fill("Grace Hopper");
  await page.getByRole("button", { name: "Save" }).first().click();
  await page.getByText("Saved: Grace Hopper").waitFor();
  await page.reload();
  await page.locator(".ticket").first().waitFor();
  const names = await page.getByLabel("Who comes with it").evaluateAll((inputs) => inputs.map((input) => (input as HTMLInputElement).value));
  expect(names).toContain("Grace Hopper");
  await page.context().close();
});

it("an order whose card was declined is paid with another try", async () => {
  const page = await open("declined");
  await page.getByText("The payment did not go through").waitFor();
  await page.getByRole("button", { name: "Pay €12.50" }).click();
  await page.locator(".ticket img").waitFor();
  expect(await status(page).innerText()).toBe("Paid");
  await page.context().close();
});

it("a cancellation says before what comes back, can be thought over, and is done by keyboard", async () => {
  const page = await open("cancellable");
  const ask = page.getByRole("button", { name: "Cancel the order" });
  await ask.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("€12.50 comes back to you").waitFor();
  await page.keyboard.press("Escape");
  expect(await status(page).innerText()).toBe("Paid");
  await ask.focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator("#status .pill.bad").waitFor();
  expect(await status(page).innerText()).toBe("Cancelled");
  await page.getByText(/€12.50 (went back|is on its way back) to you/).waitFor();
  await page.context().close();
});

it("the mail is sent again, but not twice in a minute", async () => {
  const page = await open("paid");
  await page.getByRole("button", { name: "Send the mail again" }).click();
  await page.getByText("The mail is on its way").waitFor();
  await page.getByRole("button", { name: "Send the mail again" }).click();
  await page.getByText("sent a moment ago").waitFor();
  await page.context().close();
});

it("a pending order that has tickets is paid at the door, and one that waits for approval says so", async () => {
  const pending = { status: "pending", payments: [] };
  for (const [link, change, pay_at_door, words, buttons] of [
    ["paid", pending, true, "To be paid at the door", 1],
    ["paid", pending, false, "Approved, not paid yet", 1],
    ["declined_too", { awaits_approval: true }, true, "Waiting for the organizer's approval", 0],
  ] as const) {
    const page = await newPage(browser);
    await page.route(/\/v1\/orders\/[^/]+$/, async (route) => {
      const response = await route.fetch();
      const found = await response.json();
      await route.fulfill({ response, json: { ...found, ...change, event: { ...found.event, pay_at_door } } });
    });
    await page.goto(world.links[link]!);
    await page.getByText(words).waitFor();
    expect(await page.getByRole("button", { name: /^Pay/ }).count()).toBe(buttons);
    await page.context().close();
  }
});

it("each ticket has a page of paper, and nothing else has one", async () => {
  const page = await open("paid");
  await page.locator(".ticket img").nth(1).waitFor();
  const pdf = await page.pdf({ format: "A4" });
  expect(pdf.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length).toBe(2);
  await page.context().close();
});

it("a place in the waiting list shows the offer, which is taken and becomes an order", async () => {
  const page = await open("offered");
  await page.getByText("Your tickets are here").waitFor();
  await page.getByText(/held for you until .* CES?T/).waitFor();
  await page.getByRole("button", { name: "Take them for €12.50" }).click();
  await page.waitForURL(/\/order#/);
  await page.locator(".ticket img").waitFor();
  await page.goto(world.links.offered!);
  await page.getByText("You took the tickets").waitFor();
  await page.context().close();
});

it("who waits no longer wants to leaves the list", async () => {
  const page = await open("waiting");
  await page.getByRole("button", { name: "Leave the list" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Leave the list" }).click();
  await page.getByText("You left the list").waitFor();
  await page.context().close();
});

it("a link that leads nowhere says so", async () => {
  const page = await open(`${world.links.paid!}x`);
  await page.getByText("This link leads nowhere").waitFor();
  await page.context().close();
});

it.each(["light", "dark"] as const)("nobody is kept out in the %s: axe finds nothing serious", async (colorScheme) => {
  for (const link of ["paid", "declined_too", "cancelled", "left"]) {
    const page = await open(link, { colorScheme });
    expect(await barriers(page), link).toEqual([]);
    await page.context().close();
  }
});

it.each([["en-GB", "ltr", "Paid"], ["de-AT", "ltr", "Bezahlt"], ["ar-EG", "rtl", "مدفوع"]])("%s is read from its own side, and fits a phone of 320 pixels", async (locale, direction, paid) => {
  const page = await open("paid", { locale, viewport: { width: 320, height: 568 } });
  expect(await page.evaluate(() => document.documentElement.dir)).toBe(direction);
  expect(await status(page).innerText()).toBe(paid);
  expect(await sideways(page)).toBeLessThanOrEqual(0);
  await page.context().close();
});

it("the pages never break their own policy", () => expect(complaints).toEqual([]));
