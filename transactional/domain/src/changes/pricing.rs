use super::{ListedType, entity};
use crate::{
    EventId, PoolId, PromoCodeId, Timestamp,
    pricing::{ChargeKind, DiscountKind},
    record::record,
};

record! {
    /// A code that a buyer types. Its uses are a pool of their own: a hold keeps one, an order uses it.
    PromoCode {
        promo_code_id: PromoCodeId,
        event_id: EventId,
        /// In capital letters; unique within the event.
        code: String,
        kind: DiscountKind,
        /// Basis points or minor units, by the kind.
        value: i64,
        buy_quantity: i64,
        free_quantity: i64,
        /// Empty: every ticket type of the event. Hidden types that are named here are opened by the code.
        ticket_types: Vec<ListedType>,
        from_at: Option<Timestamp>,
        to_at: Option<Timestamp>,
        /// Its capacity is how often the code may be used.
        pool_id: PoolId,
        /// Only for people whom the organizer has named.
        for_audience: bool,
        active: bool,
    }
    /// A fee or tax on everything that an event sells.
    Charge {
        kind: ChargeKind,
        name: String,
        /// Basis points of the price.
        bps: i64,
        /// For each ticket. Of a fee alone.
        fixed_minor: i64,
        /// Already in the price, not added to it.
        included: bool,
    }
}

entity!(PromoCode, "promo_code", "promo_codes", key: promo_code_id, money: None, personal: &[],
    changes: ["created", "updated"]);
