//! The payment provider: asked to start payments and to give money back, believed when it reports.

mod stripe;
mod test_bank;

pub use stripe::{Stripe, StripeOptions};
pub use test_bank::PaymentReports;

use crate::problem::{Problem, Result};
use domain::changes::Payment;
use std::sync::Arc;
use test_bank::TestBank;
use transactional::{
    Store, Stored,
    payments::{self, Applied, NextStep, PaymentProvider, TestProvider},
};

pub struct Payments {
    provider: Arc<dyn PaymentProvider>,
    store: Store,
    /// The other side of the test provider, if that is the provider.
    bank: Option<TestBank>,
}

impl Payments {
    /// Payments go to Stripe if its keys are there, otherwise to the test provider.
    pub fn new(store: Store, stripe: Option<Stripe>) -> (Self, PaymentReports) {
        let test = TestProvider::new(&store.webhook_secret());
        let (bank, reports) = TestBank::new(test.clone(), store.clone());
        let (provider, bank): (Arc<dyn PaymentProvider>, _) = match stripe {
            Some(stripe) => (Arc::new(stripe), None),
            None => (Arc::new(test), Some(bank)),
        };
        (Self { provider, store, bank }, reports)
    }

    pub fn provider(&self) -> &dyn PaymentProvider {
        &*self.provider
    }

    /// Asks the provider for the money. Its reports come later. The answer: where the buyer pays, and comes `back` from.
    pub async fn start(&self, payment: &Stored<Payment>, method: &str, back: &str) -> Result<Option<String>> {
        let next = self.provider.start(payment, method, back).await?;
        if let Some(bank) = &self.bank {
            bank.start(payment, method);
        }
        Ok(match next {
            NextStep::Wait => None,
            NextStep::Redirect(url) => Some(url),
        })
    }

    /// Takes a report as it arrived, believes it if its signature is right, and applies it once. None: it is of
    /// nothing that payments are about.
    pub async fn take_report(&self, signature: Option<&str>, body: &[u8]) -> Result<Option<Applied>> {
        let Some(report) = self.provider.verify(signature, body)? else {
            return Ok(None);
        };
        let actor = format!("provider:{}", self.provider.name());
        let applied = self
            .store
            .write(actor, move |tx| {
                Box::pin(async move { payments::report(tx, report).await })
            })
            .await?;
        if matches!(applied, Applied::Mismatch | Applied::UnknownPayment) {
            tracing::warn!(?applied, "a payment report was not believed");
        }
        Ok(Some(applied))
    }
}

/// Whether the same report may be taken later.
fn is_transient(problem: &Problem) -> bool {
    problem.status().is_server_error()
}
