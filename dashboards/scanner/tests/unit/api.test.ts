import { afterEach, describe, expect, it, vi } from "vitest";
import { api } from "../../src/door/api";
import type { Scan } from "../../src/door/model";
import { Revoked, Unreachable } from "../../src/door/server";
import type { DownloadView } from "../../src/door/views";
import { DEVICE, WELCOME } from "./world";

afterEach(() => void vi.unstubAllGlobals());

/** A server that gives these answers, one after the other. */
function answers(...given: [status: number, body: unknown][]) {
  const asked = vi.fn<typeof fetch>(async () => {
    const [status, body] = given.shift() ?? [500, ""];
    return new Response(typeof body === "string" ? body : JSON.stringify(body), { status });
  });
  vi.stubGlobal("fetch", asked);
  return asked;
}

const scan: Scan = {
  nonce: "n1",
  listId: "list",
  code: "c",
  kind: "entry",
  scannedAt: "2026-05-01T19:30:00.000Z",
  gate: "north",
  force: false,
  why: null,
  ignoreUnpaid: false,
  verdict: WELCOME,
  state: "queued",
  unsure: false,
  conflict: null,
  looked: false,
  inDownload: false,
  undo: null,
};

const view = { verdict: "accepted", reason: null, forced: false, repeated: false, ticket: null, first_scan: null };

describe("what an answer means", () => {
  it.each([500, 503, 429, 408, 421])("%i: another time", async (status) => {
    answers([status, {}]);
    await expect(api(DEVICE).redeem(scan, 100)).rejects.toBeInstanceOf(Unreachable);
  });

  it("401: the device is revoked", async () => {
    answers([401, { detail: "unknown" }]);
    await expect(api(DEVICE).redeem(scan, 100)).rejects.toBeInstanceOf(Revoked);
  });

  it("404: the server won't, and says why", async () => {
    answers([404, { code: "not_found", detail: "no such list" }]);
    await expect(api(DEVICE).redeem(scan, 100)).rejects.toMatchObject({ message: "no such list", code: "not_found" });
  });

  it.each([200, 403])("a page of a network that wants a log-in, with status %i, is no answer of the server", async (status) => {
    answers([status, "<html>Welcome to our hotel</html>"]);
    await expect(api(DEVICE).redeem(scan, 100)).rejects.toBeInstanceOf(Unreachable);
  });

  it("a reason from a later version is told as another one", async () => {
    answers([200, { ...view, verdict: "refused", reason: "wrong_hat" }]);
    expect((await api(DEVICE).redeem(scan, 100)).reason).toBe("other");
  });
});

it("sends what happened offline as that, and reads an answer for each", async () => {
  const turnedAway = { ...view, verdict: "refused", reason: "blocked" };
  const asked = answers([
    200,
    { answers: [{ ...view, forced: true, reason: "already_redeemed" }, { error: {} }, view, turnedAway] },
  ]);
  const forced = { ...scan, nonce: "n3", force: true, why: "the singer" };
  const refused = { ...scan, nonce: "n4", verdict: { ...WELCOME, accepted: false, reason: "blocked" as const } };
  const outcomes = await api(DEVICE).send("list", [scan, { ...scan, nonce: "n2" }, forced, refused]);
  const { scans } = JSON.parse(asked.mock.calls[0]?.[1]?.body as string) as { scans: object[] };
  const told = { code: "c", kind: "entry", gate: "north", ignore_unpaid: false, offline: true, scanned_at: scan.scannedAt };
  expect(scans[0]).toEqual({ ...told, nonce: "n1", force: false, note: null, refused: null });
  expect(scans[2]).toEqual({ ...told, nonce: "n3", force: true, note: "the singer", refused: null });
  expect(scans[3]).toEqual({ ...told, nonce: "n4", force: false, note: null, refused: "blocked" });
  expect(outcomes.map(({ nonce, state, conflict }) => [nonce, state, conflict])).toEqual([
    ["n1", "sent", "already_redeemed"],
    ["n2", "rejected", "other"],
    ["n3", "sent", null],
    ["n4", "sent", null],
  ]);
});

describe("a download", () => {
  const page = (changes: Partial<DownloadView>): DownloadView => ({
    list: {
      check_in_list_id: "list",
      name: "Main",
      reentry: true,
      multi_entry: false,
      include_pending: false,
      ticket_types: [{ ticket_type_id: "t1" }],
      opens_at: "2026-05-01T19:30:00.000001Z",
      closes_at: null,
      min_gap_minutes: null,
      once_a_day: false,
      emptied_at: null,
    },
    event: { title: "Late Quartet", status: "published", timezone: "Europe/Vienna" },
    keys: [{ number: 0, public_key: "AQID" }],
    ticket_types: [{ ticket_type_id: "t1", name: "Regular", valid_from: null, valid_to: null }],
    revocations: null,
    attendees: [],
    seen: [],
    cursor: "1",
    more: false,
    ...changes,
  });
  const entered = { entries: 1, last_at: "2026-05-01T19:30:00Z", last_kind: "entry" as const, first_at: null, first_gate: null, entered_at: null };

  it("is put together from its pages, and later from what is new", async () => {
    const revoked = { ticket_id: "a", code_version: 2, cancelled: false, blocked: false, due: "nothing" as const };
    const asked = answers(
      [200, page({ attendees: [["l1", "b1"]], more: true })],
      [200, page({ attendees: [["l2", "b2"]], seen: [{ ticket_id: "a", ...entered }], revocations: [revoked], cursor: "2" })],
      [200, page({ seen: [{ ticket_id: "a", ...entered, entries: 0, last_kind: null }], revocations: [], cursor: "3" })],
    );
    const first = await api(DEVICE).download("list", null);
    expect(first.boxes).toEqual({ l1: "b1", l2: "b2" });
    expect(first.rules.opens_at).toBe(Date.parse("2026-05-01T19:30:00Z") * 1_000 + 1);
    expect(first.revocations).toEqual({ a: { codeVersion: 2, cancelled: false, blocked: false, due: "nothing" } });
    const second = await api(DEVICE).download("list", first);
    expect(second.boxes).toBe(first.boxes);
    expect(second.seen.a).toMatchObject({ entries: 0, last_kind: null });
    expect(second.revocations).toEqual({});
    expect(asked.mock.calls.map(([path]) => String(path).split("?")[1])).toEqual([undefined, "cursor=1", "cursor=2"]);
  });

  it("begins anew if the server no longer reads its cursor", async () => {
    answers([200, page({})], [400, { code: "invalid_parameter" }], [200, page({ cursor: "9" })]);
    const first = await api(DEVICE).download("list", null);
    expect((await api(DEVICE).download("list", first)).cursor).toBe("9");
  });
});

it("takes back, or says that it is too late", async () => {
  answers([200, {}], [409, { code: "too_late" }], [503, {}]);
  expect(await api(DEVICE).annul(scan)).toBe(true);
  expect(await api(DEVICE).annul(scan)).toBe(false);
  await expect(api(DEVICE).annul(scan)).rejects.toBeInstanceOf(Unreachable);
});
