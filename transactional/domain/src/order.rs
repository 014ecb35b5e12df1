//! The states of holds, orders, payments and tickets.

use crate::record::states;

states! {
    /// A hold keeps capacity for a buyer until it expires.
    HoldStatus {
        Active = "active",
        Converted = "converted",
        Expired = "expired",
        Released = "released",
    }
    OrderStatus {
        Pending = "pending",
        Paid = "paid",
        Expired = "expired",
        Cancelled = "cancelled",
    }
    /// `unapplied`: the money came, but the order could not take it any more, so it has to go back.
    PaymentStatus {
        Pending = "pending",
        Succeeded = "succeeded",
        Failed = "failed",
        Unapplied = "unapplied",
    }
    TicketStatus {
        Valid = "valid",
        Cancelled = "cancelled",
    }
}
