// The server that runs, as the suite that started it tells it, and a browser that stands at its doors.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContextOptions, type Page, chromium } from "playwright-core";
import { film } from "./video";

export interface DoorWorld {
  list: string;
  /** The name of the list. */
  name: string;
  /** Devices: their ids and tokens. */
  devices: { id: string; token: string }[];
  codes: string[];
}

interface World {
  url: string;
  admin: string;
  doors: Record<string, DoorWorld>;
  /** What links in mails lead to, by what is to be seen there. */
  links: Record<string, string>;
  /** Somebody of the staff, and what they run. */
  staff: { email: string; password: string; event: string };
}

const told = process.env.BILTEN_WORLD;
if (!told) throw new Error("these tests need a server: `cargo test --test browser` starts one and then them");
export const world = JSON.parse(told) as World;

export function doorOf(name: string): DoorWorld {
  const door = world.doors[name];
  if (!door) throw new Error(`the world has no door ${name}`);
  return door;
}

function browserPath(): string {
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  for (const name of names) {
    try {
      return process.env.CHROMIUM ?? execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      // The next one.
    }
  }
  throw new Error("there is no Chromium: on Debian `apt-get install chromium`, or name one in CHROMIUM");
}

/** A browser whose camera sees this code, and nothing else for as long as it runs. */
export async function withCamera(code: string): Promise<{ browser: Browser; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "bilten-camera-"));
  const file = join(folder, "camera.y4m");
  await film(file, code);
  const browser = await chromium.launch({
    executablePath: browserPath(),
    args: [
      "--no-sandbox",
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
      `--use-file-for-fake-video-capture=${file}`,
    ],
  });
  const close = async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  };
  return { browser, close };
}

export const browserWithoutCamera = (): Promise<Browser> =>
  chromium.launch({ executablePath: browserPath(), args: ["--no-sandbox"] });

/** What no page may ever say in its console: an error of its own, or that its policy forbids something. */
export const complaints: string[] = [];

export async function newPage(browser: Browser, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 390, height: 844 },
    locale: "en-GB",
    reducedMotion: "reduce",
    permissions: ["camera"],
    baseURL: world.url,
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy|Uncaught/i.test(message.text())) complaints.push(message.text());
  });
  return page;
}

/** Registers the device by its link, and opens the list. */
export async function openDoor(page: Page, door: DoorWorld, device = 0): Promise<void> {
  await page.goto(`/scanner#token=${door.devices[device]?.token}&gate=${device === 0 ? "North" : "South"}`);
  await page.locator(".choice", { hasText: door.name }).click();
  await page.locator(".door [data-net=online]").waitFor();
}

export async function typeCode(page: Page, code: string): Promise<void> {
  await page.getByRole("button", { name: "Type code" }).click();
  await page.getByLabel("Ticket code").fill(code);
  await page.getByRole("button", { name: "Check" }).click();
  await page.locator(".verdict").waitFor();
}

/** What the verdict says, all of it. */
export const verdict = (page: Page): Promise<string> => page.locator(".verdict .told").innerText();

export const next = (page: Page): Promise<void> => page.locator(".verdict .next").click();

/** The page is kept by its service worker, which serves it from now on. */
export async function installed(page: Page): Promise<void> {
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller) {
      await new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
    }
  });
}

export async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  const headers = { authorization: `Bearer ${world.admin}`, "content-type": "application/json" };
  const response = await fetch(world.url + path, { ...init, headers });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return (text ? JSON.parse(text) : undefined) as T;
}

export const attendance = (door: DoorWorld): Promise<{ inside: number; entered: number }> =>
  ask(`/v1/check-in-lists/${door.list}/attendance`);
