// A door with a server that does as it is told.

import "fake-indexeddb/auto";
import * as ed25519 from "@noble/ed25519";
import { vi } from "vitest";
import { Door } from "../../src/door/door";
import { Memory } from "../../src/door/memory";
import type { Device, Verdict } from "../../src/door/model";
import { type Download, type Server } from "../../src/door/server";

const secret = new Uint8Array(32).fill(7);

export const DEVICE: Device = { token: "t", name: "Phone 1", gate: "north" };

export function ticket(number: number, codeVersion = 1): { id: string; code: string } {
  const bytes = new Uint8Array(84);
  bytes.set([1, 0, 0, codeVersion]);
  bytes.set([1, 143, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, number >> 8, number & 0xff], 4);
  bytes.set(ed25519.sign(bytes.subarray(0, 20), secret), 20);
  const hex = Buffer.from(bytes.subarray(4, 20)).toString("hex");
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  return { id, code: Buffer.from(bytes).toString("base64url") };
}

export function download(changes: Partial<Download> = {}): Download {
  return {
    listId: "list",
    name: "Main entrance",
    event: "Late Quartet",
    timezone: "Europe/Vienna",
    eventStatus: "published",
    rules: {
      reentry: false,
      multi_entry: false,
      include_pending: false,
      ticket_types: [],
      opens_at: null,
      closes_at: null,
      min_gap_minutes: null,
      once_a_day: false,
      timezone: "Europe/Vienna",
      emptied_at: null,
    },
    types: {},
    keys: [{ keyNumber: 0, bytes: ed25519.getPublicKey(secret) }],
    revocations: {},
    boxes: {},
    seen: {},
    cursor: "1",
    ...changes,
  };
}

export const WELCOME: Verdict = {
  accepted: true,
  reason: null,
  forced: false,
  repeated: false,
  here: false,
  ticketId: null,
  ticketType: "Regular",
  holder: null,
  first: null,
};

export type Told = { [Name in keyof Server]: ReturnType<typeof vi.fn<Server[Name]>> };

/** Lets everybody in and takes everything, unless told otherwise. */
export function server(): Told {
  return {
    self: vi.fn(async () => ({ name: "Phone 1", gate: null })),
    lists: vi.fn(async () => []),
    download: vi.fn<Server["download"]>(async (_, known) => known ?? download()),
    redeem: vi.fn<Server["redeem"]>(async () => WELCOME),
    send: vi.fn<Server["send"]>(async (_, scans) =>
      scans.map(({ nonce }) => ({ nonce, state: "sent" as const, conflict: null, verdict: null })),
    ),
    annul: vi.fn<Server["annul"]>(async () => true),
    attendance: vi.fn<Server["attendance"]>(async () => null),
  };
}

let opened = 0;

export async function world(told: Told = server()): Promise<{ door: Door; told: Told; memory: Memory; again(): Promise<Door> }> {
  const memory = await Memory.open(`test-${opened++}`);
  const again = () => Door.open(memory, told, DEVICE, "list");
  return { door: await again(), told, memory, again };
}
