// What the door asks the server, and the ways in which that can fail.

import { api } from "./api";
import type { PublicKey } from "./code";
import type { Due, ListRules, Presented, Reason, Seen } from "./judge";
import type { Attendance, Device, ListChoice, Scan, Verdict } from "./model";

/** Nobody answered, or not in time, or the server is not well: another time. */
export class Unreachable extends Error {}

/** The server does not know this device any more. */
export class Revoked extends Error {}

/** The server won't, and says why. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly status = 0,
    readonly code = "",
  ) {
    super(message);
  }
}

export interface TicketType {
  name: string;
  validFrom: number | null;
  validTo: number | null;
}

/** All that a verdict without a network needs. */
export interface Download {
  listId: string;
  name: string;
  event: string;
  timezone: string;
  eventStatus: Presented["event"];
  rules: ListRules;
  types: Record<string, TicketType>;
  keys: PublicKey[];
  /** Tickets of which the code alone tells too little. */
  revocations: Record<string, Revocation>;
  /** Who comes with a ticket, sealed, by the label of its code. */
  boxes: Record<string, string>;
  /** By ticket. */
  seen: Record<string, Seen>;
  /** How far the server was: from there on it tells what is new. */
  cursor: string;
}

export interface Revocation {
  /** Codes of other versions are old. A ticket without a revocation has version 1. */
  codeVersion: number;
  cancelled: boolean;
  blocked: boolean;
  due: Due;
}

/** What became of a scan that was sent later. */
export interface Outcome {
  nonce: string;
  /** `rejected`: it is wrong, and will be as wrong the next time. */
  state: "sent" | "rejected";
  /** The person was let in here, and the server would not have. */
  conflict: Reason | "other" | null;
  verdict: Verdict | null;
}

export interface Server {
  self(): Promise<{ name: string | null; gate: string | null }>;
  lists(): Promise<ListChoice[]>;
  /** What the device knows already, with what is new since then. */
  download(listId: string, known: Download | null): Promise<Download>;
  redeem(scan: Scan, patienceMs: number): Promise<Verdict>;
  send(listId: string, scans: Scan[]): Promise<Outcome[]>;
  /** False: it can't be taken back any more. */
  annul(scan: Scan): Promise<boolean>;
  attendance(listId: string): Promise<Attendance | null>;
}

export const openServer = (device: Device): Server => api(device);
