use super::{Charge, entity};
use crate::{
    Currency, EventId, Label, PoolId, PriceId, TicketTypeId, Timestamp, VenueId, event::EventStatus, record::record,
};

record! {
    Venue {
        venue_id: VenueId,
        name: Label,
        address: Option<String>,
        city: Option<String>,
        country: Option<String>,
        latitude: Option<f64>,
        longitude: Option<f64>,
        timezone: Option<String>,
    }
    /// A live event that people attend.
    Event {
        event_id: EventId,
        venue_id: Option<VenueId>,
        title: Label,
        description: Option<String>,
        category: Option<String>,
        language: Option<String>,
        url: Option<String>,
        status: EventStatus,
        starts_at: Timestamp,
        ends_at: Timestamp,
        timezone: String,
        currency: Currency,
        /// Fees and taxes on its tickets.
        charges: Vec<Charge>,
        /// Until when a buyer may cancel a paid order; none: never.
        refundable_until: Option<Timestamp>,
        /// Buyers may choose to pay at the door.
        #[serde(default)]
        pay_at_door: bool,
        /// Orders wait for the organizer to approve them.
        #[serde(default)]
        approval_required: bool,
        /// Where it came from, for what was imported.
        source: Option<String>,
    }
    /// A capacity that several ticket types may share. How much of it is held and sold is told by holds and tickets.
    Pool {
        pool_id: PoolId,
        event_id: EventId,
        name: Label,
        /// None: without limit.
        capacity: Option<i64>,
    }
    TicketType {
        ticket_type_id: TicketTypeId,
        event_id: EventId,
        name: Label,
        /// Shown and sold only to who has a promo code that names it.
        hidden: bool,
        min_per_order: i64,
        max_per_order: i64,
        sales_from: Option<Timestamp>,
        sales_to: Option<Timestamp>,
        valid_from: Option<Timestamp>,
        valid_to: Option<Timestamp>,
        pools: Vec<PoolRef>,
        prices: Vec<Price>,
    }
    PoolRef {
        pool_id: PoolId,
    }
    /// A price in force from `from_at` up to `to_at`, in the event's currency.
    Price {
        price_id: PriceId,
        phase: String,
        amount_minor: i64,
        from_at: Option<Timestamp>,
        to_at: Option<Timestamp>,
        /// How many are sold at this price: the phase ends when this pool is empty.
        #[serde(default)]
        pool_id: Option<PoolId>,
    }
}

entity!(Venue, "venue", "venues", key: venue_id, money: None, personal: &[], changes: ["created", "updated"]);
entity!(Event, "event", "events", key: event_id, money: None, personal: &[],
    changes: ["drafted", "updated", "published", "postponed", "cancelled", "ended", "key_rotated", "key_revoked",
        "refunds_requested"]);
entity!(Pool, "pool", "pools", key: pool_id, money: None, personal: &[], changes: ["created", "resized"]);
entity!(TicketType, "ticket_type", "ticket_types", key: ticket_type_id, money: None, personal: &[],
    changes: ["created", "updated"]);
