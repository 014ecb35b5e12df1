use super::{money::says, providers::Scripted, *};
use crate::{
    payments::{Report, ReportedOutcome},
    reconciliation::{self, DifferenceKind, Reconciliation},
    sql::{self, binds},
};
use domain::order::OrderStatus;

const DAY: &str = "2026-01-05";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn books(books: Vec<(Timestamp, Report)>) -> Scripted {
    Scripted {
        books,
        ..Scripted::default()
    }
}

impl World {
    async fn reconcile(&self, books: &Scripted) -> Reconciliation {
        reconciliation::run(&self.store, books, DAY).await.unwrap()
    }

    /// All that has arrived came at this time.
    async fn arrived(&self, at: Timestamp) {
        let sql = "update provider_events set received_at = $1";
        self.write(move |tx| Box::pin(sql::execute(tx, sql, binds![at])))
            .await
            .unwrap();
    }
}

fn kinds(done: &Reconciliation) -> Vec<DifferenceKind> {
    done.differences.iter().map(|difference| difference.kind).collect()
}

#[tokio::test]
async fn what_never_arrived_is_applied_and_what_can_not_be_is_told() {
    let world = World::with_capacity(10).await;
    let (missed, wrong) = (world.order(1).await, world.order(1).await);
    let noon = at("2026-01-05T12:00:00Z");
    let mut less = world.success(&wrong);
    less.amount.amount_minor -= 1;
    let unknown = Report {
        provider_ref: Some("nobody".into()),
        ext_id: "unknown".into(),
        ..world.success(&missed)
    };
    let tomorrow = (at("2026-01-06T00:00:00Z"), world.success(&wrong));
    let books = books(vec![
        (noon, world.success(&missed)),
        (noon, less),
        (noon, unknown),
        tomorrow,
    ]);
    let done = world.reconcile(&books).await;
    assert_eq!((done.reports, done.caught_up), (3, 1));
    assert_eq!(kinds(&done), [DifferenceKind::Mismatch, DifferenceKind::UnknownPayment]);
    let stored = |placed: &orders::Placed| {
        let id = placed.order.order_id;
        let store = world.store.clone();
        async move { orders::get(&mut store.read().await.unwrap(), id).await.unwrap().status }
    };
    assert_eq!(stored(&missed).await, OrderStatus::Paid);
    assert_eq!(stored(&wrong).await, OrderStatus::Pending);
    let again = world.reconcile(&books).await;
    assert_eq!((again.caught_up, kinds(&again)), (0, kinds(&done)));
    let kept = reconciliation::list(&mut world.store.read().await.unwrap(), 10)
        .await
        .unwrap();
    assert_eq!(kept, [again], "a day has one result");
    world.assert_sound().await;
}

#[tokio::test]
async fn a_report_that_the_provider_does_not_know_is_told_and_one_that_came_days_late_is_not() {
    let world = World::with_capacity(10).await;
    let (invented, late) = (world.paid(1).await, world.paid(1).await);
    world.arrived(at("2026-01-05T12:00:00Z")).await;
    let books = books(vec![(at("2026-01-02T13:00:00Z"), world.success(&late))]);
    let done = world.reconcile(&books).await;
    assert_eq!((done.reports, kinds(&done)), (0, vec![DifferenceKind::NotReported]));
    assert_eq!(done.differences[0].payment, invented.payment.unwrap().provider_ref);
    world.assert_sound().await;
}

#[tokio::test]
async fn what_one_day_catches_up_on_is_no_difference_of_the_next() {
    let world = World::with_capacity(10).await;
    let placed = world.order(1).await;
    let books = books(vec![(at("2026-01-04T12:00:00Z"), world.success(&placed))]);
    let caught_up = reconciliation::run(&world.store, &books, "2026-01-04").await.unwrap();
    assert_eq!(caught_up.caught_up, 1);
    world.arrived(at("2026-01-05T02:00:00Z")).await;
    assert_eq!(kinds(&world.reconcile(&books).await), []);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_refund_that_has_waited_for_a_day_is_told() {
    let world = World::with_capacity(10).await;
    let placed = world.paid(1).await;
    let books = books(vec![(at("2026-01-03T12:00:00Z"), world.success(&placed))]);
    let refund = world.amount(placed.order.order_id, 700).await.unwrap();
    assert_eq!(kinds(&world.reconcile(&books).await), [], "it was asked for today");
    let old = "update refunds set requested_at = $1";
    world
        .write(move |tx| Box::pin(sql::execute(tx, old, binds![at("2026-01-01T00:00:00Z")])))
        .await
        .unwrap();
    let done = world.reconcile(&books).await;
    assert_eq!(kinds(&done), [DifferenceKind::RefundWaits]);
    assert!(done.differences[0].detail.ends_with("of 7.00 EUR"), "{done:?}");
    let told = Report {
        subject_ref: Some(refund.refund_id.to_string()),
        ..says(&world, &placed, "r", ReportedOutcome::Refunded, 700)
    };
    world.report(told).await;
    assert_eq!(kinds(&world.reconcile(&books).await), []);
    world.assert_sound().await;
}
