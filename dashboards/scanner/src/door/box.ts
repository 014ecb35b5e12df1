// Who a ticket belongs to, in a box that the ticket's own code opens: the twin of `domain::attendee`. A lost device
// tells nothing without the tickets in hand.

import { gcm } from "@noble/ciphers/aes.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { base64url, uuidText } from "./bytes";

const VERSION = 1;
const NONCE = 12;
const HEAD = 17;

export interface Attendee {
  ticketTypeId: string;
  name: string | null;
}

/** The label under which a code's box is found: base64url. */
export const label = (code: Uint8Array): string => text(hash("label", code).subarray(0, 16));

/** What is in the box, if this code opens it. */
export function open(code: Uint8Array, sealed: string): Attendee | null {
  const bytes = base64url(sealed);
  if (!bytes || bytes.length < NONCE) return null;
  try {
    const plain = gcm(hash("key", code), bytes.subarray(0, NONCE)).decrypt(bytes.subarray(NONCE));
    const ticketTypeId = uuidText(plain.subarray(1, HEAD));
    if (plain[0] !== VERSION || !ticketTypeId) return null;
    const name = new TextDecoder("utf-8", { fatal: true }).decode(plain.subarray(HEAD));
    return { ticketTypeId, name: name || null };
  } catch {
    return null;
  }
}

const hash = (purpose: string, code: Uint8Array): Uint8Array =>
  sha256.create().update(new TextEncoder().encode(`bilten:attendee:${purpose}\0`)).update(code).digest();

const text = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
