use super::entity;
use crate::{
    Currency, EventId, HoldId, OrderId, PaymentId, PersonId, TicketId, TicketTypeId, Timestamp,
    order::{HoldStatus, OrderStatus, PaymentStatus, TicketStatus},
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
    }
    Line {
        ticket_type_id: TicketTypeId,
        quantity: i64,
        unit_minor: i64,
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
        quantity: i64,
        lines: Vec<Line>,
        placed_at: Timestamp,
        paid_at: Option<Timestamp>,
        cancelled_at: Option<Timestamp>,
        /// Where it came from, for what was imported.
        source: Option<String>,
    }
    Payment {
        payment_id: PaymentId,
        order_id: OrderId,
        event_id: EventId,
        provider: String,
        provider_ref: String,
        status: PaymentStatus,
        amount_minor: i64,
        currency: Currency,
    }
    Ticket {
        ticket_id: TicketId,
        order_id: OrderId,
        event_id: EventId,
        ticket_type_id: TicketTypeId,
        person_id: PersonId,
        status: TicketStatus,
        price_minor: i64,
        currency: Currency,
        code_version: i64,
    }
}

entity!(Hold, "hold", "holds", key: hold_id, money: Some("amount_minor"), personal: &[],
    changes: ["placed", "converted", "expired", "released"]);
entity!(Order, "order", "orders", key: order_id, money: Some("total_minor"), personal: &[],
    changes: ["placed", "paid", "expired", "cancelled"]);
entity!(Payment, "payment", "payments", key: payment_id, money: Some("amount_minor"), personal: &[],
    changes: ["started", "succeeded", "failed", "unapplied"]);
entity!(Ticket, "ticket", "tickets", key: ticket_id, money: Some("price_minor"), personal: &[],
    changes: ["issued", "reissued", "cancelled"]);
