//! The port to payment providers.

use crate::Result;
use async_trait::async_trait;
use domain::{Money, changes::Payment};
use serde::{Deserialize, Serialize};

/// What a provider says of a payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    pub provider: String,
    /// The provider's id of this report: the same on every delivery of it.
    pub ext_id: String,
    /// The payment's id, as we gave it to the provider.
    pub provider_ref: String,
    pub outcome: ReportedOutcome,
    pub amount: Money,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedOutcome {
    Succeeded,
    Failed,
}

impl ReportedOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            ReportedOutcome::Succeeded => "succeeded",
            ReportedOutcome::Failed => "failed",
        }
    }
}

/// What the buyer does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Nothing: the provider will report.
    Wait,
    Redirect(String),
}

/// A provider promises to report every payment's outcome at least once, signed, in any order and at any time. It
/// promises nothing more, and nothing more is relied on.
#[async_trait]
pub trait PaymentProvider: Send + Sync {
    fn name(&self) -> &'static str;

    /// Whether it knows this payment method.
    fn accepts(&self, method: &str) -> bool;

    /// Tells the provider of a payment that is already stored here. May be called again after a crash.
    async fn start(&self, payment: &Payment, method: &str) -> Result<NextStep>;

    /// The report in a webhook's body, if the signature is the provider's.
    fn verify(&self, signature: Option<&str>, body: &[u8]) -> Result<Report>;
}
