// What the server sends, as far as this page reads it.

import type { Due, Kind, Presented } from "./judge";

export interface ScannerView {
  device: { name: string; gate: string | null } | null;
  lists: { check_in_list_id: string; name: string; event_id: string; title: string; starts_at: string; timezone: string }[];
}

export interface VerdictView {
  verdict: "accepted" | "refused";
  reason: string | null;
  forced: boolean;
  repeated: boolean;
  ticket: { ticket_id: string; ticket_type: string; holder: string | null } | null;
  first_scan: { at: string; gate: string | null } | null;
}

export type AnswerView = VerdictView | { error: unknown };

export interface DownloadView {
  list: {
    check_in_list_id: string;
    name: string;
    reentry: boolean;
    multi_entry: boolean;
    include_pending: boolean;
    ticket_types: { ticket_type_id: string }[];
    opens_at: string | null;
    closes_at: string | null;
    min_gap_minutes: number | null;
    once_a_day: boolean;
    emptied_at: string | null;
  };
  event: { title: string; status: Presented["event"]; timezone: string };
  keys: { number: number; public_key: string }[];
  ticket_types: { ticket_type_id: string; name: string; valid_from: string | null; valid_to: string | null }[];
  revocations: { ticket_id: string; code_version: number; cancelled: boolean; blocked: boolean; due: Due }[] | null;
  attendees: [label: string, box: string][];
  seen: SeenView[];
  cursor: string;
  more: boolean;
}

export interface SeenView {
  ticket_id: string;
  entries: number;
  last_at: string | null;
  last_kind: Kind | null;
  first_at: string | null;
  first_gate: string | null;
  entered_at: string | null;
}
