use super::entity;
use crate::{
    CheckInId, CheckInListId, DeviceId, EventId, GateId, Label, TicketId, TicketTypeId, Timestamp,
    check_in::{Refusal, ScanKind},
    record::record,
};

record! {
    /// Which tickets a door admits, and by which rules.
    CheckInList {
        check_in_list_id: CheckInListId,
        event_id: EventId,
        name: Label,
        reentry: bool,
        multi_entry: bool,
        /// A scan may let in who has not paid yet.
        #[serde(default)]
        include_pending: bool,
        /// Empty: every ticket type of the event.
        ticket_types: Vec<ListedType>,
        opens_at: Option<Timestamp>,
        closes_at: Option<Timestamp>,
        min_gap_minutes: Option<i64>,
        once_a_day: bool,
        /// So many inside are told of once, by `capacity_reached`.
        alert_at: Option<i64>,
        /// When that was told. Emptying the list, or another `alert_at`, makes it possible again.
        alerted_at: Option<Timestamp>,
        /// When everybody inside was let out at once, the last time.
        emptied_at: Option<Timestamp>,
    }
    ListedType {
        ticket_type_id: TicketTypeId,
    }
    /// One scan at a door, accepted or refused.
    CheckIn {
        check_in_id: CheckInId,
        check_in_list_id: CheckInListId,
        event_id: EventId,
        /// None if the code named no ticket of this event.
        ticket_id: Option<TicketId>,
        kind: ScanKind,
        /// Whoever counts leaves out what was annulled later.
        accepted: bool,
        /// Why it was refused, or would have been if it had not been forced.
        reason: Option<Refusal>,
        forced: bool,
        /// The scanner said that it had happened already, whether that was needed or not.
        force_sent: bool,
        /// The gate's name as it was then.
        gate: Option<String>,
        /// The scanner, if it is a registered one.
        device_id: Option<DeviceId>,
        nonce: String,
        scanned_at: Timestamp,
        received_at: Timestamp,
        /// What was said at the door of a scan that was forced.
        note: Option<String>,
        /// Of what was shown, if it was refused: SHA-256 as base64url.
        code_hash: Option<String>,
        /// The entry before this one, if nobody went out between them: one ticket has let two people in.
        conflicts_with: Option<CheckInId>,
        /// When it was taken back.
        annulled_at: Option<Timestamp>,
    }
    /// A place where people enter and leave.
    Gate {
        gate_id: GateId,
        event_id: EventId,
        name: Label,
        active: bool,
    }
    /// A scanner with a token of its own, which may check in and nothing else.
    Device {
        device_id: DeviceId,
        name: Label,
        /// None: all events of the organizer.
        event_id: Option<EventId>,
        /// Where it stands, unless a scan says otherwise.
        gate_id: Option<GateId>,
        registered_at: Timestamp,
        revoked_at: Option<Timestamp>,
    }
}

entity!(CheckInList, "check_in_list", "check_in_lists", key: check_in_list_id, money: None, personal: &[],
    changes: ["created", "updated", "emptied", "capacity_reached"]);
entity!(CheckIn, "check_in", "check_ins", key: check_in_id, money: None, personal: &[],
    changes: ["accepted", "refused", "conflict", "settled", "annulled"]);
entity!(Gate, "gate", "gates", key: gate_id, money: None, personal: &[], changes: ["created", "updated"]);
entity!(Device, "device", "devices", key: device_id, money: None, personal: &[], changes: ["registered", "moved", "revoked"]);
