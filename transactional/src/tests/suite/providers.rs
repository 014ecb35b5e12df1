//! Payment providers that do not do what they are asked at once.

use super::{money::says, *};
use crate::payments::{
    Applied, NextStep, PaymentProvider, Report, ReportedOutcome,
    refunds::{self, DueRefund, RefundAnswer},
};
use domain::{changes::Payment, order::RefundStatus};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Fails some times, then says that it will report.
struct Flaky(AtomicUsize);

#[async_trait::async_trait]
impl PaymentProvider for Flaky {
    fn name(&self) -> &'static str {
        "test"
    }

    fn signature_header(&self) -> &'static str {
        ""
    }

    fn accepts(&self, _: &str) -> bool {
        true
    }

    async fn start(&self, _: &Payment, _: &str) -> Result<NextStep> {
        Ok(NextStep::Wait)
    }

    async fn refund(&self, _: &DueRefund) -> Result<RefundAnswer> {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Error::Unavailable("no route".into())),
            _ => Ok(RefundAnswer::Accepted("at-provider".into())),
        }
    }

    fn verify(&self, _: Option<&str>, _: &[u8]) -> Result<Option<Report>> {
        Ok(None)
    }

    async fn reports(&self, _: &Store, _: Timestamp, _: Timestamp) -> Result<Vec<Report>> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_asked_again_later_and_one_that_accepts_is_waited_for() {
    let world = World::with_capacity(10).await;
    let placed = world.paid(1).await;
    world.amount(placed.order.order_id, 100).await.unwrap();
    let provider = Flaky(AtomicUsize::new(0));
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
