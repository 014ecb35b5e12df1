//! Orders whose tickets come before their money.

use super::{doors::*, *};
use crate::{
    check_ins::{Scan, download, upload},
    ledger,
    orders::HowToPay,
    payments::{TILL, refunds},
};
use domain::{
    Money,
    check_in::{Due, Refusal},
    order::{OrderStatus, RefundReason, RefundStatus},
};

impl World {
    async fn reserving(pay_at_door: bool, approval_required: bool) -> Self {
        let world = World::with_capacity(3).await;
        let event = world.event;
        let details = events::EventDetails {
            pay_at_door,
            approval_required,
            ..event_details()
        };
        world
            .write(move |tx| Box::pin(events::update(tx, event, details)))
            .await
            .unwrap();
        world
    }

    async fn order_by(&self, quantity: i64, how: HowToPay) -> Result<orders::Placed> {
        let hold = self.hold(quantity).await.unwrap();
        let checkout = orders::Checkout {
            how,
            ..checkout(&hold, "ada@example.org")
        };
        self.write(|tx| Box::pin(orders::checkout(tx, checkout))).await
    }

    async fn approve(&self, placed: &orders::Placed) -> Result<Stored<domain::changes::Order>> {
        let id = placed.order.order_id;
        self.write(move |tx| Box::pin(orders::approve(tx, id))).await
    }

    async fn take(&self, placed: &orders::Placed) -> Result<Stored<domain::changes::Order>> {
        let id = placed.order.order_id;
        self.write(move |tx| Box::pin(orders::take_payment(tx, id, "cash".into())))
            .await
    }

    async fn pending_list(&self) -> CheckInListId {
        let details = check_ins::ListDetails {
            include_pending: true,
            ..list_details(false, false)
        };
        self.list_of(details).await
    }

    async fn organizers_account(&self) -> Vec<(i64, i64, i64)> {
        let balances = ledger::balances(&mut self.store.read().await.unwrap(), self.organizer).await;
        let accounts = balances.unwrap().into_iter().map(|balance| balance.accounts);
        accounts
            .map(|of| (of.provider_minor, of.organizer_minor, of.platform_minor))
            .collect()
    }
}

fn unpaid(scan: Scan) -> Scan {
    Scan {
        ignore_unpaid: true,
        ..scan
    }
}

#[tokio::test]
async fn case_17_an_unpaid_ticket_passes_only_where_pending_orders_are_listed_and_the_scan_says_so() {
    let world = World::reserving(true, false).await;
    let placed = world.order_by(1, HowToPay::AtDoor).await.unwrap();
    let ticket = &placed.tickets[0];
    let pending = world.pending_list().await;
    for (list, ignored, verdict) in [
        (world.list, false, Some(Refusal::Unpaid)),
        (world.list, true, Some(Refusal::Unpaid)),
        (pending, false, Some(Refusal::Unpaid)),
        (pending, true, None),
    ] {
        let scan = world.scan(ticket, if ignored { "b" } else { "a" }).await;
        let scan = if ignored { unpaid(scan) } else { scan };
        assert_eq!(refused(&world.redeem_on(list, scan).await), verdict);
    }
    assert_eq!(world.attendance(pending).await, (1, 1));
    world.take(&placed).await.unwrap();
    let paid = world.redeem(world.scan(ticket, "c").await).await;
    assert!(paid.accepted && paid.reason.is_none());
    world.assert_sound().await;
}

#[tokio::test]
async fn case_18_an_order_without_approval_stays_out_whatever_is_ignored() {
    let world = World::reserving(true, true).await;
    let placed = world.order_by(1, HowToPay::AtDoor).await.unwrap();
    let pending = world.pending_list().await;
    let scan = async |nonce: &str| unpaid(world.scan(&placed.tickets[0], nonce).await);
    let verdict = world.redeem_on(pending, scan("a").await).await;
    assert_eq!(refused(&verdict), Some(Refusal::Unapproved));
    assert_eq!(code(world.take(&placed).await), "awaits_approval");
    world.approve(&placed).await.unwrap();
    assert_eq!(code(world.approve(&placed).await), "not_waiting");
    assert!(world.redeem_on(pending, scan("b").await).await.accepted);
    world.assert_sound().await;
}

#[tokio::test]
async fn an_order_for_the_door_keeps_its_tickets_until_it_is_paid_or_cancelled() {
    let world = World::reserving(true, false).await;
    let placed = world.order_by(2, HowToPay::AtDoor).await.unwrap();
    assert_eq!((placed.order.status, placed.tickets.len()), (OrderStatus::Pending, 2));
    assert_eq!(world.pool_counts().await, (0, 2));
    let other = world.order_by(1, HowToPay::AtDoor).await.unwrap();
    assert_eq!(code(world.hold(1).await), "sold_out");
    let paid = world.take(&placed).await.unwrap();
    assert_eq!(paid.status, OrderStatus::Paid);
    assert_eq!(code(world.take(&placed).await), "order_closed");
    let id = other.order.order_id;
    world
        .write(move |tx| Box::pin(orders::cancel(tx, id, Some(RefundReason::Staff))))
        .await
        .unwrap();
    assert_eq!(world.pool_counts().await, (0, 2));
    let told = world.change_types().await;
    let issued = told.iter().filter(|told| *told == "ticket.issued").count();
    assert_eq!(issued, 3, "no ticket twice");
    world.assert_sound().await;
}

#[tokio::test]
async fn what_is_paid_at_the_door_is_the_organizers_and_the_platform_has_its_fee_in_the_ledger() {
    let world = World::reserving(true, false).await;
    let organizer = world.organizer;
    world
        .write(move |tx| Box::pin(crate::organizers::set_platform_fee(tx, organizer, 200)))
        .await
        .unwrap();
    let placed = world.order_by(2, HowToPay::AtDoor).await.unwrap();
    world.take(&placed).await.unwrap();
    assert_eq!(world.organizers_account().await, [(0, 100, -100)]);
    let id = placed.order.order_id;
    let back = Money::new(5_000, "EUR".parse().unwrap());
    let refund = world
        .write(move |tx| {
            let request = orders::RefundRequest::Amount(back);
            Box::pin(orders::refund(tx, id, request, RefundReason::Staff))
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!((refund.status, refund.provider.as_str()), (RefundStatus::Pending, TILL));
    assert_eq!(refunds::ask(&world.store, &world.provider(), 10).await.unwrap(), 0);
    let id = refund.refund_id;
    let hand_over = || world.write(move |tx| Box::pin(orders::hand_over(tx, id)));
    assert_eq!(hand_over().await.unwrap().status, RefundStatus::Succeeded);
    assert_eq!(code(hand_over().await), "not_owed");
    assert_eq!(world.organizers_account().await, [(0, 0, 0)]);
    world.assert_sound().await;
}

#[tokio::test]
async fn an_order_that_is_approved_is_paid_online_and_a_free_one_at_once() {
    let world = World::reserving(false, true).await;
    assert_eq!(
        code(world.order_by(1, HowToPay::AtDoor).await),
        "not_at_door",
        "this event does not allow it"
    );
    let placed = world.order_by(1, paid_now("test_ok")).await.unwrap();
    assert!(placed.payment.is_none() && placed.order.awaits_approval);
    let id = placed.order.order_id;
    let pay = || world.write(move |tx| Box::pin(orders::pay(tx, id, "test".into(), "test_ok".into())));
    assert_eq!(code(pay().await), "awaits_approval");
    world.approve(&placed).await.unwrap();
    let payment = pay().await.unwrap();
    let report = world.provider().schedule(&payment, "test_ok").remove(0).1;
    world
        .write(|tx| Box::pin(crate::payments::report(tx, report)))
        .await
        .unwrap();
    let order = orders::get(&mut world.store.read().await.unwrap(), id).await.unwrap();
    assert_eq!(order.status, OrderStatus::Paid);
    let (event, pool) = (world.event, world.pool);
    let free = world
        .write(move |tx| Box::pin(ticket_types::create(tx, event, type_details(&[pool], 0))))
        .await
        .unwrap();
    let wanted = request(world.event, &[(free.ticket_type_id, 1)]);
    let hold = world.write(|tx| Box::pin(holds::place(tx, wanted))).await.unwrap();
    let placed = world.checkout(&hold, "bob@example.org").await.unwrap();
    assert_eq!(placed.order.status, OrderStatus::Pending);
    assert_eq!(world.approve(&placed).await.unwrap().status, OrderStatus::Paid);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_scanner_without_a_network_knows_who_has_not_paid() {
    let world = World::reserving(true, true).await;
    let placed = world.order_by(1, HowToPay::AtDoor).await.unwrap();
    let due = async || {
        let download = download(&world.store, world.list, None).await.unwrap();
        let revocations = download.revocations.unwrap();
        revocations
            .into_iter()
            .map(|revocation| revocation.due)
            .collect::<Vec<_>>()
    };
    assert_eq!(due().await, [Due::Approval]);
    world.approve(&placed).await.unwrap();
    assert_eq!(due().await, [Due::Payment]);
    world.take(&placed).await.unwrap();
    assert_eq!(due().await, []);
}

#[tokio::test]
async fn what_a_scanner_refused_without_a_network_is_recorded_and_lets_nobody_in() {
    let world = World::with_capacity(3).await;
    let ticket = world.buy(1).await.remove(0);
    let away = Scan {
        refused: Some(Refusal::InvalidTime),
        note: Some("came at noon".into()),
        ..forced(world.scan(&ticket, "a").await)
    };
    for repeated in [false, true] {
        let verdicts = upload(&world.store, scanner(1), world.list, vec![away.clone()])
            .await
            .unwrap();
        let verdict = verdicts.into_iter().next().unwrap().unwrap();
        assert!(!verdict.accepted);
        assert_eq!(
            (verdict.reason, verdict.repeated),
            (Some(Refusal::InvalidTime), repeated)
        );
    }
    let scans = world.scans().await;
    assert_eq!(scans.len(), 1);
    assert!(scans[0].payload.contains("came at noon"));
    assert_eq!(world.attendance(world.list).await, (0, 0));
    world.assert_sound().await;
}
