//! The port to payment providers.

use super::refunds::{DueRefund, RefundAnswer};
use crate::{Result, Store};
use async_trait::async_trait;
use domain::{Money, Timestamp, changes::Payment};
use serde::{Deserialize, Serialize};

/// What a provider says of a payment, of a refund of it, or of a dispute about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    pub provider: String,
    /// The provider's id of this report: the same on every delivery of it.
    pub ext_id: String,
    /// The payment's id, as we gave it to the provider. None: it is known by `external_ref` alone.
    pub provider_ref: Option<String>,
    /// The provider's own id of the payment.
    #[serde(default)]
    pub external_ref: Option<String>,
    /// Of a refund: its id as we gave it to the provider, or the provider's own. Of a dispute: the provider's.
    #[serde(default)]
    pub subject_ref: Option<String>,
    pub outcome: ReportedOutcome,
    pub amount: Money,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedOutcome {
    Succeeded,
    Failed,
    Refunded,
    RefundFailed,
    DisputeOpened,
    DisputeWon,
    DisputeLost,
}

impl ReportedOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            ReportedOutcome::Succeeded => "succeeded",
            ReportedOutcome::Failed => "failed",
            ReportedOutcome::Refunded => "refunded",
            ReportedOutcome::RefundFailed => "refund_failed",
            ReportedOutcome::DisputeOpened => "dispute_opened",
            ReportedOutcome::DisputeWon => "dispute_won",
            ReportedOutcome::DisputeLost => "dispute_lost",
        }
    }
}

/// What the buyer does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Nothing: the provider will report.
    Wait,
    /// Pay at this address.
    Redirect(String),
}

/// A provider promises to report every payment's outcome at least once, signed, in any order and at any time. It
/// promises nothing more, and nothing more is relied on.
#[async_trait]
pub trait PaymentProvider: Send + Sync {
    fn name(&self) -> &'static str;

    /// The header of its webhooks that carries the signature.
    fn signature_header(&self) -> &'static str;

    /// The payment methods that it knows, at least one; what a page asks for that offers no choice comes first.
    fn methods(&self) -> &'static [&'static str];

    /// Tells the provider of a payment that is already stored here. May be called again after a crash. `back`: the page
    /// that its own page leads back to.
    async fn start(&self, payment: &Payment, method: &str, back: &str) -> Result<NextStep>;

    /// Asks for money back. May be called again for the same refund, and pays it once.
    async fn refund(&self, refund: &DueRefund) -> Result<RefundAnswer>;

    /// The report in a webhook's body, if the signature is the provider's. None: it is of something else.
    fn verify(&self, signature: Option<&str>, body: &[u8]) -> Result<Option<Report>>;

    /// Everything that it has reported, or tried to, in that time.
    async fn reports(&self, store: &Store, from: Timestamp, to: Timestamp) -> Result<Vec<Report>>;
}
