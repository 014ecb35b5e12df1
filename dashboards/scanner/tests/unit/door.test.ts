import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Door } from "../../src/door/door";
import { Refused, Revoked, Unreachable } from "../../src/door/server";
import { BATCH } from "../../src/door/sync";
import { WELCOME, download, server, ticket, world } from "./world";

let open: Door[] = [];

/** A door that is closed after the test. */
async function doorWith(told = server()) {
  const made = await world(told);
  open.push(made.door);
  return made;
}

beforeEach(() => void vi.stubGlobal("navigator", { onLine: true }));
afterEach(() => {
  for (const door of open) door.close();
  open = [];
  vi.unstubAllGlobals();
});

const away = async (): Promise<never> => {
  throw new Unreachable();
};

function offline() {
  const told = server();
  told.redeem.mockImplementation(away);
  told.send.mockImplementation(away);
  told.attendance.mockImplementation(away);
  return told;
}

function backAgain(told: ReturnType<typeof server>) {
  const well = server();
  told.send.mockImplementation(well.send);
  told.attendance.mockImplementation(well.attendance);
}

describe("with a network", () => {
  it("asks the server and keeps nothing waiting", async () => {
    const { door, told } = await doorWith();
    const scan = await door.scan(ticket(1).code, "entry");
    expect(scan.verdict).toMatchObject({ accepted: true, here: false, ticketType: "Regular" });
    expect(door.state()).toMatchObject({ queued: 0, net: "online" });
    expect(told.redeem.mock.calls[0]?.[0]).toMatchObject({ kind: "entry", gate: "north", force: false });
  });

  it("forces with the reason that was given", async () => {
    const { door, told } = await doorWith();
    await door.scan(ticket(1).code, "entry", { why: "guest of the band" });
    expect(told.redeem.mock.calls[0]?.[0]).toMatchObject({ force: true, why: "guest of the band" });
  });

  it("shows what the server refuses to hear as a refusal, and does not send it again", async () => {
    const told = server();
    told.redeem.mockRejectedValue(new Refused("no such list"));
    const { door } = await doorWith(told);
    const scan = await door.scan(ticket(1).code, "entry");
    expect(scan).toMatchObject({ state: "rejected", verdict: { accepted: false, reason: "other" } });
    await door.sync();
    expect(told.send).not.toHaveBeenCalled();
  });

  it("tells once that the device was revoked, and stops", async () => {
    const told = server();
    told.redeem.mockRejectedValue(new Revoked());
    const { door } = await doorWith(told);
    const revoked = vi.fn();
    door.watch(() => undefined, revoked);
    await expect(door.scan(ticket(1).code, "entry")).rejects.toBeInstanceOf(Revoked);
    expect(revoked).toHaveBeenCalledOnce();
  });
});

describe("without a network", () => {
  it("lets a ticket in once, and names the first entry to the second one", async () => {
    const { door } = await doorWith(offline());
    const [first, second] = [await door.scan(ticket(1).code, "entry"), await door.scan(ticket(1).code, "entry")];
    expect(first.verdict).toMatchObject({ accepted: true, here: true });
    expect(second.verdict).toMatchObject({ accepted: false, reason: "already_redeemed", first: { gate: "north" } });
    expect(second.verdict.first?.at).toBe(first.scannedAt);
    expect(door.state().queued).toBe(2);
  });

  it("has a server that was asked and did not answer take back what was refused here", async () => {
    const { door, told } = await doorWith(offline());
    await door.scan("no code", "entry");
    expect(door.state().queued).toBe(1);
    backAgain(told);
    told.annul.mockResolvedValue(false);
    await door.sync();
    expect(told.annul).toHaveBeenCalledOnce();
    expect(door.scans[0]).toMatchObject({ state: "sent", unsure: false, undo: null });
    expect(door.state().queued).toBe(0);
  });

  it("knows a forged code, a code of another version and a blocked ticket", async () => {
    const told = offline();
    const well = { codeVersion: 1, cancelled: false, blocked: false, due: "nothing" as const };
    const revocations = {
      [ticket(2).id]: { ...well, codeVersion: 2 },
      [ticket(3).id]: { ...well, blocked: true },
      [ticket(4).id]: { ...well, cancelled: true },
    };
    told.download.mockResolvedValue(download({ revocations }));
    const { door } = await doorWith(told);
    const code = ticket(1).code;
    const forged = code.slice(0, 60) + (code[60] === "A" ? "B" : "A") + code.slice(61);
    const reason = async (shown: string) => (await door.scan(shown, "entry")).verdict.reason;
    expect(await reason(forged)).toBe("invalid");
    expect(await reason("hello")).toBe("invalid");
    expect(await reason(ticket(2).code)).toBe("revoked");
    expect(await reason(ticket(2, 2).code)).toBeNull();
    expect(await reason(ticket(3).code)).toBe("blocked");
    expect(await reason(ticket(4).code)).toBe("cancelled");
  });

  it("lets in who has not paid only where the list allows it, and nobody whose order waits", async () => {
    const told = offline();
    const well = { codeVersion: 1, cancelled: false, blocked: false };
    const revocations = {
      [ticket(2).id]: { ...well, due: "payment" as const },
      [ticket(3).id]: { ...well, due: "approval" as const },
    };
    const { rules } = download();
    told.download.mockResolvedValue(download({ revocations, rules: { ...rules, include_pending: true } }));
    const { door } = await doorWith(told);
    const reason = async (number: number, ignoreUnpaid: boolean) =>
      (await door.scan(ticket(number).code, "entry", { ignoreUnpaid })).verdict.reason;
    expect(await reason(2, false)).toBe("unpaid");
    expect(await reason(2, true)).toBeNull();
    expect(await reason(3, true)).toBe("unapproved");
  });

  it("does not ask again at each ticket once the server was silent", async () => {
    const { door, told } = await doorWith(offline());
    await door.scan(ticket(1).code, "entry");
    await door.scan(ticket(2).code, "entry");
    expect(told.redeem).toHaveBeenCalledOnce();
    expect(door.state().net).toBe("slow");
  });

  it("keeps the queue over a restart and sends it in batches, with nonce and time", async () => {
    const { door, told, again } = await doorWith(offline());
    const scans = [];
    for (let number = 0; number < BATCH + 5; number++) scans.push(await door.scan(ticket(number).code, "entry"));
    door.close();
    backAgain(told);
    const later = await again();
    open.push(later);
    expect(later.state().queued).toBe(BATCH + 5);
    await later.sync();
    expect(later.state()).toMatchObject({ queued: 0, net: "online" });
    const sent = told.send.mock.calls.map(([, batch]) => batch).filter((batch) => batch.length > 0).slice(-2);
    expect(sent.map((batch) => batch.length)).toEqual([BATCH, 5]);
    expect(sent[0]?.[0]).toMatchObject({ nonce: scans[0]?.nonce, scannedAt: scans[0]?.scannedAt });
  });
});

describe("the server's answers to what was sent later", () => {
  it("are taken one by one: a conflict is shown, what is wrong is not sent again", async () => {
    const { door, told } = await doorWith(offline());
    for (const number of [1, 2, 3]) await door.scan(ticket(number).code, "entry");
    backAgain(told);
    told.send.mockImplementation(async (_, scans) =>
      scans.map(({ nonce }, index) => ({
        nonce,
        state: index === 1 ? ("rejected" as const) : ("sent" as const),
        conflict: index === 0 ? "already_redeemed" : null,
        verdict: { ...WELCOME, holder: "Ada" },
      })),
    );
    await door.sync();
    expect(door.scans.map(({ state }) => state)).toEqual(["sent", "rejected", "sent"]);
    expect(door.scans[0]).toMatchObject({ conflict: "already_redeemed", verdict: { accepted: true, holder: "Ada" } });
    expect(door.state()).toMatchObject({ conflicts: 1, queued: 0 });
    await door.settle(door.scans[0]!);
    expect(door.state().conflicts).toBe(0);
  });

  it("that refuse one list hold up nothing else, and lose nothing", async () => {
    const { door, told } = await doorWith(offline());
    await door.scan(ticket(1).code, "entry");
    door.scans[0]!.listId = "another";
    await door.scan(ticket(2).code, "entry");
    backAgain(told);
    const well = server().send;
    told.send.mockImplementation(async (listId, scans) => {
      if (listId === "another") throw new Refused("not yours");
      return well(listId, scans);
    });
    await door.sync();
    expect(door.scans.map(({ state }) => state)).toEqual(["queued", "sent"]);
    expect(door.state().net).toBe("online");
  });

  it("that are missing leave the scan in the queue", async () => {
    const { door, told } = await doorWith(offline());
    await door.scan(ticket(1).code, "entry");
    backAgain(told);
    told.send.mockResolvedValue([]);
    await door.sync();
    expect(door.state().queued).toBe(1);
  });
});

describe("taking back", () => {
  it("is told to the server at once, and the ticket may enter again", async () => {
    const { door, told } = await doorWith();
    const scan = await door.scan(ticket(1).code, "entry");
    expect(await door.undo(scan.nonce)).toBe(true);
    expect(told.annul).toHaveBeenCalledOnce();
    expect(scan.undo).toBe("done");
  });

  it("works offline, and the server hears of both in order", async () => {
    const { door, told } = await doorWith(offline());
    const scan = await door.scan(ticket(1).code, "entry");
    await door.undo(scan.nonce);
    expect((await door.scan(ticket(1).code, "entry")).verdict.accepted).toBe(true);
    expect(told.annul).not.toHaveBeenCalled();
    backAgain(told);
    await door.sync();
    expect(told.send).toHaveBeenCalled();
    expect(told.annul).toHaveBeenCalledOnce();
    expect(door.state().queued).toBe(0);
  });

  it("is too late if the server says so", async () => {
    const told = server();
    told.annul.mockResolvedValue(false);
    const { door } = await doorWith(told);
    const scan = await door.scan(ticket(1).code, "entry");
    expect(await door.undo(scan.nonce)).toBe(false);
  });
});

it("counts what it has sent only once when the next download counts it too", async () => {
  const told = offline();
  told.download.mockResolvedValueOnce(download({ rules: { ...download().rules, reentry: true } }));
  const { door } = await doorWith(told);
  const { id, code } = ticket(1);
  const scan = await door.scan(code, "entry");
  backAgain(told);
  const at = Date.parse(scan.scannedAt) * 1_000;
  const seen = { entries: 1, last_at: at, last_kind: "entry" as const, first_at: at, first_gate: "north", entered_at: at };
  told.download.mockResolvedValue(download({ rules: { ...download().rules, reentry: true }, seen: { [id]: seen } }));
  await door.sync();
  expect(scan.inDownload).toBe(true);
  told.redeem.mockImplementation(away);
  expect((await door.scan(code, "exit")).verdict.accepted).toBe(true);
  expect((await door.scan(code, "entry")).verdict.accepted).toBe(true);
});

it("leaves nothing when it is wiped", async () => {
  const { door, memory } = await doorWith();
  await memory.set("device", { token: "t" });
  await door.scan(ticket(1).code, "entry");
  await memory.wipe();
  expect(await memory.scans()).toEqual([]);
  expect(await memory.get("device")).toBeUndefined();
  expect(await memory.get("list:list")).toBeUndefined();
});
