use super::*;
use crate::{
    mail::{self, Content},
    payments::event_refunds::{self, EventRefunds},
    waiting_list,
};
use domain::order::{OrderStatus, RefundStatus, WaitingStatus};

impl World {
    async fn cancel_event(&self) {
        let id = self.event;
        self.write(move |tx| Box::pin(events::set_status(tx, id, EventStatus::Cancelled)))
            .await
            .unwrap();
    }

    async fn ask_for_all(&self) -> Result<EventRefunds> {
        let id = self.event;
        self.write(move |tx| Box::pin(event_refunds::ask(tx, id))).await
    }

    async fn refunds_of_event(&self) -> EventRefunds {
        event_refunds::progress(&mut self.store.read().await.unwrap(), self.event)
            .await
            .unwrap()
    }

    async fn mails(&self, wanted: impl Fn(&Content) -> bool) -> Vec<Content> {
        let due = mail::due(&self.store, Timestamp::now(), 1_000).await.unwrap();
        let contents = due.into_iter().map(|mail| mail.content);
        contents.filter(|content| wanted(content)).collect()
    }
}

#[tokio::test]
async fn nobody_waits_for_an_event_that_is_cancelled() {
    let world = World::with_capacity(2).await;
    let hold = world.hold(2).await.unwrap();
    let mut ids = Vec::new();
    for (email, quantity) in [
        ("a@example.org", 1),
        ("b@example.org", 1),
        ("c@example.org", 1),
        ("d@example.org", 1),
    ] {
        ids.push(world.join(email, quantity).await.unwrap().waiting_entry_id);
    }
    let id = hold.hold_id;
    world.write(move |tx| Box::pin(holds::release(tx, id))).await.unwrap();
    let offered = world.entry(ids[0]).await;
    let mut db = world.store.read().await.unwrap();
    let offer = holds::get(&mut db, offered.hold_id.unwrap()).await.unwrap();
    drop(db);
    let placed = world.checkout(&offer, "a@example.org").await.unwrap();
    world.cancel_event().await;
    let close = || world.write(|tx| Box::pin(waiting_list::close(tx, 2)));
    assert_eq!(close().await.unwrap(), 2, "no more at once than was allowed");
    assert_eq!((close().await.unwrap(), close().await.unwrap()), (1, 0));
    let states = async || {
        let mut states = Vec::new();
        for id in &ids {
            states.push(world.entry(*id).await.status);
        }
        states
    };
    use WaitingStatus::{Left, Offered};
    assert_eq!(
        states().await,
        [Offered, Left, Left, Left],
        "an offer that is checked out ends with its order"
    );
    let order = placed.order.order_id;
    world
        .write(move |tx| Box::pin(orders::cancel(tx, order, None)))
        .await
        .unwrap();
    assert_eq!(states().await, [Left; 4]);
    assert_eq!(world.pool_counts().await, (0, 0));
    let offers = world.mails(|content| matches!(content, Content::WaitingListOffer { .. }));
    assert_eq!(offers.await.len(), 2, "those from before");
    assert_eq!(code(world.join("e@example.org", 1).await), "not_on_sale");
    world.assert_sound().await;
}

#[tokio::test]
async fn the_sweeper_closes_the_lists_of_events_that_are_over() {
    for status in [EventStatus::Cancelled, EventStatus::Ended] {
        let world = World::with_capacity(1).await;
        world.hold(1).await.unwrap();
        let entry = world.join("a@example.org", 1).await.unwrap().waiting_entry_id;
        assert_eq!(world.store.sweep().await.unwrap().waiting_entries, 0, "it is on sale");
        let id = world.event;
        world
            .write(move |tx| Box::pin(events::set_status(tx, id, status)))
            .await
            .unwrap();
        assert_eq!(world.store.sweep().await.unwrap().waiting_entries, 1);
        assert_eq!(world.entry(entry).await.status, WaitingStatus::Left);
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn all_money_of_a_cancelled_event_goes_back_once_and_a_few_orders_at_a_time() {
    let mut world = World::with_capacity(100).await;
    let mut paid = Vec::new();
    for _ in 0..24 {
        paid.push(world.paid(1).await.order.order_id);
    }
    world.amount(paid[0], 700).await.unwrap();
    let pending = world.order(2).await;
    let cancelled = world.paid(1).await.order.order_id;
    world
        .write(move |tx| Box::pin(orders::cancel(tx, cancelled, None)))
        .await
        .unwrap();
    assert_eq!(code(world.ask_for_all().await), "event_not_cancelled");
    world.cancel_event().await;
    let asked = world.ask_for_all().await.unwrap();
    assert_eq!((asked.orders_left, asked.finished_at), (26, None));
    assert!(event_refunds::go_on(&world.store).await.unwrap());
    assert_eq!(world.refunds_of_event().await.orders_left, 6, "others get their turn");
    assert_eq!(world.ask_for_all().await.unwrap().asked_at, asked.asked_at);
    // Another process goes on where this one was.
    world.store.close().await.unwrap();
    world.store = open(&world.database).await;
    while event_refunds::go_on(&world.store).await.unwrap() {}
    let done = world.refunds_of_event().await;
    assert!(done.orders_left == 0 && done.finished_at.is_some(), "{done:?}");
    assert_eq!(
        world.ask_for_all().await.unwrap().finished_at,
        None,
        "it is gone through again"
    );
    while event_refunds::go_on(&world.store).await.unwrap() {}
    for (index, id) in paid.iter().enumerate() {
        let (order, refunds) = (world.stored(*id).await, world.refunds(*id).await);
        assert_eq!((order.status, order.refunded_minor), (OrderStatus::Cancelled, PRICE));
        let expected: &[i64] = if index == 0 { &[700, PRICE - 700] } else { &[PRICE] };
        let amounts: Vec<i64> = refunds.iter().map(|(_, amount)| *amount).collect();
        assert_eq!(amounts, expected, "nobody is refunded twice");
        assert!(refunds.iter().all(|(status, _)| *status == RefundStatus::Pending));
    }
    assert_eq!(
        world.stored(pending.order.order_id).await.status,
        OrderStatus::Cancelled
    );
    assert_eq!(
        world.stored(cancelled).await.refunded_minor,
        PRICE,
        "it was kept when the event was still to take place"
    );
    assert_eq!(world.pool_counts().await, (0, 0));
    let told = world
        .mails(|content| matches!(content, Content::EventCancelled { .. }))
        .await;
    assert_eq!(told.len(), 25);
    let first = Content::EventCancelled {
        order_id: paid[0],
        refunded: "18.00 EUR".into(),
    };
    assert!(told.contains(&first), "{told:?}");
    let requested = world
        .change_types()
        .await
        .into_iter()
        .filter(|name| name == "event.refunds_requested");
    assert_eq!(requested.count(), 2);
    world.assert_sound().await;
}

#[tokio::test]
async fn money_that_comes_after_the_cancellation_goes_back_too() {
    let world = World::with_capacity(10).await;
    let placed = world.order(1).await;
    world.cancel_event().await;
    world.ask_for_all().await.unwrap();
    let report = world.success(&placed);
    world.report(report).await;
    while event_refunds::go_on(&world.store).await.unwrap() {}
    let refunds = world.refunds(placed.order.order_id).await;
    assert_eq!(refunds, [(RefundStatus::Pending, PRICE)]);
    world.assert_sound().await;
}
