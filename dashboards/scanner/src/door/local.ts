// The verdict without the server: from what was downloaded, and from what this device has seen since.

import * as box from "./box";
import { codeBytes, verifiedClaim } from "./code";
import { NOTHING_SEEN, type Scan as Judged, type Seen, after, answer, micros, rfc3339 } from "./judge";
import type { First, Scan, Verdict } from "./model";
import type { Download } from "./server";

export type Asked = Pick<Scan, "code" | "kind" | "scannedAt" | "gate" | "force" | "ignoreUnpaid">;

const NO_TICKET: Verdict = {
  accepted: false,
  reason: "invalid",
  forced: false,
  repeated: false,
  here: true,
  ticketId: null,
  ticketType: null,
  holder: null,
  first: null,
};

export function localVerdict(known: Download, scans: readonly Scan[], asked: Asked): Verdict {
  const code = codeBytes(asked.code);
  const claim = code && verifiedClaim(code, known.keys);
  if (!code || !claim) return NO_TICKET;
  const attendee = box.open(code, known.boxes[box.label(code)] ?? "");
  const type = attendee ? known.types[attendee.ticketTypeId] : undefined;
  const revocation = known.revocations[claim.ticketId];
  const seen = seenBy(known, scans, claim.ticketId);
  const { accepted, reason, forced } = answer({
    scan: judged(asked),
    presented: {
      ticket: revocation?.cancelled ? "cancelled" : "valid",
      blocked: revocation?.blocked ?? false,
      due: revocation?.due ?? "nothing",
      code_is_old: claim.codeVersion !== (revocation?.codeVersion ?? 1),
      event: known.eventStatus,
      ticket_type_id: attendee?.ticketTypeId ?? null,
      valid_from: type?.validFrom ?? null,
      valid_to: type?.validTo ?? null,
    },
    rules: known.rules,
    seen,
  });
  return {
    accepted,
    reason,
    forced,
    repeated: false,
    here: true,
    ticketId: claim.ticketId,
    ticketType: type?.name ?? null,
    holder: attendee?.name ?? null,
    first: reason === "already_redeemed" ? firstOf(seen) : null,
  };
}

/** What the server had seen of a ticket at the download, and what this device has let in or out and not told it by then. */
export function seenBy(known: Download, scans: readonly Scan[], ticketId: string): Seen {
  const own = scans.filter((scan) => scan.listId === known.listId && scan.verdict.ticketId === ticketId && counts(scan));
  const since = own.filter((scan) => !scan.inDownload);
  return since.reduce(
    (seen, scan) => after(seen, judged(scan)),
    known.seen[ticketId] ?? NOTHING_SEEN,
  );
}

/** As the verdict's twin knows it. */
const judged = ({ kind, scannedAt, gate, force, ignoreUnpaid }: Asked): Judged => ({
  kind,
  scanned_at: micros(scannedAt),
  gate,
  force,
  ignore_unpaid: ignoreUnpaid,
});

const counts = ({ verdict, undo, state }: Scan): boolean => verdict.accepted && undo === null && state !== "rejected";

const firstOf = ({ first_at: at, first_gate: gate }: Seen): First | null => (at === null ? null : { at: rfc3339(at), gate });
