import { createHmac } from "node:crypto";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { barriers, sideways } from "../browser/axe";
import { browserWithoutCamera, complaints, newPage, world } from "../browser/world";
import { codeOn } from "./code";

let browser: Browser;
beforeAll(async () => void (browser = await browserWithoutCamera()));
afterAll(() => browser?.close());

async function logIn(options: BrowserContextOptions = {}): Promise<Page> {
  const page = await newPage(browser, { viewport: { width: 1000, height: 800 }, ...options });
  await page.goto("/");
  await page.getByLabel("E-mail").fill(world.staff.email);
  await page.getByLabel("Password").fill(world.staff.password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.locator("#now").waitFor();
  return page;
}

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** What an authenticator app shows for this key at this time (RFC 6238). */
function totp(secret: string, at: number): string {
  const bits = [...secret].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const hash = createHmac("sha1", key).update(counter).digest();
  return String((hash.readUInt32BE(hash[19]! & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

it("a manager registers a device, its code sets a scanner up, and once revoked it is let in nowhere", async () => {
  const page = await logIn();
  await page.getByRole("link", { name: "Devices" }).click();
  await page.getByLabel("Name").fill("Phone 1");
  await page.getByLabel("Event").selectOption({ index: 1 });
  await page.locator("[name=gate_id]:enabled").selectOption({ label: "North" });
  await page.getByRole("button", { name: "Register" }).click();
  await page.locator("#made-code img").waitFor();
  const link = await page.getByLabel("Set-up link").inputValue();
  expect(await codeOn(page.locator("#made-code img"))).toBe(link);
  expect(await barriers(page)).toEqual([]);
  const row = page.getByRole("row", { name: /Phone 1/ });
  expect(await row.innerText()).toMatch(/Late Quartet\s+North/);

  const phone = await newPage(browser);
  const { pathname, hash } = new URL(link);
  await phone.goto(pathname + hash);
  await phone.locator(".choice", { hasText: "Main entrance" }).waitFor();

  await page.getByRole("button", { name: "Revoke Phone 1" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await row.getByText("revoked").waitFor();
  expect(await page.getByLabel("Set-up link").count()).toBe(1);
  expect(await page.locator("#made").isHidden()).toBe(true);
  const token = new URLSearchParams(hash.slice(1)).get("token");
  const refused = async () => (await fetch(`${world.url}/v1/scanner`, { headers: { authorization: `Bearer ${token}` } })).status;
  await expect.poll(refused, { timeout: 10_000 }).toBe(401);
  await phone.context().close();
  await page.context().close();
});

it("a second factor is turned on with its code, its recovery code logs in, and it is turned off again", async () => {
  const page = await logIn();
  await page.getByRole("link", { name: "Account" }).click();
  await page.locator("#factor").getByLabel("Password").fill(world.staff.password);
  await page.getByRole("button", { name: "Set it up" }).click();
  await page.locator("#factor img").waitFor();
  const secret = await page.locator("#factor code").innerText();
  expect(await codeOn(page.locator("#factor img"))).toContain(`secret=${secret}`);
  await page.getByLabel("Code of the app").fill(totp(secret, Date.now()));
  await page.getByRole("button", { name: "Turn it on" }).click();
  await page.getByText("they are shown this once").waitFor();
  const codes = await page.locator(".codes li").allInnerTexts();
  expect(codes.length).toBeGreaterThan(4);
  expect(await barriers(page)).toEqual([]);
  await page.getByRole("button", { name: "I have kept them" }).click();
  await page.locator("#factor-state.good").waitFor();

  const other = await newPage(browser);
  await other.goto("/");
  await other.getByLabel("E-mail").fill(world.staff.email);
  await other.getByLabel("Password").fill(world.staff.password);
  await other.getByRole("button", { name: "Log in" }).click();
  await other.getByLabel("Code").fill(codes[0]!);
  await other.getByRole("button", { name: "Log in" }).click();
  await other.locator("#now").waitFor();
  await other.context().close();

  await page.getByRole("button", { name: "Turn it off" }).click();
  await page.locator("#factor").getByLabel("Password").fill(world.staff.password);
  await page.getByLabel("Code of the app").fill(codes[1]!);
  await page.getByRole("button", { name: "Turn it off" }).click();
  await page.getByRole("button", { name: "Set it up" }).waitFor();
  await page.context().close();
});

it("another session is ended, and its page has to log in again", async () => {
  const [page, other] = [await logIn(), await logIn()];
  await page.goto("/account");
  await page.getByText("this one").waitFor();
  await page.getByRole("button", { name: "End all others" }).click();
  await page.getByRole("button", { name: "End all others" }).waitFor({ state: "hidden" });
  await other.goto("/");
  await other.getByRole("button", { name: "Log in" }).waitFor();
  await Promise.all([page, other].map((each) => each.context().close()));
});

it.each(["light", "dark"] as const)("nobody is kept out in the %s, and nothing runs out of a small screen", async (colorScheme) => {
  const page = await logIn({ colorScheme, viewport: { width: 320, height: 600 } });
  for (const [path, ready] of [["/devices", "#list *"], ["/account", "#sessions table"]] as const) {
    await page.goto(path);
    await page.locator(ready).first().waitFor();
    expect(await barriers(page), path).toEqual([]);
    expect(await sideways(page), path).toBeLessThanOrEqual(0);
  }
  await page.context().close();
});

it("the pages never break their own policy", () => expect(complaints).toEqual([]));
