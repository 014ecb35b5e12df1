// How soon a figure of an open page changes. The benchmark that starts this makes the purchases, and knows when each was
// committed; here one only looks. Run with WATCH={ url, token, path, metric } in the environment, by Node.
//
// Says `ready` on a line when the page is live. When standard input ends, prints one line of JSON and ends:
// { "changes": [[at_ms, value], …] }: each value that the figure took, with the time of the Unix epoch in
// milliseconds at which the page's own document had it.

import { execFileSync } from "node:child_process";
import { chromium } from "playwright-core";

const { url, token, path, metric } = JSON.parse(process.env.WATCH ?? "{}");
const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const found =
  process.env.CHROMIUM ?? execFileSync("sh", ["-c", `command -v ${names.join(" || command -v ")}`], { encoding: "utf8" }).trim();

const browser = await chromium.launch({ executablePath: found, args: ["--no-sandbox"] });
try {
  const context = await browser.newContext({
    baseURL: url,
    locale: "en-GB",
    viewport: { width: 1280, height: 900 },
    extraHTTPHeaders: { authorization: `Bearer ${token}` },
  });
  const page = await context.newPage();
  await page.goto(path);
  await page.locator("[data-live-state][data-state=live]").waitFor({ timeout: 60_000 });
  await page.evaluate((name) => {
    const figure = document.querySelector(`.figure[data-metric="${name}"]`);
    if (!figure) throw new Error(`the page has no figure ${name}`);
    const changes = [];
    const look = () => {
      const value = Number(figure.querySelector("dd")?.dataset.value);
      // Monotonic, and counted from the epoch: the other end of the measurement has the same clock.
      if (Number.isFinite(value) && value !== changes.at(-1)?.[1])
        changes.push([performance.timeOrigin + performance.now(), value]);
    };
    look();
    new MutationObserver(look).observe(figure, { subtree: true, childList: true, characterData: true, attributes: true });
    globalThis.changes = changes;
  }, metric);
  process.stdout.write("ready\n");
  for await (const _ of process.stdin);
  const changes = await page.evaluate(() => globalThis.changes);
  process.stdout.write(`${JSON.stringify({ changes })}\n`);
} finally {
  await browser.close();
}
