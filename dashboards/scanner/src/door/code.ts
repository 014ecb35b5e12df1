// The code on a ticket, as `domain::ticket_code` reads it: base64url without padding over version (1 byte), key number
// (1), code version (2, big-endian), ticket id (16) and an Ed25519 signature over all of these (64).

import * as ed25519 from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";
import { base64url, uuidText } from "./bytes";

// Not the browser's own SHA-512: that one is missing where a page came without HTTPS.
ed25519.hashes.sha512 = sha512;

const VERSION = 1;
const PAYLOAD = 20;
const LENGTH = PAYLOAD + 64;

export interface Claim {
  ticketId: string;
  codeVersion: number;
  keyNumber: number;
}

export interface PublicKey {
  keyNumber: number;
  bytes: Uint8Array;
}

/** A text that has the form of a code, whoever signed it. */
export function codeBytes(text: string): Uint8Array | null {
  const bytes = base64url(text.trim());
  return bytes?.length === LENGTH && bytes[0] === VERSION ? bytes : null;
}

/** What the code says, if one of these keys signed it. */
export function verifiedClaim(code: Uint8Array, keys: readonly PublicKey[]): Claim | null {
  const [, keyNumber = 0, high = 0, low = 0] = code;
  const key = keys.find((known) => known.keyNumber === keyNumber);
  if (!key || !verifies(code, key.bytes)) return null;
  const ticketId = uuidText(code.subarray(4, PAYLOAD));
  return ticketId ? { ticketId, codeVersion: (high << 8) | low, keyNumber } : null;
}

function verifies(code: Uint8Array, key: Uint8Array): boolean {
  try {
    // As RFC 8032 says, and not as ZIP 215 does: what the server refuses is refused here.
    return ed25519.verify(code.subarray(PAYLOAD), code.subarray(0, PAYLOAD), key, { zip215: false });
  } catch {
    return false;
  }
}
