import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { attendance, complaints, doorOf, newPage, next, openDoor, typeCode, verdict, withCamera } from "./world";

const door = doorOf("online");
let camera: Awaited<ReturnType<typeof withCamera>>;
let page: Page;

beforeAll(async () => {
  camera = await withCamera(door.codes[0]!);
  page = await newPage(camera.browser);
  await openDoor(page, door);
});
afterAll(() => camera?.close());

it("lets in the ticket that the camera sees, and says whose it is", async () => {
  await page.locator(".verdict.accepted").waitFor();
  const said = await verdict(page);
  for (const words of ["Welcome", "Ada Lovelace", "Regular"]) expect(said).toContain(words);
  expect(said).not.toContain("Decided on this device");
  expect(await page.locator("#said").innerText()).toContain("Welcome");
  await page.locator(".verdict").waitFor({ state: "detached" });
  await page.locator("[data-entered='1']").waitFor();
});

it("refuses the same ticket, with time and gate of its first entry", async () => {
  await typeCode(page, door.codes[0]!);
  const said = await verdict(page);
  for (const words of ["No entry", "used already", "North", "First entry"]) expect(said).toContain(words);
});

it("lets a person overrule that with a reason, and take it back", async () => {
  await page.getByRole("button", { name: "Let in anyway" }).click();
  await page.getByLabel("Reason").fill("came back for her coat");
  await page.locator("dialog").getByRole("button", { name: "Let in anyway" }).click();
  await page.locator(".verdict.by-hand").waitFor();
  expect(await verdict(page)).toContain("Let in by hand");
  await page.getByRole("button", { name: "Undo" }).click();
  await page.locator(".verdict").waitFor({ state: "detached" });
  await expect.poll(() => attendance(door)).toMatchObject({ inside: 1, entered: 1 });
});

it("refuses what is no ticket, and offers nobody to overrule that", async () => {
  await typeCode(page, "https://example.org/menu");
  expect(await verdict(page)).toContain("not a ticket for this event");
  expect(await page.getByRole("button", { name: "Let in anyway" }).count()).toBe(0);
  await next(page);
});

it("hears a hand scanner that plays a keyboard", async () => {
  await page.keyboard.type(door.codes[1]!);
  await page.keyboard.press("Enter");
  await page.locator(".verdict.accepted").waitFor();
  await next(page);
});

it("lets people out, and counts them", async () => {
  await page.locator(".directions label", { hasText: "Exit" }).click();
  await typeCode(page, door.codes[1]!);
  expect(await verdict(page)).toContain("Goodbye");
  await next(page);
  await expect.poll(() => attendance(door)).toMatchObject({ inside: 1, entered: 2 });
  await page.locator(".directions label", { hasText: "Entry" }).click();
  expect(await page.getByRole("radio", { name: "Entry" }).isChecked()).toBe(true);
});

it("shows what was scanned, newest first", async () => {
  await page.getByRole("button", { name: "Menu" }).click();
  expect(await page.locator(".scan-row").count()).toBe(6);
  expect(await page.locator(".scan-row").first().innerText()).toContain("Goodbye");
  expect(await page.locator(".menu").innerText()).toContain("Everything is sent");
  await page.getByRole("button", { name: "Close" }).click();
});

it("never breaks its own policy", () => expect(complaints).toEqual([]));
