use super::*;
use crate::{
    ledger::{self, Accounts},
    orders::RefundRequest,
    payments::{self, Applied, Report, ReportedOutcome, disputes, refunds},
};
use domain::{
    Money, OrderId,
    changes::{Order, Refund},
    order::{DisputeStatus, OrderStatus, RefundReason, RefundStatus},
};

impl World {
    pub(super) async fn paid(&self, quantity: i64) -> orders::Placed {
        let placed = self.order(quantity).await;
        assert_eq!(
            self.report(self.success(&placed)).await,
            Applied::Done(ReportedOutcome::Succeeded)
        );
        placed
    }

    pub(super) async fn report(&self, sent: Report) -> Applied {
        self.write(|tx| Box::pin(payments::report(tx, sent))).await.unwrap()
    }

    async fn refund(&self, id: OrderId, request: RefundRequest) -> Result<Option<Stored<Refund>>> {
        self.write(move |tx| Box::pin(orders::refund(tx, id, request, RefundReason::Staff)))
            .await
    }

    pub(super) async fn amount(&self, id: OrderId, amount_minor: i64) -> Result<Stored<Refund>> {
        let amount = Money::new(amount_minor, "EUR".parse().unwrap());
        let refund = self.refund(id, RefundRequest::Amount(amount)).await?;
        Ok(refund.expect("an amount goes back as money"))
    }

    async fn ask(&self) -> usize {
        refunds::ask(&self.store, &self.provider(), 100).await.unwrap()
    }

    pub(super) async fn refunds(&self, id: OrderId) -> Vec<(RefundStatus, i64)> {
        let refunds = refunds::of_order(&mut self.store.read().await.unwrap(), id)
            .await
            .unwrap();
        refunds
            .iter()
            .map(|refund| (refund.status, refund.amount_minor))
            .collect()
    }

    pub(super) async fn stored(&self, id: OrderId) -> Stored<Order> {
        orders::get(&mut self.store.read().await.unwrap(), id).await.unwrap()
    }

    async fn balance(&self) -> Accounts {
        let balances = ledger::balances(&mut self.store.read().await.unwrap(), self.organizer)
            .await
            .unwrap();
        assert!(balances.len() <= 1);
        balances.first().map(|balance| balance.accounts).unwrap_or_default()
    }

    async fn platform_fee(&self, bps: i64) {
        let id = self.organizer;
        self.write(move |tx| Box::pin(organizers::set_platform_fee(tx, id, bps)))
            .await
            .unwrap();
    }
}

/// What a provider says beside the end of a payment.
pub(super) fn says(
    world: &World,
    placed: &orders::Placed,
    ext_id: &str,
    outcome: ReportedOutcome,
    amount: i64,
) -> Report {
    let mut told = Report {
        ext_id: ext_id.into(),
        outcome,
        subject_ref: Some("at-provider".into()),
        ..world.success(placed)
    };
    told.amount.amount_minor = amount;
    told
}

fn accounts(provider: i64, organizer: i64, platform: i64, buyers: i64, disputed: i64) -> Accounts {
    Accounts {
        provider_minor: provider,
        organizer_minor: organizer,
        platform_minor: platform,
        buyers_minor: buyers,
        disputed_minor: disputed,
    }
}

#[tokio::test]
async fn refunds_never_exceed_what_was_paid() {
    let world = World::with_capacity(10).await;
    let id = world.paid(2).await.order.order_id;
    world.amount(id, 2 * PRICE - 1).await.unwrap();
    assert_eq!(code(world.amount(id, 2).await), "refund_too_large");
    for nothing in [0, -1, i64::MIN] {
        let Err(Error::Refused(refusal)) = world.amount(id, nothing).await else {
            panic!("{nothing} is not too much, but no refund");
        };
        assert_eq!(refusal.field.as_deref(), Some("amount/amount_minor"));
    }
    let tries = futures::future::join_all((0..10).map(|_| world.amount(id, 1))).await;
    assert_eq!(tries.iter().filter(|tried| tried.is_ok()).count(), 1);
    assert_eq!(world.stored(id).await.refunded_minor, 2 * PRICE);
    assert_eq!(world.ask().await, 2);
    assert_eq!(world.ask().await, 0, "the provider has answered");
    assert_eq!(
        world.refunds(id).await,
        [(RefundStatus::Succeeded, 2 * PRICE - 1), (RefundStatus::Succeeded, 1)]
    );
    assert_eq!(world.stored(id).await.status, OrderStatus::Paid, "the tickets stay");
    assert_eq!(world.pool_counts().await, (0, 2));
    assert_eq!(world.balance().await, Accounts::default());
    world.assert_sound().await;
}

#[tokio::test]
async fn tickets_go_back_at_what_was_paid_for_them_and_the_last_one_cancels_the_order() {
    let world = World::with_capacity(10).await;
    let id = world.paid(3).await.order.order_id;
    let tickets = tickets::of_order(&mut world.store.read().await.unwrap(), id)
        .await
        .unwrap();
    let ids: Vec<_> = tickets.iter().map(|ticket| ticket.ticket_id).collect();
    let of = |range: std::ops::Range<usize>| RefundRequest::Tickets(ids[range].to_vec());
    world.refund(id, of(0..1)).await.unwrap();
    assert_eq!(
        code(world.refund(id, of(0..2)).await),
        "ticket_unknown",
        "one is void already"
    );
    assert_eq!(
        code(world.refund(id, RefundRequest::Tickets(vec![])).await),
        "ticket_unknown"
    );
    assert_eq!(world.pool_counts().await, (0, 2));
    let order = world.stored(id).await;
    assert_eq!((order.status, order.refunded_minor), (OrderStatus::Paid, PRICE));
    let taken = |order: &Order| {
        let back = order.taken_back.as_ref().unwrap();
        (back[0].quantity, back[0].amount_minor)
    };
    assert_eq!(taken(&order), (1, PRICE));
    world.assert_sound().await;
    world.refund(id, of(1..3)).await.unwrap();
    let order = world.stored(id).await;
    assert_eq!(
        (order.status, order.refunded_minor),
        (OrderStatus::Cancelled, 3 * PRICE)
    );
    assert_eq!(taken(&order), (2, 2 * PRICE), "what was left");
    assert_eq!(world.pool_counts().await, (0, 0));
    world.ask().await;
    world.assert_sound().await;
}

#[tokio::test]
async fn tickets_become_void_without_money_where_none_is_left() {
    let world = World::with_capacity(10).await;
    let (pool, ticket_type) = (world.pool, world.ticket_type);
    let tickets = async |id| {
        tickets::of_order(&mut world.store.read().await.unwrap(), id)
            .await
            .unwrap()
    };
    let all = async |id| RefundRequest::Tickets(tickets(id).await.iter().map(|ticket| ticket.ticket_id).collect());
    let id = world.paid(2).await.order.order_id;
    world.amount(id, 2 * PRICE - 300).await.unwrap();
    let first = RefundRequest::Tickets(vec![tickets(id).await[0].ticket_id]);
    let back = world.refund(id, first).await.unwrap();
    assert_eq!(back.unwrap().amount_minor, 300, "what is left of it");
    let last = RefundRequest::Tickets(vec![tickets(id).await[1].ticket_id]);
    assert_eq!(world.refund(id, last).await.unwrap(), None);
    let order = world.stored(id).await;
    assert_eq!(
        (order.status, order.refunded_minor),
        (OrderStatus::Cancelled, 2 * PRICE)
    );
    let free = type_details(&[pool], 0);
    world
        .write(move |tx| Box::pin(ticket_types::update(tx, ticket_type, free)))
        .await
        .unwrap();
    let id = world.order(2).await.order.order_id;
    assert_eq!(code(world.amount(id, 1).await), "nothing_paid");
    assert_eq!(world.refund(id, all(id).await).await.unwrap(), None);
    assert_eq!(world.stored(id).await.status, OrderStatus::Cancelled);
    assert_eq!(code(world.refund(id, all(id).await).await), "ticket_unknown");
    assert_eq!(world.pool_counts().await, (0, 0));
    world.ask().await;
    world.assert_sound().await;
}

#[tokio::test]
async fn a_cancelled_order_gives_back_what_is_left() {
    let world = World::with_capacity(10).await;
    let id = world.paid(2).await.order.order_id;
    world.amount(id, 700).await.unwrap();
    let cancelled = world
        .write(move |tx| Box::pin(orders::cancel(tx, id, Some(RefundReason::Staff))))
        .await
        .unwrap();
    assert_eq!(
        (cancelled.status, cancelled.refunded_minor),
        (OrderStatus::Cancelled, 2 * PRICE)
    );
    world.ask().await;
    assert_eq!(
        world.refunds(id).await,
        [
            (RefundStatus::Succeeded, 700),
            (RefundStatus::Succeeded, 2 * PRICE - 700)
        ]
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn a_buyer_cancels_by_the_policy_and_not_after_a_ticket_was_used() {
    let world = World::with_capacity(10).await;
    let (first, second) = (world.paid(1).await, world.paid(1).await);
    let by_buyer = |id| world.write(move |tx| Box::pin(orders::cancel_by_buyer(tx, id)));
    let id = first.order.order_id;
    let not_refundable = async |id, why: &str| {
        let error = by_buyer(id).await.unwrap_err();
        assert_eq!(error.code(), "not_refundable");
        assert!(error.to_string().starts_with(why), "{error}");
    };
    not_refundable(id, "buyers can't cancel orders of this event").await;
    let event = world.event;
    let until = |until: Timestamp| {
        world.write(move |tx| {
            let details = events::EventDetails {
                refundable_until: Some(until),
                ..event_details()
            };
            Box::pin(events::update(tx, event, details))
        })
    };
    until(Timestamp::now() + Duration::from_secs(60)).await.unwrap();
    assert_eq!(by_buyer(id).await.unwrap().refunded_minor, PRICE);
    let id = second.order.order_id;
    let ticket = tickets::of_order(&mut world.store.read().await.unwrap(), id)
        .await
        .unwrap()
        .remove(0);
    let scan = world.scan(&ticket, "n").await;
    assert!(world.redeem(scan).await.accepted);
    assert_eq!(code(by_buyer(id).await), "ticket_used");
    let over = Timestamp::now() - Duration::from_secs(1);
    until(over).await.unwrap();
    not_refundable(id, &format!("buyers could cancel orders of this event until {over}")).await;
    let pending = world.order(1).await.order.order_id;
    assert_eq!(
        by_buyer(pending).await.unwrap().status,
        OrderStatus::Cancelled,
        "nothing was paid"
    );
    world.ask().await;
    world.assert_sound().await;
}

#[tokio::test]
async fn money_without_an_order_goes_back_by_itself() {
    let world = World::with_capacity(1).await;
    let placed = world.order(1).await;
    let id = placed.order.order_id;
    world
        .write(move |tx| Box::pin(orders::cancel(tx, id, None)))
        .await
        .unwrap();
    assert_eq!(world.report(world.success(&placed)).await, Applied::Unapplied);
    assert_eq!(world.balance().await, accounts(PRICE, 0, 0, -PRICE, 0));
    assert_eq!(world.ask().await, 1);
    assert_eq!(world.refunds(id).await, [(RefundStatus::Succeeded, PRICE)]);
    assert_eq!(world.stored(id).await.refunded_minor, 0, "the order was never paid");
    assert_eq!(world.balance().await, Accounts::default());
    world.assert_sound().await;
}

#[tokio::test]
async fn a_refund_may_fail_even_after_it_succeeded_and_be_made_again() {
    let world = World::with_capacity(10).await;
    world.platform_fee(333).await;
    let placed = world.paid(1).await;
    let id = placed.order.order_id;
    let fee = (PRICE * 333 + 5_000) / 10_000;
    assert_eq!(world.balance().await, accounts(PRICE, fee - PRICE, -fee, 0, 0));
    let refund = world.amount(id, 1_000).await.unwrap();
    world.ask().await;
    let failed = Report {
        subject_ref: Some(refund.refund_id.to_string()),
        ..says(&world, &placed, "bank-says-no", ReportedOutcome::RefundFailed, 1_000)
    };
    assert_eq!(
        world.report(failed.clone()).await,
        Applied::Done(ReportedOutcome::RefundFailed)
    );
    assert_eq!(world.report(failed.clone()).await, Applied::Repeated);
    let later = Report {
        ext_id: "late-success".into(),
        outcome: ReportedOutcome::Refunded,
        ..failed
    };
    assert_eq!(world.report(later).await, Applied::Repeated, "failed is the last word");
    assert_eq!(world.stored(id).await.refunded_minor, 0);
    assert_eq!(
        world.balance().await,
        accounts(PRICE, fee - PRICE, -fee, 0, 0),
        "as before"
    );
    world.amount(id, PRICE).await.unwrap();
    world.ask().await;
    assert_eq!(
        world.balance().await,
        Accounts::default(),
        "the fee went back with it, to the last unit"
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn the_fee_goes_back_in_parts_that_add_up() {
    let world = World::with_capacity(10).await;
    world.platform_fee(777).await;
    let id = world.paid(1).await.order.order_id;
    for _ in 0..7 {
        world.amount(id, PRICE / 7).await.unwrap();
        world.assert_sound().await;
    }
    world.amount(id, PRICE - 7 * (PRICE / 7)).await.unwrap();
    world.ask().await;
    assert_eq!(world.balance().await, Accounts::default());
    world.assert_sound().await;
}

#[tokio::test]
async fn a_refund_made_at_the_provider_is_taken_over_if_there_is_that_much() {
    let world = World::with_capacity(10).await;
    let placed = world.paid(1).await;
    let refunded = |ext: &str, amount| says(&world, &placed, ext, ReportedOutcome::Refunded, amount);
    assert_eq!(world.report(refunded("a", PRICE + 1)).await, Applied::Mismatch);
    let taken = refunded("b", 900);
    assert_eq!(
        world.report(taken.clone()).await,
        Applied::Done(ReportedOutcome::Refunded)
    );
    let again = Report {
        ext_id: "c".into(),
        ..taken
    };
    assert_eq!(
        world.report(again).await,
        Applied::Repeated,
        "the same refund by another report"
    );
    let id = placed.order.order_id;
    assert_eq!(world.stored(id).await.refunded_minor, 900);
    assert_eq!(code(world.amount(id, PRICE - 899).await), "refund_too_large");
    assert_eq!(world.ask().await, 0, "nobody need be asked");
    world.assert_sound().await;
}

#[tokio::test]
async fn money_that_goes_back_must_have_come() {
    let world = World::with_capacity(10).await;
    world.platform_fee(500).await;
    let (refunded, disputed) = (world.order(1).await, world.order(1).await);
    let told = says(&world, &refunded, "r", ReportedOutcome::Refunded, 1_000);
    assert_eq!(world.report(told).await, Applied::Done(ReportedOutcome::Refunded));
    let told = says(&world, &disputed, "d", ReportedOutcome::DisputeOpened, PRICE);
    assert_eq!(world.report(told).await, Applied::Done(ReportedOutcome::DisputeOpened));
    for placed in [&refunded, &disputed] {
        assert_eq!(world.stored(placed.order.order_id).await.status, OrderStatus::Paid);
        assert_eq!(
            world.report(world.success(placed)).await,
            Applied::Repeated,
            "the success comes late"
        );
    }
    assert_eq!(world.stored(refunded.order.order_id).await.refunded_minor, 1_000);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_dispute_takes_the_money_at_once_whatever_is_told_first() {
    let world = World::with_capacity(10).await;
    let (won, lost) = (world.paid(1).await, world.paid(1).await);
    use ReportedOutcome::{DisputeLost, DisputeOpened, DisputeWon};
    assert_eq!(
        world.report(says(&world, &won, "1", DisputeOpened, PRICE)).await,
        Applied::Done(DisputeOpened)
    );
    assert_eq!(world.balance().await, accounts(PRICE, -2 * PRICE, 0, 0, PRICE));
    assert_eq!(code(world.amount(won.order.order_id, 1).await), "refund_too_large");
    assert_eq!(
        world.report(says(&world, &won, "2", DisputeWon, PRICE)).await,
        Applied::Done(DisputeWon)
    );
    assert_eq!(
        world.report(says(&world, &won, "3", DisputeLost, PRICE)).await,
        Applied::Repeated
    );
    let other = |ext: &str, outcome| Report {
        subject_ref: Some("another".into()),
        ..says(&world, &lost, ext, outcome, PRICE)
    };
    assert_eq!(world.report(other("4", DisputeLost)).await, Applied::Done(DisputeLost));
    assert_eq!(
        world.report(other("5", DisputeOpened)).await,
        Applied::Repeated,
        "its beginning comes late"
    );
    assert_eq!(world.balance().await, accounts(PRICE, -PRICE, 0, 0, 0));
    let disputes = disputes::of_organizer(&mut world.store.read().await.unwrap(), world.organizer)
        .await
        .unwrap();
    let states: Vec<_> = disputes.iter().map(|dispute| dispute.status).collect();
    assert_eq!(states, [DisputeStatus::Lost, DisputeStatus::Won]);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_dispute_of_more_than_was_paid_is_not_believed() {
    let world = World::with_capacity(10).await;
    let placed = world.paid(1).await;
    use ReportedOutcome::{DisputeLost, DisputeOpened};
    for amount in [0, -1, PRICE + 1, i64::MAX] {
        let told = says(&world, &placed, &format!("m{amount}"), DisputeOpened, amount);
        assert_eq!(world.report(told).await, Applied::Mismatch, "{amount}");
    }
    let first = says(&world, &placed, "first", DisputeOpened, PRICE - 100);
    assert_eq!(world.report(first).await, Applied::Done(DisputeOpened));
    let second = Report {
        subject_ref: Some("second".into()),
        ..says(&world, &placed, "more than is left", DisputeLost, 101)
    };
    assert_eq!(world.report(second).await, Applied::Mismatch);
    assert_eq!(world.balance().await.disputed_minor, PRICE - 100);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_payout_is_what_is_owed_and_the_ledger_says_so() {
    let world = World::with_capacity(10).await;
    world.platform_fee(1_000).await;
    let pay_out = |currency: &str| {
        let (id, currency) = (world.organizer, currency.parse().unwrap());
        world.write(move |tx| Box::pin(ledger::pay_out(tx, id, currency, Some("SEPA 1".into()))))
    };
    assert_eq!(code(pay_out("EUR").await), "nothing_owed");
    let placed = world.paid(2).await;
    assert_eq!(code(pay_out("USD").await), "nothing_owed");
    assert_eq!(pay_out("EUR").await.unwrap().amount_minor, 2 * PRICE * 9 / 10);
    assert_eq!(code(pay_out("EUR").await), "nothing_owed");
    world.amount(placed.order.order_id, PRICE).await.unwrap();
    assert_eq!(
        world.balance().await.organizer_minor,
        PRICE * 9 / 10,
        "the organizer owes it now"
    );
    let mut db = world.store.read().await.unwrap();
    let entries = ledger::entries(&mut db, world.organizer, Default::default());
    let kinds: Vec<_> = entries
        .await
        .unwrap()
        .items
        .iter()
        .map(|entry| entry.kind.as_str())
        .collect();
    assert_eq!(kinds, ["refund", "payout", "payment"]);
    drop(db);
    world.assert_sound().await;
}

#[tokio::test]
async fn the_ledger_takes_no_entry_that_is_out_of_balance() {
    let world = World::with_capacity(10).await;
    let placed = world.paid(1).await;
    let payment = placed.payment.unwrap();
    let unbalanced = world
        .write(move |tx| {
            let wrong = accounts(1, 0, 0, 0, 0);
            ledger::post(tx, domain::order::EntryKind::Payment, &payment, "x".into(), wrong);
            Box::pin(async { Ok(()) })
        })
        .await;
    assert!(matches!(unbalanced, Err(Error::Storage(_))), "{unbalanced:?}");
    world.assert_sound().await;
}
