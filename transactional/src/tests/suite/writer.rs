use super::*;
use crate::IdempotencyKey;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn a_command_that_fails_or_panics_leaves_the_others_of_its_batch() {
    let world = World::with_capacity(10).await;
    let event = world.event;
    let before = world.changes().await.len();
    let fails = |index: usize| {
        let request = world.request(1);
        world.write(move |tx| {
            Box::pin(async move {
                if index % 4 == 3 {
                    return Err(Error::refused("at once", "before anything was asked"));
                }
                let hold = holds::place(tx, request).await?;
                match index % 4 {
                    0 => Ok(hold),
                    1 => Err(Error::refused("test", "after a write")),
                    _ => panic!("in a command, after a write"),
                }
            })
        })
    };
    let results = futures::future::join_all((0..12).map(fails)).await;
    for (index, result) in results.into_iter().enumerate() {
        match index % 4 {
            0 => assert_eq!(result.unwrap().event_id, event),
            1 => assert_eq!(code(result), "test"),
            3 => assert_eq!(code(result), "at once"),
            _ => assert_eq!(result, Err(Error::Panicked)),
        }
    }
    assert_eq!(world.changes().await.len(), before + 3);
    assert_eq!(world.pool_counts().await, (3, 0));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_undo_its_command() {
    let world = World::with_capacity(10).await;
    let request = world.request(1);
    {
        let write = world.write(|tx| Box::pin(holds::place(tx, request)));
        tokio::pin!(write);
        assert!(futures::poll!(write.as_mut()).is_pending());
    }
    world.hold(1).await.unwrap();
    assert_eq!(world.pool_counts().await, (2, 0));
    world.assert_sound().await;
}

fn key(key: &str, hash: &str) -> IdempotencyKey {
    IdempotencyKey {
        scope: "test".into(),
        key: key.into(),
        request_hash: hash.into(),
    }
}

#[tokio::test]
async fn case_45_a_key_gives_the_first_answer_again_and_refuses_another_request() {
    let world = World::with_capacity(2).await;
    let runs = std::sync::Arc::new(AtomicUsize::new(0));
    let place = |key: IdempotencyKey, quantity: i64| {
        let (request, runs) = (world.request(quantity), runs.clone());
        world.store.write_once(key, "test", move |tx| {
            runs.fetch_add(1, Ordering::SeqCst);
            Box::pin(holds::place(tx, request))
        })
    };
    let first = place(key("a", "2"), 2).await.unwrap();
    let again = place(key("a", "2"), 2).await.unwrap();
    assert_eq!((first.replayed, again.replayed), (false, true));
    assert_eq!(first.value, again.value);
    assert_eq!(code(place(key("a", "other"), 1).await), "idempotency_key_reused");
    assert_eq!(code(place(key("b", "1"), 1).await), "sold_out");
    let id = first.value.hold_id;
    world.write(move |tx| Box::pin(holds::release(tx, id))).await.unwrap();
    assert_eq!(code(place(key("b", "1"), 1).await), "sold_out", "a refusal is kept too");
    place(key("c", "1"), 1).await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 3);
    world.assert_sound().await;
}

#[tokio::test]
async fn case_45_a_fault_of_the_program_is_not_kept_under_a_key() {
    let world = World::with_capacity(2).await;
    let broken = world
        .store
        .write_once::<i64, _>(key("a", "x"), "test", |_| Box::pin(async { panic!("a fault") }))
        .await;
    assert_eq!(broken, Err(Error::Panicked));
    let retried = world
        .store
        .write_once(key("a", "x"), "test", |_| Box::pin(async { Ok(7) }))
        .await
        .unwrap();
    assert_eq!((retried.value, retried.replayed), (7, false));
}

#[tokio::test]
async fn kept_answers_go_after_a_day() {
    let world = World::with_capacity(2).await;
    let once = || {
        world
            .store
            .write_once(key("a", "x"), "test", |_| Box::pin(async { Ok(1) }))
    };
    once().await.unwrap();
    let tomorrow = Timestamp::now() + crate::idempotency::KEPT_FOR + Duration::from_secs(1);
    let gone = world
        .write(move |tx| Box::pin(crate::idempotency::sweep(tx, tomorrow)))
        .await
        .unwrap();
    assert_eq!(gone, 1);
    assert!(!once().await.unwrap().replayed);
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart_and_seq_goes_on() {
    let world = World::with_capacity(5).await;
    world.buy(2).await;
    let last = world.changes().await.len() as i64;
    world.store.save_relay_cursor(last - 2).await.unwrap();
    world.store.close().await.unwrap();
    assert_eq!(world.hold(1).await, Err(Error::Closed));
    let store = open(&world.database).await;
    assert_eq!(*store.committed_seq().borrow(), last);
    assert_eq!(store.relay_cursor().await.unwrap(), last - 2);
    let world = World { store, ..world };
    assert_eq!(world.pool_counts().await, (0, 2));
    world.hold(1).await.unwrap();
    assert_eq!(*world.store.committed_seq().borrow(), last + 1);
    world.assert_sound().await;
}

#[tokio::test]
async fn trimming_drops_relayed_changes_alone_and_keeps_the_position() {
    let world = World::with_capacity(5).await;
    world.buy(2).await;
    let last = world.changes().await.len() as i64;
    assert_eq!(world.store.trim_outbox(0).await.unwrap(), 0, "nothing is relayed yet");
    world.store.save_relay_cursor(last - 1).await.unwrap();
    assert_eq!(
        world.store.trim_outbox(2).await.unwrap(),
        0,
        "the webhooks' worker has not seen them"
    );
    let seen = "update positions set value = $1 where name = 'webhooks'";
    world
        .write(move |tx| Box::pin(crate::sql::execute(tx, seen, crate::sql::binds![last])))
        .await
        .unwrap();
    assert_eq!(world.store.trim_outbox(2).await.unwrap(), last as u64 - 3);
    assert_eq!(world.changes().await.first().unwrap().seq, last - 2);
    world.store.save_relay_cursor(1).await.unwrap();
    assert_eq!(
        world.store.relay_cursor().await.unwrap(),
        last - 1,
        "a cursor never goes back"
    );
    world.store.save_relay_cursor(last).await.unwrap();
    world.store.trim_outbox(0).await.unwrap();
    assert_eq!(AuditSnapshot::open(&world.store).await.unwrap().position(), last);
}

#[tokio::test]
async fn a_backfill_keeps_its_times_and_the_order_of_recording_stands() {
    let world = World::with_capacity(5).await;
    let long_ago: Timestamp = "2013-01-17T00:00:00Z".parse().unwrap();
    let request = world.request(1);
    world
        .write(move |tx| {
            tx.at(long_ago);
            Box::pin(holds::place(tx, request))
        })
        .await
        .unwrap();
    world.hold(1).await.unwrap();
    let changes = world.changes().await;
    let placed: Vec<&Change> = changes
        .iter()
        .filter(|change| change.change_type == "hold.placed")
        .collect();
    assert_eq!(placed[0].occurred_at, long_ago);
    assert_eq!(
        placed[1].occurred_at, placed[1].recorded_at,
        "the next command has its own time"
    );
    assert!(
        changes
            .windows(2)
            .all(|pair| pair[0].recorded_at <= pair[1].recorded_at)
    );
}
