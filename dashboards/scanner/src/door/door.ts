// One device at one list: asks the server while it answers, decides itself while it does not, and tells the server
// everything in the end.

import { uuid7 } from "./bytes";
import { now } from "./clock";
import { keepDownload, keptDownload } from "./kept";
import { localVerdict } from "./local";
import { type Memory, surplus } from "./memory";
import type { Attendance, Device, Kind, Scan } from "./model";
import { type Download, Refused, Revoked, type Server } from "./server";
import { PATIENCE_MS, Sync } from "./sync";

/** So long a scan can be taken back. */
const UNDO_MS = 15 * 60_000;

/** `slow`: it is there, but not in time for people who stand in front of a door. */
export type Net = "online" | "slow" | "offline";

/** What a person at the door allows against the rules. */
export interface Leave {
  why?: string | null;
  ignoreUnpaid?: boolean;
}

export interface State {
  net: Net;
  queued: number;
  conflicts: number;
  lastSync: Date | null;
  attendance: Attendance | null;
}

export class Door {
  kind: Kind = "entry";
  net: Net = "online";
  lastSync: Date | null = null;
  attendance: Attendance | null = null;
  /** Scans that the server is asked about now. */
  readonly asking = new Set<string>();
  private readonly watchers = new Set<() => void>();
  private readonly onRevoked = new Set<() => void>();
  private readonly sync_ = new Sync(this);

  private constructor(
    readonly memory: Memory,
    readonly server: Server,
    readonly device: Device,
    public download: Download,
    readonly scans: Scan[],
  ) {}

  /** With what the device has of the list, or else with what the server gives now. */
  static async open(memory: Memory, server: Server, device: Device, listId: string): Promise<Door> {
    const kept = await keptDownload(memory, listId);
    const download = kept ?? (await server.download(listId, null));
    if (!kept) await keepDownload(memory, download, null);
    const door = new Door(memory, server, device, download, await memory.scans());
    if (!kept) door.lastSync = new Date();
    door.sync_.start();
    return door;
  }

  get listId(): string {
    return this.download.listId;
  }
  get name(): string {
    return this.download.name;
  }
  get event(): string {
    return this.download.event;
  }
  get timezone(): string {
    return this.download.timezone;
  }
  get includesPending(): boolean {
    return this.download.rules.include_pending;
  }
  get tickets(): number {
    return Object.keys(this.download.boxes).length;
  }

  /** `why` forces the verdict: it is for a person at the door to say so. */
  async scan(code: string, kind: Kind, { why = null, ignoreUnpaid = false }: Leave = {}): Promise<Scan> {
    const force = why !== null;
    const asked = { code: code.trim(), kind, scannedAt: now().toISOString(), gate: this.device.gate, force, ignoreUnpaid };
    const here = localVerdict(this.download, this.scans, asked);
    const scan: Scan = {
      ...asked,
      nonce: uuid7(),
      listId: this.listId,
      why,
      verdict: here,
      state: "queued",
      conflict: null,
      looked: false,
      undo: null,
      unsure: false,
      inDownload: false,
    };
    // Before anyone is asked: what happens at a door survives the battery.
    await this.memory.keep(scan);
    this.scans.push(scan);
    const online = this.net === "online";
    if (online) await this.ask(scan);
    if (scan.state === "queued") {
      scan.unsure = online && !scan.verdict.accepted;
      this.sync_.soon();
    }
    await this.memory.keep(scan);
    this.changed();
    return scan;
  }

  private async ask(scan: Scan): Promise<void> {
    const here = scan.verdict;
    this.asking.add(scan.nonce);
    try {
      const verdict = await this.server.redeem(scan, PATIENCE_MS);
      const known = { holder: verdict.holder ?? here.holder, ticketType: verdict.ticketType ?? here.ticketType };
      scan.verdict = { ...verdict, ...known };
      scan.state = "sent";
      // How full it is has changed.
      this.sync_.soon();
    } catch (error) {
      if (error instanceof Revoked) {
        this.revoked();
        throw error;
      }
      if (error instanceof Refused) {
        [scan.state, scan.verdict] = ["rejected", { ...here, accepted: false, reason: "other", forced: false, here: false }];
      } else {
        // Also an answer that nobody understands: somebody stands in front of the door and waits.
        this.net = navigator.onLine ? "slow" : "offline";
      }
    } finally {
      this.asking.delete(scan.nonce);
    }
  }

  mayUndo({ verdict, undo, state, scannedAt, listId }: Scan): boolean {
    const fresh = now().getTime() - Date.parse(scannedAt) < UNDO_MS;
    return verdict.accepted && undo === null && state !== "rejected" && fresh && listId === this.listId;
  }

  /** False: too late. Without a network it is taken back here, and the server is told later. */
  async undo(nonce: string): Promise<boolean> {
    const scan = this.scans.find((known) => known.nonce === nonce);
    if (!scan || !this.mayUndo(scan)) return false;
    scan.undo = "asked";
    await this.memory.keep(scan);
    this.changed();
    await this.sync();
    return scan.undo !== null;
  }

  /** Somebody has seen to a conflict. */
  async settle(scan: Scan): Promise<void> {
    scan.looked = true;
    await this.memory.keep(scan);
    this.changed();
  }

  sync(): Promise<void> {
    return this.sync_.now();
  }

  state(): State {
    const { net, lastSync, attendance } = this;
    const queued = this.scans.filter(({ state, undo, unsure }) => state === "queued" || undo === "asked" || unsure).length;
    const conflicts = this.scans.filter(({ conflict, looked }) => conflict !== null && !looked).length;
    return { net, queued, conflicts, lastSync, attendance };
  }

  /** The newest first. */
  lastScans(most: number): Scan[] {
    return this.scans.filter(({ listId }) => listId === this.listId).slice(-most).reverse();
  }

  async takeDownload(download: Download): Promise<void> {
    await keepDownload(this.memory, download, this.download);
    this.download = download;
    const old = surplus(this.scans);
    await this.memory.forget(old);
    for (const scan of old) this.scans.splice(this.scans.indexOf(scan), 1);
  }

  /** Tells of every change, and once if the server knows the device no more. */
  watch(changed: () => void, revoked: () => void = () => undefined): () => void {
    this.watchers.add(changed);
    this.onRevoked.add(revoked);
    return () => {
      this.watchers.delete(changed);
      this.onRevoked.delete(revoked);
    };
  }

  changed(): void {
    for (const watcher of this.watchers) watcher();
  }

  revoked(): void {
    this.close();
    for (const told of [...this.onRevoked]) told();
  }

  close(): void {
    this.sync_.stop();
  }
}
