use super::entity;
use crate::{
    Currency, EventId, HoldId, OrderId, PersonId, PoolId, PromoCodeId, TicketId, TicketTypeId, Timestamp,
    WaitingEntryId,
    order::{HoldStatus, OrderStatus, TicketStatus},
    record::record,
};

record! {
    /// Capacity kept for a buyer until `expires_at`.
    Hold {
        hold_id: HoldId,
        event_id: EventId,
        status: HoldStatus,
        expires_at: Timestamp,
        quantity: i64,
        amount_minor: i64,
        currency: Currency,
        lines: Vec<Line>,
        promo_code_id: Option<PromoCodeId>,
        /// Whose offer it is, from the waiting list.
        #[serde(default)]
        waiting_entry_id: Option<WaitingEntryId>,
    }
    /// Tickets of one type at one price. What the buyer pays for it: unit × quantity − discount + fee + tax.
    Line {
        ticket_type_id: TicketTypeId,
        quantity: i64,
        unit_minor: i64,
        /// The price's phase.
        #[serde(default)]
        phase: Option<String>,
        /// The pool that limits the phase.
        #[serde(default)]
        phase_pool_id: Option<PoolId>,
        #[serde(default)]
        discount_minor: i64,
        #[serde(default)]
        fee_minor: i64,
        /// The part of the price that is a fee.
        #[serde(default)]
        fee_included_minor: i64,
        #[serde(default)]
        tax_minor: i64,
        /// The part of price and fee that is tax.
        #[serde(default)]
        tax_included_minor: i64,
    }
    /// Tickets of a line that are void.
    TakenBack {
        ticket_type_id: TicketTypeId,
        phase: Option<String>,
        quantity: i64,
        /// What was paid for them.
        amount_minor: i64,
    }
    Order {
        order_id: OrderId,
        event_id: EventId,
        /// None for a sale that was imported.
        hold_id: Option<HoldId>,
        person_id: PersonId,
        code: String,
        status: OrderStatus,
        currency: Currency,
        total_minor: i64,
        /// What of it has gone back or is on its way.
        #[serde(default)]
        refunded_minor: i64,
        quantity: i64,
        /// Its tickets were issued before it was paid.
        #[serde(default)]
        reserved: bool,
        /// The organizer has to say yes before it can be paid.
        #[serde(default)]
        awaits_approval: bool,
        lines: Vec<Line>,
        /// Which tickets were made void last, by its cancellation or before. None: all are as they were issued.
        #[serde(default)]
        taken_back: Option<Vec<TakenBack>>,
        promo_code_id: Option<PromoCodeId>,
        placed_at: Timestamp,
        paid_at: Option<Timestamp>,
        cancelled_at: Option<Timestamp>,
        /// Where it came from, for what was imported.
        source: Option<String>,
    }
    Ticket {
        ticket_id: TicketId,
        order_id: OrderId,
        event_id: EventId,
        ticket_type_id: TicketTypeId,
        person_id: PersonId,
        status: TicketStatus,
        /// Its part of what was paid.
        price_minor: i64,
        currency: Currency,
        /// The pool that limits the phase it was sold in.
        phase_pool_id: Option<PoolId>,
        code_version: i64,
        /// The organizer's staff keeps it out for now.
        blocked: bool,
    }
}

entity!(Hold, "hold", "holds", key: hold_id, money: Some("amount_minor"), personal: &[],
    changes: ["placed", "converted", "expired", "released"]);
entity!(Order, "order", "orders", key: order_id, money: Some("total_minor"), personal: &[],
    changes: ["placed", "approved", "paid", "expired", "reduced", "cancelled", "refunded", "refund_failed"]);
entity!(Ticket, "ticket", "tickets", key: ticket_id, money: Some("price_minor"), personal: &[],
    changes: ["issued", "reissued", "holder_named", "blocked", "unblocked", "cancelled"]);

impl Order {
    /// Says of tickets that they are void now.
    pub fn take_back<'t>(&mut self, tickets: impl IntoIterator<Item = &'t Ticket>) {
        let mut taken: Vec<TakenBack> = Vec::new();
        for ticket in tickets {
            let is_its = |line: &&Line| {
                line.ticket_type_id == ticket.ticket_type_id && line.phase_pool_id == ticket.phase_pool_id
            };
            let phase = self.lines.iter().find(is_its).and_then(|line| line.phase.clone());
            let known = taken
                .iter_mut()
                .find(|taken| (taken.ticket_type_id, &taken.phase) == (ticket.ticket_type_id, &phase));
            match known {
                Some(taken) => {
                    taken.quantity += 1;
                    taken.amount_minor += ticket.price_minor;
                }
                None => taken.push(TakenBack {
                    ticket_type_id: ticket.ticket_type_id,
                    phase,
                    quantity: 1,
                    amount_minor: ticket.price_minor,
                }),
            }
        }
        self.taken_back = Some(taken);
    }
}

impl Line {
    /// Without phase, discount and charges.
    pub fn plain(ticket_type_id: TicketTypeId, quantity: i64, unit_minor: i64) -> Self {
        Self {
            ticket_type_id,
            quantity,
            unit_minor,
            phase: None,
            phase_pool_id: None,
            discount_minor: 0,
            fee_minor: 0,
            fee_included_minor: 0,
            tax_minor: 0,
            tax_included_minor: 0,
        }
    }
}
