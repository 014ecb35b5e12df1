use super::entity;
use crate::{
    Currency, DisputeId, EventId, OrderId, PaymentId, PayoutId, RefundId, Timestamp,
    order::{DisputeStatus, PaymentStatus, RefundReason, RefundStatus},
    record::record,
};

record! {
    Payment {
        payment_id: PaymentId,
        order_id: OrderId,
        event_id: EventId,
        provider: String,
        provider_ref: String,
        status: PaymentStatus,
        amount_minor: i64,
        currency: Currency,
        /// What the platform keeps of it.
        #[serde(default)]
        platform_fee_minor: i64,
    }
    /// Money of a payment on its way back to who paid.
    Refund {
        refund_id: RefundId,
        payment_id: PaymentId,
        order_id: OrderId,
        event_id: EventId,
        provider: String,
        status: RefundStatus,
        reason: RefundReason,
        amount_minor: i64,
        currency: Currency,
    }
    Dispute {
        dispute_id: DisputeId,
        payment_id: PaymentId,
        order_id: OrderId,
        event_id: EventId,
        provider: String,
        /// The provider's own id of it.
        provider_ref: String,
        status: DisputeStatus,
        amount_minor: i64,
        currency: Currency,
    }
    /// Money that the platform sent to an organizer.
    Payout {
        payout_id: PayoutId,
        amount_minor: i64,
        currency: Currency,
        /// What a bank statement shows.
        reference: Option<String>,
        paid_at: Timestamp,
    }
}

entity!(Payment, "payment", "payments", key: payment_id, money: Some("amount_minor"), personal: &[],
    changes: ["started", "succeeded", "failed", "unapplied"]);
entity!(Refund, "refund", "refunds", key: refund_id, money: Some("amount_minor"), personal: &[],
    changes: ["requested", "succeeded", "failed"]);
entity!(Dispute, "dispute", "disputes", key: dispute_id, money: Some("amount_minor"), personal: &[],
    changes: ["opened", "won", "lost"]);
entity!(Payout, "payout", "payouts", key: payout_id, money: Some("amount_minor"), personal: &[], changes: ["made"]);
