use super::entity;
use crate::{EventId, HoldId, PersonId, TicketTypeId, Timestamp, WaitingEntryId, order::WaitingStatus, record::record};

record! {
    /// Somebody who waits for tickets that come back.
    WaitingEntry {
        waiting_entry_id: WaitingEntryId,
        event_id: EventId,
        ticket_type_id: TicketTypeId,
        person_id: PersonId,
        quantity: i64,
        status: WaitingStatus,
        joined_at: Timestamp,
        /// The hold that keeps the offered tickets.
        hold_id: Option<HoldId>,
        offer_expires_at: Option<Timestamp>,
    }
}

entity!(WaitingEntry, "waiting_entry", "waiting_entries", key: waiting_entry_id, money: None, personal: &[],
    changes: ["joined", "offered", "taken", "expired", "left"]);
