import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { barriers, sideways } from "./axe";
import { complaints, open, staff, world } from "./world";

let browser: Browser;
let page: Page;
beforeAll(async () => {
  browser = await open();
  page = await staff(browser);
  await page.goto(`/dashboards/sql?organizer_id=${world.organizer}`);
  await page.locator(".cm-content").waitFor();
});
afterAll(() => browser?.close());

async function run(sql: string): Promise<void> {
  await page.locator(".cm-content").click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText(sql);
  await page.keyboard.press("ControlOrMeta+Enter");
}

const COUNTED = "select status, count(*) as orders from orders group by status";

it("a question is answered, and the answer says as of when", async () => {
  await run(COUNTED);
  await page.getByRole("cell", { name: "paid" }).waitFor();
  expect(await page.locator(".run [role=status]").innerText()).toMatch(/^\d+ rows? in [\d,]+ ms, as of change [\d,]+$/);
});

it("what is shown is what the lake said, digit by digit", async () => {
  await run("select 9007199254740993 as big, 1.10::decimal(20, 2) as price, 'NaN'::double as odd");
  for (const name of ["9007199254740993", "1.10", "NaN"]) await page.getByRole("cell", { name, exact: true }).waitFor();
});

it("an answer that is too large for a page is cut, and says so", async () => {
  await run("select value from generate_series(1, 3000000)");
  await page.getByRole("status").getByText("all are in the files").waitFor();
  expect(await page.locator(".answer tbody tr").count()).toBe(500);
});

it("no answer stands below another question", async () => {
  await run(COUNTED);
  await page.getByRole("cell", { name: "paid" }).waitFor();
  await run("select count(*) from generate_series(1, 60000) a, generate_series(1, 60000) b where (a.value * b.value) % 7 = 3");
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("status").getByText("Cancelled.").waitFor();
  expect(await page.locator(".answer").innerText()).toBe("");
});

it("what is wrong is told, with its place in the text", async () => {
  await run("select status\nfrm orders");
  await page.locator(".trouble:visible").waitFor();
  await run("select nothing_like_it from orders");
  await expect.poll(() => page.locator(".trouble").innerText()).toContain("nothing_like_it");
});

it("tables are found, and their names and columns written by a click", async () => {
  await run("select ");
  await page.getByLabel("Find a table or column").fill("quantity");
  const tree = page.getByRole("navigation", { name: "Tables" });
  await tree.getByRole("button", { name: "quantity", exact: true }).first().click();
  expect(await page.locator(".cm-content").innerText()).toContain("quantity");
  await page.getByLabel("Find a table or column").fill("");
});

it("columns of the tables in the text are offered while one writes", async () => {
  await run("");
  await page.keyboard.insertText("from orders select ");
  await page.keyboard.type("currenc");
  await page.locator(".cm-tooltip-autocomplete").getByText("currency").first().waitFor();
  await page.keyboard.press("Escape");
});

it("an answer becomes a chart, a pivot and files", async () => {
  await run(COUNTED);
  await page.getByRole("tab", { name: "Chart" }).click();
  await page.locator(".answer .drawn svg").waitFor();
  await page.getByLabel("Mark", { exact: true }).selectOption("line");
  await page.getByLabel("Mark", { exact: true }).selectOption("bar");
  await page.locator(".answer .drawn svg").waitFor();
  await page.getByRole("tab", { name: "Pivot" }).click();
  await page.locator("perspective-viewer-datagrid td").first().waitFor();
  const begins: Record<string, string> = { CSV: "status,orders", XLSX: "PK", Parquet: "PAR1" };
  for (const [name, start] of Object.entries(begins)) {
    const coming = page.waitForEvent("download");
    await page.getByRole("button", { name: `Save as ${name}` }).click();
    expect(
      readFileSync(await (await coming).path())
        .toString("latin1")
        .slice(0, start.length),
    ).toBe(start);
  }
  await page.getByRole("tab", { name: "Table" }).click();
});

it("what was asked is kept on this device", async () => {
  await run("select 41 + 1 as answer");
  await page.getByRole("cell", { name: "42" }).waitFor();
  await page.reload();
  await page.getByText("History").click();
  await page
    .locator(".asked-list")
    .getByRole("button", { name: /select 41 \+ 1/ })
    .click();
  expect(await page.locator(".cm-content").innerText()).toBe("select 41 + 1 as answer");
});

it("a question is saved with its name, opened again and deleted", async () => {
  await run(COUNTED);
  await page.getByRole("cell", { name: "paid" }).waitFor();
  await page.getByRole("button", { name: "Save…" }).click();
  const asked = page.getByRole("dialog");
  await asked.getByLabel("Name").fill("Orders by status");
  await asked.getByRole("button", { name: "Save" }).click();
  await page.reload();
  await page.getByRole("button", { name: "Orders by status", exact: true }).click();
  await page.locator(".answer svg, .answer td").first().waitFor();
  await page.getByRole("button", { name: "Delete Orders by status" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("None is kept yet.").waitFor();
});

describe.each(["light", "dark"] as const)("in the %s", (colorScheme) => {
  it("nobody is kept out, and nothing runs out of a small screen", async () => {
    const own = await staff(browser, { colorScheme, viewport: { width: 360, height: 740 } });
    await own.goto(`/dashboards/sql?organizer_id=${world.organizer}`);
    await own.locator(".cm-content").waitFor();
    await own.getByRole("button", { name: "Run" }).click();
    await own.locator(".answer td").first().waitFor();
    expect(await barriers(own)).toEqual([]);
    expect(await sideways(own)).toBeLessThanOrEqual(0);
    await own.context().close();
  });
});

it("the page never breaks its own policy", () => expect(complaints).toEqual([]));
