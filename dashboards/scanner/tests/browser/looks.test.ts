import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { barriers, sideways } from "./axe";
import { complaints, doorOf, newPage, next, openDoor, withCamera } from "./world";

const door = doorOf("looks");
let camera: Awaited<ReturnType<typeof withCamera>>;
beforeAll(async () => void (camera = await withCamera("not a ticket")));
afterAll(() => camera?.close());

async function everywhere(page: Page, check: (where: string) => Promise<void>): Promise<void> {
  await page.goto("/scanner");
  await page.locator("form").waitFor();
  await check("log-in");
  await page.goto(`/scanner#token=${door.devices[0]!.token}`);
  await page.reload();
  await page.locator(".choice").first().waitFor();
  await check("lists");
  await page.locator(".choice", { hasText: door.name }).click();
  await page.locator(".verdict.refused").waitFor();
  await check("refusal");
  await next(page);
  await check("door");
  await page.keyboard.type(door.codes[0]!);
  await page.keyboard.press("Enter");
  await page.locator(".verdict").waitFor();
  await check("verdict");
  await next(page);
  await page.locator(".bar button").last().click();
  await page.locator(".menu").waitFor();
  await check("menu");
}

describe.each(["light", "dark"] as const)("in the %s", (colorScheme) => {
  it("nobody is kept out: axe finds nothing serious on any screen", async () => {
    const page = await newPage(camera.browser, { colorScheme });
    await everywhere(page, async (where) => expect(await barriers(page), where).toEqual([]));
    await page.context().close();
  });
});

it.each(["en-GB", "de-AT", "ar-EG"])("nothing runs out of a screen of 320 pixels in %s", async (locale) => {
  const page = await newPage(camera.browser, { locale, viewport: { width: 320, height: 568 } });
  await everywhere(page, async (where) => expect(await sideways(page), where).toBeLessThanOrEqual(0));
  await page.context().close();
});

it("Arabic runs from right to left, and another language can be chosen", async () => {
  const page = await newPage(camera.browser, { locale: "ar-EG" });
  await page.goto("/scanner");
  const title = page.locator("h1");
  await title.waitFor();
  expect(await page.evaluate(() => [document.documentElement.dir, document.documentElement.lang])).toEqual(["rtl", "ar"]);
  const [mark, choice] = [await page.locator(".brand img").boundingBox(), await page.locator(".languages").boundingBox()];
  expect(mark!.x).toBeGreaterThan(choice!.x);
  await page.locator(".languages").selectOption("de");
  await page.getByText("Dieses Gerät anmelden").waitFor();
  await page.reload();
  await page.getByText("Dieses Gerät anmelden").waitFor();
  expect(await page.evaluate(() => document.documentElement.dir)).toBe("ltr");
});

it("is an app that can be installed", async () => {
  const page = await newPage(camera.browser);
  await openDoor(page, door);
  const session = await page.context().newCDPSession(page);
  const { installabilityErrors } = (await session.send("Page.getInstallabilityErrors")) as { installabilityErrors: { errorId: string }[] };
  // A browser without a profile refuses every app.
  expect(installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== "in-incognito")).toEqual([]);
});

it("never breaks its own policy", () => expect(complaints).toEqual([]));
