//! Whatever is done, in whatever order and however much at once, the sums stay right.

use super::*;
use crate::payments::{Report, ReportedOutcome, report};
use domain::{HoldId, OrderId};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::sync::Mutex;

#[derive(Default)]
struct Known {
    holds: Vec<Stored<Hold>>,
    orders: Vec<orders::Placed>,
}

fn any<T: Clone>(rng: &mut StdRng, items: &[T]) -> Option<T> {
    (!items.is_empty()).then(|| items[rng.random_range(0..items.len())].clone())
}

/// One random command. A refusal is as good an answer as any; a fault of the store is none.
async fn step(world: &World, known: &Mutex<Known>, types: &[TicketTypeId], seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let (hold, order) = {
        let known = known.lock().unwrap();
        (any(&mut rng, &known.holds), any(&mut rng, &known.orders))
    };
    // Time passes in some commands, so that holds and orders expire in all states.
    let at = Timestamp::now() + Duration::from_secs(if rng.random_ratio(1, 10) { 1_000 } else { 0 });
    let hold_id = hold.as_ref().map_or_else(HoldId::new, |hold| hold.hold_id);
    let order_id = order.as_ref().map_or_else(OrderId::new, |placed| placed.order.order_id);
    let outcome: Result<()> = match rng.random_range(0..8) {
        0..=2 => {
            let lines: Vec<_> = types
                .iter()
                .map(|id| (*id, rng.random_range(0..3)))
                .filter(|line| line.1 > 0)
                .collect();
            let request = request(world.event, &lines);
            let placed = world.write(move |tx| {
                tx.at(at);
                Box::pin(holds::place(tx, request))
            });
            placed.await.map(|hold| known.lock().unwrap().holds.push(hold))
        }
        3 | 4 => match hold {
            Some(hold) => {
                let placed = world.checkout(&hold, &format!("p{}@example.org", seed % 5)).await;
                placed.map(|placed| known.lock().unwrap().orders.push(placed))
            }
            None => Ok(()),
        },
        5 => match order.filter(|placed| placed.payment.is_some()) {
            Some(placed) => {
                let sent = Report {
                    ext_id: format!("{}", rng.random_range(0..40)),
                    outcome: if rng.random() {
                        ReportedOutcome::Succeeded
                    } else {
                        ReportedOutcome::Failed
                    },
                    ..world.success(&placed)
                };
                world.write(|tx| Box::pin(report(tx, sent))).await.map(drop)
            }
            None => Ok(()),
        },
        6 => world
            .write(move |tx| Box::pin(holds::release(tx, hold_id)))
            .await
            .map(drop),
        _ if rng.random() => world
            .write(move |tx| Box::pin(orders::cancel(tx, order_id, None)))
            .await
            .map(drop),
        _ => {
            let sweep = world.write(move |tx| {
                tx.at(at);
                Box::pin(holds::sweep(tx, None, 5))
            });
            sweep.await.map(drop)
        }
    };
    if let Err(error) = outcome {
        assert!(error.is_callers_fault(), "seed {seed}: {error:?}");
    }
}

#[tokio::test]
async fn no_sequence_of_commands_unbalances_the_core() {
    for seed in 0..4_u64 {
        let world = World::with_capacity(12).await;
        let (event, pool) = (world.event, world.pool);
        let more = world
            .write(move |tx| {
                Box::pin(async move {
                    let small = pools::create(tx, event, pool_details(5)).await?.pool_id;
                    let shared = ticket_types::create(tx, event, type_details(&[pool, small], 700)).await?;
                    let free = ticket_types::create(tx, event, type_details(&[small], 0)).await?;
                    Ok([shared.ticket_type_id, free.ticket_type_id])
                })
            })
            .await
            .unwrap();
        let types = [world.ticket_type, more[0], more[1]];
        let known = Mutex::new(Known::default());
        for round in 0..25_u64 {
            let steps = (0..8_u64).map(|index| step(&world, &known, &types, seed * 1_000_000 + round * 100 + index));
            futures::future::join_all(steps).await;
        }
        world.assert_sound().await;
        let paid = world.change_types().await.iter().filter(|t| *t == "order.paid").count();
        assert!(paid > 0, "seed {seed} sold nothing, and so tested nothing");
    }
}

#[tokio::test]
async fn the_digest_notices_a_version_that_moved_between_two_rows() {
    let world = World::with_capacity(10).await;
    let (first, second) = (world.order(1).await.order, world.order(1).await.order);
    let orders = domain::changes::entity_named("order").unwrap();
    let digest = async || {
        AuditSnapshot::open(&world.store)
            .await
            .unwrap()
            .totals(orders)
            .await
            .unwrap()
    };
    let swap = |id: OrderId, by: i64| {
        world.write(move |tx| {
            Box::pin(async move {
                let sql = "update orders set version = version + $2 where order_id = $1";
                crate::sql::execute(tx, sql, crate::sql::binds![id, by]).await
            })
        })
    };
    swap(first.order_id, 1).await.unwrap();
    let before = digest().await;
    assert_eq!((before.rows, before.versions, before.money), (2, 3, 2 * PRICE));
    swap(first.order_id, -1).await.unwrap();
    swap(second.order_id, 1).await.unwrap();
    let after = digest().await;
    assert_eq!(
        (before.rows, before.versions, before.money),
        (after.rows, after.versions, after.money)
    );
    assert_ne!(before.digest, after.digest);
    let rows = AuditSnapshot::open(&world.store)
        .await
        .unwrap()
        .rows(orders, "", 10)
        .await
        .unwrap();
    let mut expected = vec![(first.order_id.to_string(), 1), (second.order_id.to_string(), 2)];
    expected.sort();
    assert_eq!(
        rows.into_iter().map(|row| (row.id, row.version)).collect::<Vec<_>>(),
        expected
    );
}
