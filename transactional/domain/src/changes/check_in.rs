use super::entity;
use crate::{
    CheckInId, CheckInListId, EventId, Label, TicketId, TicketTypeId, Timestamp,
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
        /// Empty: every ticket type of the event.
        ticket_types: Vec<ListedType>,
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
        accepted: bool,
        /// Why it was refused, or would have been if it had not been forced.
        reason: Option<Refusal>,
        forced: bool,
        gate: Option<String>,
        nonce: String,
        scanned_at: Timestamp,
        received_at: Timestamp,
    }
}

entity!(CheckInList, "check_in_list", "check_in_lists", key: check_in_list_id, money: None, personal: &[],
    changes: ["created", "updated"]);
entity!(CheckIn, "check_in", "check_ins", key: check_in_id, money: None, personal: &[],
    changes: ["accepted", "refused"]);
