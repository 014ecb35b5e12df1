// The server's HTTP API, and nothing but: paths, field names, and which answers mean what.

import { withPage } from "./download";
import { caller } from "./http";
import { REASONS, type Reason } from "./judge";
import type { Attendance, Device, ListChoice, Scan, Verdict } from "./model";
import { type Download, type Outcome, Refused, type Server } from "./server";
import type { AnswerView, DownloadView, ScannerView, VerdictView } from "./views";

export function api(device: Device): Server {
  const call = caller(device.token);
  const ofList = (listId: string, what: string) => `/v1/check-in-lists/${encodeURIComponent(listId)}/${what}`;
  return {
    self: async () => {
      const { device: known } = await call<ScannerView>("GET", "/v1/scanner");
      return { name: known?.name ?? null, gate: known?.gate ?? null };
    },
    lists: async () => (await call<ScannerView>("GET", "/v1/scanner")).lists.map(choice),
    download: async (listId, known) => {
      const page = async (before: Download | null): Promise<Download> => {
        const query = before ? `?cursor=${encodeURIComponent(before.cursor)}` : "";
        const view = await call<DownloadView>("GET", ofList(listId, `download${query}`));
        const download = withPage(before, view);
        return view.more ? page(download) : download;
      };
      try {
        return await page(known);
      } catch (error) {
        // A cursor that the server no longer reads: once more from the beginning.
        if (known && error instanceof Refused && error.code === "invalid_parameter") return page(null);
        throw error;
      }
    },
    redeem: async (scan, patienceMs) =>
      // Without a time: while it is asked, the server's clock is the better one.
      verdict(await call<VerdictView>("POST", ofList(scan.listId, "redeem"), input(scan), patienceMs)),
    send: async (listId, scans) => {
      // Who was turned away here stays outside, whatever the server would have said.
      const refused = ({ verdict }: Scan) => (verdict.accepted ? null : verdict.reason);
      const told = scans.map((scan) => ({
        ...input(scan),
        scanned_at: scan.scannedAt,
        offline: true,
        refused: refused(scan),
      }));
      const { answers } = await call<{ answers: AnswerView[] }>("POST", ofList(listId, "scans"), { scans: told });
      return answers.flatMap((answer, index) => (scans[index] ? outcome(scans[index], answer) : []));
    },
    annul: async ({ listId, nonce, kind }) => {
      try {
        await call("POST", ofList(listId, "annul"), { nonce, kind });
        return true;
      } catch (error) {
        if (error instanceof Refused) return false;
        throw error;
      }
    },
    attendance: (listId) => call<Attendance>("GET", ofList(listId, "attendance")),
  };
}

const input = ({ code, kind, nonce, gate, force, ignoreUnpaid, why }: Scan) => ({
  code,
  kind,
  nonce,
  gate,
  force,
  ignore_unpaid: ignoreUnpaid,
  note: why,
});

function choice(view: ScannerView["lists"][number]): ListChoice {
  const { check_in_list_id: listId, name, event_id: eventId, title: event, starts_at: startsAt, timezone } = view;
  return { listId, name, eventId, event, startsAt, timezone };
}

function verdict(view: VerdictView): Verdict {
  return {
    accepted: view.verdict === "accepted",
    reason: reason(view.reason),
    forced: view.forced,
    repeated: view.repeated,
    here: false,
    ticketId: view.ticket?.ticket_id ?? null,
    ticketType: view.ticket?.ticket_type ?? null,
    holder: view.ticket?.holder ?? null,
    first: view.first_scan,
  };
}

function outcome(scan: Scan, answer: AnswerView): Outcome {
  const { nonce } = scan;
  if ("error" in answer) return { nonce, state: "rejected", conflict: "other", verdict: null };
  const told = verdict(answer);
  // Whoever was let in by hand was let in against the rules, and knew it.
  const against = scan.verdict.accepted && (!told.accepted || (told.forced && !scan.force));
  const conflict = against ? (told.reason ?? "other") : null;
  return { nonce, state: "sent", conflict, verdict: told };
}

const known = (text: string): text is Reason => (REASONS as readonly string[]).includes(text);
const reason = (text: string | null): Verdict["reason"] => (text === null ? null : known(text) ? text : "other");
