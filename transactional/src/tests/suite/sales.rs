use super::*;
use domain::order::{HoldStatus, OrderStatus};

#[tokio::test]
async fn case_37_of_many_parallel_holds_on_the_last_place_one_wins() {
    let world = World::with_capacity(1).await;
    let attempts = (0..50).map(|_| world.hold(1));
    let results = futures::future::join_all(attempts).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for lost in results.into_iter().filter(Result::is_err) {
        assert_eq!(code(lost), "sold_out");
    }
    assert_eq!(world.pool_counts().await, (1, 0));
    world.assert_sound().await;
}

#[tokio::test]
async fn case_37_two_types_that_share_a_pool_never_sell_more_than_it_holds() {
    let world = World::with_capacity(3).await;
    let pool = world.pool;
    let event = world.event;
    let details = type_details(&[pool], 100);
    let second = world
        .write(move |tx| Box::pin(ticket_types::create(tx, event, details)))
        .await
        .unwrap()
        .ticket_type_id;
    let both = request(event, &[(world.ticket_type, 1), (second, 1)]);
    world.write(|tx| Box::pin(holds::place(tx, both))).await.unwrap();
    assert_eq!(code(world.hold(2).await), "sold_out");
    world.hold(1).await.unwrap();
    assert_eq!(world.pool_counts().await, (3, 0));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_line_that_fails_gives_back_what_the_lines_before_it_took() {
    let world = World::with_capacity(3).await;
    let event = world.event;
    let small = world
        .write(move |tx| {
            Box::pin(async move {
                let pool = pools::create(tx, event, pool_details(1)).await?;
                ticket_types::create(tx, event, type_details(&[pool.pool_id], 100)).await
            })
        })
        .await
        .unwrap();
    let wanted = request(event, &[(world.ticket_type, 1), (small.ticket_type_id, 2)]);
    assert_eq!(
        code(world.write(|tx| Box::pin(holds::place(tx, wanted))).await),
        "sold_out"
    );
    assert_eq!(world.pool_counts().await, (0, 0));
    world.assert_sound().await;
}

#[tokio::test]
async fn case_39_a_hold_that_expired_frees_its_capacity_although_no_sweeper_runs() {
    let world = World::with_capacity(1).await;
    let first = world.hold(1).await.unwrap();
    assert_eq!(code(world.hold(1).await), "sold_out");
    let request = world.request(1);
    let later = Timestamp::now() + holds::HELD_FOR + Duration::from_secs(1);
    world
        .write(move |tx| {
            tx.at(later);
            Box::pin(holds::place(tx, request))
        })
        .await
        .unwrap();
    let mut db = world.store.read().await.unwrap();
    assert_eq!(
        holds::get(&mut db, first.hold_id).await.unwrap().status,
        HoldStatus::Expired
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn a_pending_order_keeps_its_hold_and_both_expire_together() {
    let world = World::with_capacity(1).await;
    let placed = world.order(1).await;
    let sweep_at = |after: Duration| {
        let at = Timestamp::now() + after;
        world.write(move |tx| {
            tx.at(at);
            Box::pin(holds::sweep(tx, None, 100))
        })
    };
    assert_eq!(
        sweep_at(holds::HELD_FOR + Duration::from_secs(1)).await.unwrap().holds,
        0
    );
    let swept = sweep_at(orders::PAYABLE_FOR + Duration::from_secs(1)).await.unwrap();
    assert_eq!((swept.holds, swept.orders), (1, 1));
    let order = orders::get(&mut world.store.read().await.unwrap(), placed.order.order_id)
        .await
        .unwrap();
    assert_eq!(order.status, OrderStatus::Expired);
    assert_eq!(world.pool_counts().await, (0, 0));
    world.assert_sound().await;
}

#[tokio::test]
async fn case_43_the_most_per_order_holds_over_repeated_lines() {
    let world = World::with_capacity(100).await;
    let lines = request(world.event, &[(world.ticket_type, 3), (world.ticket_type, 2)]);
    assert_eq!(
        code(world.write(|tx| Box::pin(holds::place(tx, lines))).await),
        "too_many"
    );
    assert_eq!(code(world.hold(0).await), "invalid");
    world.assert_sound().await;
}

#[tokio::test]
async fn case_43_a_sale_that_closed_since_the_hold_is_refused_at_checkout_but_the_held_price_stays() {
    let world = World::with_capacity(10).await;
    let (held, second) = (world.hold(1).await.unwrap(), world.hold(1).await.unwrap());
    let (pool, ticket_type) = (world.pool, world.ticket_type);
    let dearer = type_details(&[pool], 9_999);
    world
        .write(move |tx| Box::pin(ticket_types::update(tx, ticket_type, dearer)))
        .await
        .unwrap();
    let placed = world.checkout(&held, "ada@example.org").await.unwrap();
    assert_eq!(placed.order.total_minor, PRICE);
    let mut closed = type_details(&[pool], PRICE);
    closed.sales_to = Some(Timestamp::from_micros(1));
    world
        .write(move |tx| Box::pin(ticket_types::update(tx, ticket_type, closed)))
        .await
        .unwrap();
    assert_eq!(code(world.checkout(&second, "ada@example.org").await), "sale_closed");
    assert_eq!(code(world.hold(1).await), "sale_closed");
    world.assert_sound().await;
}

#[tokio::test]
async fn a_cancelled_event_sells_nothing_more() {
    let world = World::with_capacity(10).await;
    let held = world.hold(1).await.unwrap();
    let event = world.event;
    world
        .write(move |tx| Box::pin(events::set_status(tx, event, EventStatus::Cancelled)))
        .await
        .unwrap();
    assert_eq!(code(world.hold(1).await), "not_on_sale");
    assert_eq!(code(world.checkout(&held, "ada@example.org").await), "not_on_sale");
    world.assert_sound().await;
}

#[tokio::test]
async fn a_free_order_is_paid_at_once_and_its_codes_verify() {
    let world = World::with_capacity(10).await;
    let (pool, ticket_type) = (world.pool, world.ticket_type);
    let free = type_details(&[pool], 0);
    world
        .write(move |tx| Box::pin(ticket_types::update(tx, ticket_type, free)))
        .await
        .unwrap();
    let placed = world.order(3).await;
    assert_eq!((placed.order.status, placed.tickets.len()), (OrderStatus::Paid, 3));
    assert!(placed.payment.is_none());
    assert_eq!(world.pool_counts().await, (0, 3));
    let key = crate::ticket_keys::keys(&world.store, world.event)
        .await
        .unwrap()
        .remove(0);
    let key = domain::ticket_code::EventPublicKey::from_bytes(&key.public_key).unwrap();
    let code = world
        .store
        .ticket_code(&placed.tickets[0])
        .await
        .unwrap()
        .parse()
        .unwrap();
    assert!(key.verifies(&code));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_hold_makes_one_order() {
    let world = World::with_capacity(10).await;
    let hold = world.hold(1).await.unwrap();
    world.checkout(&hold, "ada@example.org").await.unwrap();
    assert_eq!(
        code(world.checkout(&hold, "ada@example.org").await),
        "already_checked_out"
    );
    let hold_id = hold.hold_id;
    assert_eq!(
        code(world.write(move |tx| Box::pin(holds::release(tx, hold_id))).await),
        "order_pending"
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn a_cancelled_order_voids_its_tickets_and_sells_again() {
    let world = World::with_capacity(2).await;
    let ticket = world.buy(2).await.remove(0);
    assert_eq!(code(world.hold(1).await), "sold_out");
    let order_id = ticket.order_id;
    world
        .write(move |tx| Box::pin(orders::cancel(tx, order_id, None)))
        .await
        .unwrap();
    assert_eq!(world.pool_counts().await, (0, 0));
    assert_eq!(
        code(
            world
                .write(move |tx| Box::pin(orders::cancel(tx, order_id, None)))
                .await
        ),
        "order_closed"
    );
    world.hold(2).await.unwrap();
    world.assert_sound().await;
}

#[tokio::test]
async fn an_order_shows_itself_to_its_secret_alone() {
    let world = World::with_capacity(2).await;
    let (first, second) = (world.order(1).await.order.order_id, world.order(1).await.order.order_id);
    let secret = world.store.order_secret(first);
    assert!(world.store.is_order_secret(first, &secret));
    assert!(!world.store.is_order_secret(second, &secret));
    assert!(!world.store.is_order_secret(first, ""));
}

#[tokio::test]
async fn a_pool_can_not_shrink_below_what_is_taken() {
    let world = World::with_capacity(5).await;
    world.hold(3).await.unwrap();
    let pool = world.pool;
    let resize = |capacity| world.write(move |tx| Box::pin(pools::resize(tx, pool, pool_details(capacity))));
    assert_eq!(code(resize(2).await), "capacity_below_sold");
    resize(3).await.unwrap();
    assert_eq!(code(world.hold(1).await), "sold_out");
    world.assert_sound().await;
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap_or_a_repeat() {
    let world = World::with_capacity(100).await;
    let mut placed = Vec::new();
    for _ in 0..7 {
        placed.push(world.order(1).await.order.order_id);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let mut db = world.store.read().await.unwrap();
        let filter = orders::OrderFilter {
            event_id: Some(world.event),
            ..Default::default()
        };
        let page = orders::list(&mut db, filter, crate::PageRequest { limit: 3, after })
            .await
            .unwrap();
        seen.extend(page.items.iter().map(|order| order.order_id));
        let Some(next) = page.next else { break };
        after = Some(next.to_string().parse().unwrap());
    }
    placed.reverse();
    assert_eq!(seen, placed, "the newest first");
    let mut db = world.store.read().await.unwrap();
    let people = crate::people::list(&mut db, world.organizer, crate::PageRequest::default())
        .await
        .unwrap();
    assert_eq!(people.items.len(), 1, "one address is one person");
}
