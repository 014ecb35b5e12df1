use super::*;
use crate::payments::{Applied, PaymentProvider, Report, ReportedOutcome, pending, report};
use domain::order::{OrderStatus, PaymentStatus};

async fn apply(world: &World, sent: &Report) -> Applied {
    let sent = sent.clone();
    world
        .store
        .write("provider:test", |tx| Box::pin(report(tx, sent)))
        .await
        .unwrap()
}

fn failure(placed: &orders::Placed, ext_id: &str, world: &World) -> Report {
    Report {
        ext_id: ext_id.into(),
        outcome: ReportedOutcome::Failed,
        ..world.success(placed)
    }
}

async fn status(world: &World, placed: &orders::Placed) -> (OrderStatus, PaymentStatus) {
    let mut db = world.store.read().await.unwrap();
    let order = orders::get(&mut db, placed.order.order_id).await.unwrap();
    let payment = crate::payments::of_order(&mut db, order.order_id)
        .await
        .unwrap()
        .remove(0);
    (order.status, payment.status)
}

#[tokio::test]
async fn case_41_a_report_that_is_delivered_many_times_at_once_makes_one_transition() {
    let world = World::with_capacity(5).await;
    let placed = world.order(2).await;
    let sent = world.success(&placed);
    let outcomes = futures::future::join_all((0..20).map(|_| apply(&world, &sent))).await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|applied| **applied == Applied::Done(ReportedOutcome::Succeeded))
            .count(),
        1
    );
    assert_eq!(
        outcomes.iter().filter(|applied| **applied == Applied::Repeated).count(),
        19
    );
    let again = Report {
        ext_id: "another delivery".into(),
        ..sent
    };
    assert_eq!(apply(&world, &again).await, Applied::Repeated);
    let types = world.change_types().await;
    assert_eq!(types.iter().filter(|t| *t == "ticket.issued").count(), 2);
    assert_eq!(types.iter().filter(|t| *t == "order.paid").count(), 1);
    assert_eq!(world.pool_counts().await, (0, 2));
    world.assert_sound().await;
}

#[tokio::test]
async fn case_41_success_is_the_last_word_in_whatever_order_reports_come() {
    let world = World::with_capacity(5).await;
    let (first, second) = (world.order(1).await, world.order(1).await);
    assert_eq!(
        apply(&world, &world.success(&first)).await,
        Applied::Done(ReportedOutcome::Succeeded)
    );
    assert_eq!(apply(&world, &failure(&first, "a", &world)).await, Applied::Repeated);
    assert_eq!(
        apply(&world, &failure(&second, "b", &world)).await,
        Applied::Done(ReportedOutcome::Failed)
    );
    assert_eq!(
        status(&world, &second).await,
        (OrderStatus::Pending, PaymentStatus::Failed)
    );
    assert_eq!(
        apply(&world, &world.success(&second)).await,
        Applied::Done(ReportedOutcome::Succeeded)
    );
    for placed in [&first, &second] {
        assert_eq!(
            status(&world, placed).await,
            (OrderStatus::Paid, PaymentStatus::Succeeded)
        );
    }
    world.assert_sound().await;
}

/// Three days go by: the order's time is over, and its capacity went back.
async fn expire(world: &World) {
    let later = Timestamp::now() + Duration::from_secs(3 * 24 * 3600);
    world
        .write(move |tx| {
            tx.at(later);
            Box::pin(holds::sweep(tx, None, 100))
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn case_41_a_success_three_days_late_takes_capacity_that_is_still_there() {
    let world = World::with_capacity(1).await;
    let placed = world.order(1).await;
    expire(&world).await;
    assert_eq!(
        apply(&world, &world.success(&placed)).await,
        Applied::Done(ReportedOutcome::Succeeded)
    );
    assert_eq!(
        status(&world, &placed).await,
        (OrderStatus::Paid, PaymentStatus::Succeeded)
    );
    assert_eq!(world.pool_counts().await, (0, 1));
    world.assert_sound().await;
}

#[tokio::test]
async fn case_41_a_late_success_without_capacity_is_money_to_give_back() {
    let world = World::with_capacity(1).await;
    let placed = world.order(1).await;
    expire(&world).await;
    world.hold(1).await.unwrap();
    assert_eq!(apply(&world, &world.success(&placed)).await, Applied::Unapplied);
    assert_eq!(
        status(&world, &placed).await,
        (OrderStatus::Expired, PaymentStatus::Unapplied)
    );
    assert_eq!(apply(&world, &world.success(&placed)).await, Applied::Repeated);
    assert_eq!(world.pool_counts().await, (1, 0));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_success_after_cancellation_is_money_to_give_back() {
    let world = World::with_capacity(1).await;
    let placed = world.order(1).await;
    let id = placed.order.order_id;
    world
        .write(move |tx| Box::pin(orders::cancel(tx, id, None)))
        .await
        .unwrap();
    assert_eq!(apply(&world, &world.success(&placed)).await, Applied::Unapplied);
    assert_eq!(world.pool_counts().await, (0, 0));
    world.assert_sound().await;
}

#[tokio::test]
async fn another_amount_or_currency_is_stored_and_not_believed() {
    let world = World::with_capacity(5).await;
    let placed = world.order(1).await;
    let truth = world.success(&placed);
    let mut less = Report {
        ext_id: "less".into(),
        ..truth.clone()
    };
    less.amount.amount_minor -= 1;
    let mut dollars = Report {
        ext_id: "dollars".into(),
        ..truth.clone()
    };
    dollars.amount.currency = "USD".parse().unwrap();
    for wrong in [less, dollars] {
        assert_eq!(apply(&world, &wrong).await, Applied::Mismatch);
        assert_eq!(apply(&world, &wrong).await, Applied::Repeated, "it is stored");
    }
    let stranger = Report {
        provider_ref: Some("nobody".into()),
        ext_id: "x".into(),
        ..truth
    };
    assert_eq!(apply(&world, &stranger).await, Applied::UnknownPayment);
    assert_eq!(
        status(&world, &placed).await,
        (OrderStatus::Pending, PaymentStatus::Pending)
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn a_payment_that_failed_can_be_tried_again() {
    let world = World::with_capacity(5).await;
    let placed = world.order(1).await;
    apply(&world, &failure(&placed, "declined", &world)).await;
    let id = placed.order.order_id;
    let payment = world
        .write(move |tx| Box::pin(orders::pay(tx, id, "test".into(), "test_ok".into())))
        .await
        .unwrap();
    let waiting = pending(&mut world.store.read().await.unwrap(), "test", 10)
        .await
        .unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!((&waiting[0].payment, waiting[0].method.as_str()), (&payment, "test_ok"));
    let sent = world.provider().schedule(&payment, "test_ok").remove(0).1;
    assert_eq!(apply(&world, &sent).await, Applied::Done(ReportedOutcome::Succeeded));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_webhook_is_believed_by_its_signature_alone() {
    let world = World::with_capacity(5).await;
    let sent = world.success(&world.order(1).await);
    let provider = world.provider();
    let (signature, body) = provider.sign(&sent).unwrap();
    assert_eq!(provider.verify(Some(&signature), &body), Ok(Some(sent.clone())));
    let mut forged = body.clone();
    forged[10] ^= 1;
    assert_eq!(code(provider.verify(Some(&signature), &forged)), "bad_signature");
    assert_eq!(code(provider.verify(None, &body)), "bad_signature");
    assert_eq!(
        code(TestProvider::new(b"other").verify(Some(&signature), &body)),
        "bad_signature"
    );
}

#[test]
fn the_schedule_of_a_method_is_a_function_of_the_payment() {
    let provider = TestProvider::new(b"secret");
    let payment = domain::changes::Payment {
        payment_id: domain::PaymentId::new(),
        order_id: domain::OrderId::new(),
        event_id: EventId::new(),
        provider: "test".into(),
        provider_ref: "p".into(),
        status: PaymentStatus::Pending,
        amount_minor: 1,
        currency: "EUR".parse().unwrap(),
        platform_fee_minor: 0,
    };
    let outcomes = |method: &str| -> Vec<(bool, String)> {
        let scheduled = provider.schedule(&payment, method);
        assert_eq!(scheduled, provider.schedule(&payment, method));
        scheduled
            .into_iter()
            .map(|(_, r)| (r.outcome == ReportedOutcome::Succeeded, r.ext_id))
            .collect()
    };
    assert_eq!(outcomes("test_declined"), [(false, "p:1".into())]);
    assert_eq!(outcomes("test_duplicated"), vec![(true, "p:1".to_owned()); 3]);
    assert_eq!(
        outcomes("test_reordered"),
        [(true, "p:2".into()), (false, "p:1".into())]
    );
    assert!(outcomes("test_manual").is_empty());
    assert!(provider.schedule(&payment, "test_late")[0].0 > orders::PAYABLE_FOR);
}
