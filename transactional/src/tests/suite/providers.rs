//! Payment providers that do not do what they are asked at once.

use super::{money::says, *};
use crate::payments::{
    Applied, NextStep, PaymentProvider, Report, ReportedOutcome,
    refunds::{self, DueRefund, RefundAnswer},
};
use domain::{changes::Payment, order::RefundStatus};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A provider by the book of a test.
#[derive(Default)]
pub(super) struct Scripted {
    /// How often it fails to answer, before it accepts a refund.
    pub(super) failures: AtomicUsize,
    /// What it has reported, and when.
    pub(super) books: Vec<(Timestamp, Report)>,
}

#[async_trait::async_trait]
impl PaymentProvider for Scripted {
    fn name(&self) -> &'static str {
        "test"
    }

    fn signature_header(&self) -> &'static str {
        ""
    }

    fn methods(&self) -> &'static [&'static str] {
        &["any"]
    }

    async fn start(&self, _: &Payment, _: &str, _: &str) -> Result<NextStep> {
        Ok(NextStep::Wait)
    }

    async fn refund(&self, _: &DueRefund) -> Result<RefundAnswer> {
        let fails = |left: usize| left.checked_sub(1);
        match self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails) {
            Ok(_) => Err(Error::Unavailable("no route".into())),
            Err(_) => Ok(RefundAnswer::Accepted("at-provider".into())),
        }
    }

    fn verify(&self, _: Option<&str>, _: &[u8]) -> Result<Option<Report>> {
        Ok(None)
    }

    async fn reports(&self, _: &Store, from: Timestamp, to: Timestamp) -> Result<Vec<Report>> {
        let told = self.books.iter().filter(|(at, _)| from <= *at && *at < to);
        Ok(told.map(|(_, report)| report.clone()).collect())
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_asked_again_later_and_one_that_accepts_is_waited_for() {
    let world = World::with_capacity(10).await;
    let placed = world.paid(1).await;
    world.amount(placed.order.order_id, 100).await.unwrap();
    let provider = Scripted {
        failures: AtomicUsize::new(1),
        ..Scripted::default()
    };
    let ask = || refunds::ask(&world.store, &provider, 10);
    assert_eq!(ask().await.unwrap(), 1);
    assert_eq!(ask().await.unwrap(), 0, "not yet again");
    let soon = "update refunds set next_try_at = 0 where next_try_at is not null";
    world
        .write(move |tx| Box::pin(crate::sql::execute(tx, soon, vec![])))
        .await
        .unwrap();
    assert_eq!(ask().await.unwrap(), 1);
    assert_eq!(ask().await.unwrap(), 0, "it will report");
    let told = says(&world, &placed, "r", ReportedOutcome::Refunded, 100);
    assert_eq!(
        world.report(told).await,
        Applied::Done(ReportedOutcome::Refunded),
        "under its own id"
    );
    assert_eq!(
        world.refunds(placed.order.order_id).await,
        [(RefundStatus::Succeeded, 100)]
    );
    world.assert_sound().await;
}
