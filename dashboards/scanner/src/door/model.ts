// What a door knows and says, in the page's own words. Only `api.ts` knows the server's.

import type { Kind, Reason } from "./judge";

export type { Kind, Reason };

export interface First {
  at: string;
  gate: string | null;
}

export interface Verdict {
  accepted: boolean;
  /** Why not, or why not if it had not been forced. A reason that this page does not know is shown as "other". */
  reason: Reason | "other" | null;
  forced: boolean;
  /** The server had answered this scan before. */
  repeated: boolean;
  /** Decided on this device, without the server. */
  here: boolean;
  ticketId: string | null;
  ticketType: string | null;
  holder: string | null;
  /** The first entry, for a ticket that is in already. */
  first: First | null;
}

/** A scan as the device keeps it, from before the server is asked until it is long known there. */
export interface Scan {
  /** Made here: the same for every attempt to send the same scan. */
  nonce: string;
  listId: string;
  code: string;
  kind: Kind;
  /** RFC 3339, UTC. */
  scannedAt: string;
  gate: string | null;
  force: boolean;
  /** Why it was forced. */
  why: string | null;
  /** Let in without having paid, as the list allows. */
  ignoreUnpaid: boolean;
  verdict: Verdict;
  /** `rejected`: the server does not take it. */
  state: "queued" | "sent" | "rejected";
  /** Refused here, but the server was asked before and may have let it in: it is told to take that back. */
  unsure: boolean;
  /** Let in here, and the server knows better: why it would not have. */
  conflict: Reason | "other" | null;
  /** Somebody has seen to the conflict. */
  looked: boolean;
  /** What was downloaded last counts this scan already. */
  inDownload: boolean;
  /** Taken back at the door; `asked` until the server knows. */
  undo: "asked" | "done" | null;
}

export interface ListChoice {
  listId: string;
  name: string;
  eventId: string;
  event: string;
  startsAt: string;
  timezone: string;
}

/** This device, as it is registered. */
export interface Device {
  token: string;
  name: string | null;
  gate: string | null;
}

export interface Attendance {
  inside: number;
  entered: number;
  expected: number | null;
}
