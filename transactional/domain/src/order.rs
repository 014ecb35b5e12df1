//! The states of holds, orders, tickets, and of the money for them.

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
    /// `failed` may come after `succeeded`: a bank can send money back days later.
    RefundStatus {
        Pending = "pending",
        Succeeded = "succeeded",
        Failed = "failed",
    }
    RefundReason {
        /// Staff gave it back.
        Staff = "staff",
        /// The buyer cancelled, as the event's policy allows.
        Buyer = "buyer",
        /// The event does not take place.
        EventCancelled = "event_cancelled",
        /// The payment came when its order could not be filled any more.
        Unapplied = "unapplied",
        /// It was made at the provider and not here.
        Provider = "provider",
    }
    /// A chargeback: the buyer's bank took the money back, and somebody has to decide.
    DisputeStatus {
        Open = "open",
        Won = "won",
        Lost = "lost",
    }
    /// What a ledger entry is about.
    EntryKind {
        Payment = "payment",
        Unapplied = "unapplied",
        Refund = "refund",
        RefundPaid = "refund_paid",
        RefundFailed = "refund_failed",
        Dispute = "dispute",
        DisputeWon = "dispute_won",
        DisputeLost = "dispute_lost",
        Payout = "payout",
    }
    WaitingStatus {
        Waiting = "waiting",
        /// Tickets are held for them.
        Offered = "offered",
        Taken = "taken",
        /// The offer's time is over.
        Expired = "expired",
        Left = "left",
    }
    TicketStatus {
        Valid = "valid",
        Cancelled = "cancelled",
    }
}
