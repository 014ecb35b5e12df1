import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, attendance, doorOf, installed, newPage, next, openDoor, typeCode, verdict, withCamera } from "./world";

let camera: Awaited<ReturnType<typeof withCamera>>;
beforeAll(async () => void (camera = await withCamera("not a ticket")));
afterAll(() => camera?.close());

/** The camera has seen something, and that is out of the way. */
const quiet = async (page: Awaited<ReturnType<typeof newPage>>) => {
  await page.locator(".verdict.refused").waitFor();
  await next(page);
};

/** So many scans at least wait for the network: what the camera sees is one of them whenever it looks again. */
const waiting = (page: Awaited<ReturnType<typeof newPage>>, least: number) =>
  expect.poll(async () => Number(await page.locator("[data-queued]").getAttribute("data-queued"))).toBeGreaterThanOrEqual(least);

describe("without a network", () => {
  it("the page opens, judges, keeps, and sends when the network is back", async () => {
    const door = doorOf("offline");
    const page = await newPage(camera.browser);
    await openDoor(page, door);
    await quiet(page);
    await installed(page);
    await page.context().setOffline(true);
    await page.reload();
    await page.locator("[data-net=offline]").waitFor();
    await quiet(page);
    await waiting(page, 1);

    await typeCode(page, door.codes[0]!);
    let said = await verdict(page);
    for (const words of ["Welcome", "Ada Lovelace", "Regular", "Decided on this device"]) expect(said).toContain(words);
    await next(page);
    await waiting(page, 2);
    await typeCode(page, door.codes[0]!);
    said = await verdict(page);
    for (const words of ["No entry", "used already", "North"]) expect(said).toContain(words);
    await next(page);
    await typeCode(page, door.codes[1]!);
    await next(page);
    await waiting(page, 4);
    expect(await attendance(door)).toMatchObject({ entered: 0 });

    // The battery is changed.
    await page.reload();
    await quiet(page);
    await waiting(page, 4);
    await page.context().setOffline(false);
    await page.locator("[data-net=online]").waitFor();
    await page.locator("[data-queued]").waitFor({ state: "detached" });
    await page.locator("[data-entered='2']").waitFor();
    expect(await attendance(door)).toMatchObject({ inside: 2, entered: 2 });
    expect(await page.locator("[data-conflicts]").count()).toBe(0);
    await page.context().close();
  });

  it("two doors let one ticket in, and one of them is told", async () => {
    const door = doorOf("conflict");
    const pages = await Promise.all([0, 1].map(() => newPage(camera.browser)));
    for (const [device, page] of pages.entries()) {
      await openDoor(page, door, device);
      await quiet(page);
      await page.context().setOffline(true);
      await page.locator("[data-net=offline]").waitFor();
    }
    for (const page of pages) {
      await typeCode(page, door.codes[0]!);
      expect(await verdict(page)).toContain("Welcome");
      await next(page);
    }
    for (const page of pages) {
      await page.context().setOffline(false);
      await page.locator("[data-queued]").waitFor({ state: "detached" });
    }
    expect(await pages[0]!.locator("[data-conflicts]").count()).toBe(0);
    const conflict = pages[1]!.locator("[data-conflicts='1']");
    await conflict.click();
    expect(await pages[1]!.locator(".menu").innerText()).toContain("The ticket was used already");
    await pages[1]!.getByRole("button", { name: "Seen to" }).click();
    await conflict.waitFor({ state: "detached" });
    expect(await attendance(door)).toMatchObject({ entered: 1 });
    await Promise.all(pages.map((page) => page.context().close()));
  });
});

it("a device that is revoked forgets everything", async () => {
  const door = doorOf("revoked");
  const page = await newPage(camera.browser);
  await openDoor(page, door);
  await quiet(page);
  await typeCode(page, door.codes[0]!);
  await next(page);
  await ask(`/v1/devices/${door.devices[0]!.id}`, { method: "DELETE" });
  await page.getByRole("alert").getByText("This device was revoked").waitFor({ timeout: 30_000 });
  const left = await page.evaluate(async () => {
    const db = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open("bilten-scanner");
      request.onsuccess = () => resolve(request.result);
    });
    const keys = (name: string) =>
      new Promise<IDBValidKey[]>((resolve) => {
        const request = db.transaction(name).objectStore(name).getAllKeys();
        request.onsuccess = () => resolve(request.result);
      });
    return [...(await keys("values")), ...(await keys("scans"))];
  });
  expect(left).toEqual(["language"]);
});

it("a token that nobody knows is refused in words", async () => {
  const page = await newPage(camera.browser);
  await page.goto("/scanner#token=bilten_device_wrong");
  await page.getByText("This token is not valid").waitFor();
  expect(page.url()).not.toContain("token");
});
