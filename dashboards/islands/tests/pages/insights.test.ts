import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { barriers } from "./axe";
import { complaints, figure, open, staff, stranger, world } from "./world";

let browser: Browser;
let page: Page;
beforeAll(async () => {
  browser = await open();
  page = await staff(browser);
});
afterAll(() => browser?.close());

async function dialog(button: string) {
  await page.goto(`/dashboards/overview?organizer_id=${world.organizer}`);
  await page.locator(".actions").getByRole("button", { name: button }).click();
  const found = page.getByRole("dialog");
  await found.waitFor();
  expect(await barriers(page)).toEqual([]);
  return found;
}

const manage = async (part: string) => {
  await page.goto(`/dashboards/manage?organizer_id=${world.organizer}#${part}`);
  const section = page.locator(`#${part}`);
  await section.waitFor();
  return section;
};

it("a shared page moves for who has the link, until the link is ended", async () => {
  const asked = await dialog("Share…");
  await asked.getByLabel("It works for").selectOption("7");
  await asked.getByLabel("Other websites may show it in a frame").check();
  await asked.getByRole("button", { name: "Make a link" }).click();
  const link = await asked.getByLabel("Link").inputValue();
  expect(await asked.getByLabel("Code for a website").inputValue()).toContain(`${link}?embed=1`);
  await asked.getByRole("button", { name: "Done" }).click();

  const guest = await stranger(browser);
  await guest.goto(new URL(link).pathname);
  await guest.locator("[data-live-state][data-state=live]").waitFor();
  expect(await figure(guest, "tickets_sold")).toBeGreaterThan(0);
  expect(await guest.locator("nav, form[data-filters], [data-share]:visible").count()).toBe(0);
  expect(await barriers(guest)).toEqual([]);

  const links = await manage("links");
  await links.getByRole("button", { name: "End" }).first().click();
  await page.getByRole("dialog").getByRole("button", { name: "End it" }).click();
  await links.getByText("Nobody has a link.").waitFor();
  await expect.poll(async () => (await guest.goto(new URL(link).pathname))?.status()).toBe(404);
  await guest.context().close();
});

it("a page is sent by e-mail every Monday, paused, and no longer", async () => {
  const asked = await dialog("E-mail…");
  await asked.getByLabel("Name").fill("Monday numbers");
  await asked.getByRole("button", { name: "Schedule it" }).click();
  await asked.getByText("It is scheduled.").waitFor();
  const reports = await manage("reports");
  await reports.getByText("Every Monday at 08:00").waitFor();
  await reports.getByRole("button", { name: "Pause" }).click();
  await reports.locator(".pill", { hasText: "paused" }).waitFor();
  await reports.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await reports.getByText("No page goes out by e-mail.").waitFor();
});

it("a figure is watched, with a limit as people write it", async () => {
  const asked = await dialog("Alert…");
  await asked.getByLabel("When").selectOption({ label: "Net sales" });
  await asked.getByLabel("Limit, in EUR").fill("1000");
  await asked.getByRole("button", { name: "Make it" }).click();
  await asked.getByText("It is watched from now on.").waitFor();
  const alerts = await manage("alerts");
  await alerts.getByText("Net sales today is below €1,000.00.").waitFor();
  await alerts.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await alerts.getByText("No figure is watched.").waitFor();
});

it("what the server refuses is said beside the field", async () => {
  const asked = await dialog("E-mail…");
  for (const box of await asked.locator("[name=recipients]:checked").all()) await box.uncheck();
  const text = asked.locator("input[name=recipients]:not([type=checkbox])");
  if (await text.count()) await text.fill("nobody@example.org");
  await asked.getByRole("button", { name: "Schedule it" }).click();
  await asked.locator(".trouble").waitFor();
  await page.keyboard.press("Escape");
});

it("the pages never break their own policy", () => expect(complaints).toEqual([]));
