// Brings the server what this device has seen, and this device what the server knows. One round at a time; a server
// that does not answer is asked less often.

import type { Door } from "./door";
import type { Scan } from "./model";
import { Refused, Revoked } from "./server";

/** So long a person waits for the server before this device decides. */
export const PATIENCE_MS = 1_500;
/** So much is not sent again if the network goes away in between. */
export const BATCH = 100;
const SOON_MS = 300;
const USUAL_MS = 10_000;
const FIRST_RETRY_MS = 2_000;
const SLOWEST_RETRY_MS = 20_000;
/** The list itself is asked for less often than the queue is emptied. */
const DOWNLOAD_MS = 30_000;

export class Sync {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private round: Promise<void> | null = null;
  private wait = FIRST_RETRY_MS;
  private downloaded = 0;
  private stopped = false;
  private readonly back = () => this.in(0);

  constructor(private readonly door: Door) {}

  start(): void {
    globalThis.addEventListener?.("online", this.back);
    globalThis.addEventListener?.("offline", this.lost);
    if (!navigator.onLine) this.door.net = "offline";
    this.in(SOON_MS);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    globalThis.removeEventListener?.("online", this.back);
    globalThis.removeEventListener?.("offline", this.lost);
  }

  soon(): void {
    this.in(SOON_MS);
  }

  /** A round from now on; if one is under way, the one after it. */
  async now(): Promise<void> {
    await this.round?.catch(() => undefined);
    this.round ??= this.run().finally(() => (this.round = null));
    return this.round;
  }

  private readonly lost = () => {
    this.door.net = "offline";
    this.door.changed();
  };

  private in(ms: number): void {
    clearTimeout(this.timer);
    if (!this.stopped) this.timer = setTimeout(() => void this.now().catch(() => undefined), ms);
  }

  private async run(): Promise<void> {
    const { door } = this;
    if (this.stopped) return;
    try {
      await this.sendScans();
      await this.sendUndos();
      await this.fetchList();
      const asked = Date.now();
      door.attendance = await door.server.attendance(door.listId);
      const inTime = Date.now() - asked < PATIENCE_MS;
      [door.net, door.lastSync, this.wait] = [inTime ? "online" : "slow", new Date(), FIRST_RETRY_MS];
      this.in(USUAL_MS);
    } catch (error) {
      if (error instanceof Revoked) return door.revoked();
      if (!(error instanceof Refused)) door.net = navigator.onLine ? "slow" : "offline";
      this.in(this.wait);
      this.wait = Math.min(this.wait * 2, SLOWEST_RETRY_MS);
    } finally {
      if (!this.stopped) door.changed();
    }
  }

  private async sendScans(): Promise<void> {
    const { door } = this;
    const waiting = door.scans.filter(({ state, nonce }) => state === "queued" && !door.asking.has(nonce));
    const lists = new Set(waiting.map(({ listId }) => listId));
    for (const listId of lists) {
      const ofList = waiting.filter((scan) => scan.listId === listId);
      try {
        for (let at = 0; at < ofList.length; at += BATCH) await this.sendBatch(listId, ofList.slice(at, at + BATCH));
      } catch (error) {
        // A list where this device may not scan now: what it has seen there stays, and holds up nothing else.
        if (!(error instanceof Refused)) throw error;
      }
    }
  }

  private async sendBatch(listId: string, batch: Scan[]): Promise<void> {
    const { door } = this;
    const outcomes = new Map((await door.server.send(listId, batch)).map((outcome) => [outcome.nonce, outcome]));
    for (const scan of batch) {
      const outcome = outcomes.get(scan.nonce);
      // What the server did not speak of stays in the queue.
      if (!outcome) continue;
      [scan.state, scan.conflict] = [outcome.state, outcome.conflict];
      if (outcome.verdict) scan.verdict = merged(scan, outcome.verdict);
    }
    await door.memory.keep(...batch);
    door.changed();
  }

  private async sendUndos(): Promise<void> {
    const { door } = this;
    for (const scan of door.scans.filter(({ undo, state, unsure }) => unsure || (undo === "asked" && state === "sent"))) {
      const taken = await door.server.annul(scan);
      if (scan.unsure) scan.unsure = false;
      else scan.undo = taken ? "done" : null;
      await door.memory.keep(scan);
      this.downloaded = 0;
    }
  }

  private async fetchList(): Promise<void> {
    const { door } = this;
    if (Date.now() - this.downloaded < DOWNLOAD_MS) return;
    const known = door.scans.filter(({ state, listId }) => state === "sent" && listId === door.listId);
    const download = await door.server.download(door.listId, door.download);
    this.downloaded = Date.now();
    await door.takeDownload(download);
    for (const scan of known) scan.inDownload = true;
    await door.memory.keep(...known.filter((scan) => door.scans.includes(scan)));
  }
}

/** Who was let in stays let in, whatever the server says later; who they are it knows better. */
function merged(scan: Scan, told: Scan["verdict"]): Scan["verdict"] {
  const { verdict } = scan;
  return { ...verdict, ticketType: told.ticketType ?? verdict.ticketType, holder: told.holder ?? verdict.holder, ticketId: told.ticketId ?? verdict.ticketId };
}
