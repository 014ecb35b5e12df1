//! What several processes share, and what a change tells of the request that made it.

use super::*;
use crate::correlation::{self, Correlation};

#[tokio::test]
async fn a_change_tells_of_its_request_and_no_other() {
    let world = World::with_capacity(5).await;
    let request = Correlation {
        correlation_id: Some("r-1".into()),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
    };
    let (within, without) = tokio::join!(correlation::with(request.clone(), world.hold(1)), world.hold(1));
    let (within, without) = (
        within.unwrap().hold_id.to_string(),
        without.unwrap().hold_id.to_string(),
    );
    let told = async |id: &str| {
        let change = world.changes().await.into_iter().find(|change| change.entity_id == id);
        change
            .map(|change| (change.correlation_id, change.traceparent))
            .unwrap()
    };
    assert_eq!(told(&within).await, (request.correlation_id, request.traceparent));
    assert_eq!(told(&without).await, (None, None));
    let forged = Correlation {
        correlation_id: Some("a line\nand another".into()),
        traceparent: None,
    };
    let forged = correlation::with(forged, world.hold(1)).await.unwrap();
    assert_eq!(
        told(&forged.hold_id.to_string()).await,
        (None, None),
        "no header is made of it"
    );
}

#[tokio::test]
async fn a_text_that_not_every_database_can_store_is_refused() {
    let world = World::with_capacity(5).await;
    let mut db = world.store.read().await.unwrap();
    let asked = orders::by_code(&mut db, world.organizer, "AB\0C").await;
    assert_eq!(code(asked), "invalid");
    drop(db);
    let hold = world.hold(1).await.unwrap();
    let checkout = orders::Checkout {
        how: paid_now("test\0ok"),
        ..checkout(&hold, "ada@example.org")
    };
    let placed = world.write(|tx| Box::pin(orders::checkout(tx, checkout))).await;
    assert_eq!(code(placed), "invalid");
    let quoted = orders::Checkout {
        name: Some("O'Brien \\'; drop table orders; --".into()),
        ..super::checkout(&hold, "ada@example.org")
    };
    world.write(|tx| Box::pin(orders::checkout(tx, quoted))).await.unwrap();
    world.assert_sound().await;
}

#[tokio::test]
async fn a_days_secret_is_one_and_goes_with_its_day() {
    let world = World::with_capacity(1).await;
    let secret = async |day| world.store.daily_secret("visitors", day).await.unwrap();
    let monday = secret(20_000).await;
    assert_eq!(monday, secret(20_000).await);
    let other = world.store.daily_secret("others", 20_000).await.unwrap();
    assert_ne!(monday, other);
    assert_ne!(monday, secret(20_001).await);
    assert_ne!(monday, secret(20_000).await, "nobody can come back to it");
    assert_eq!(other, world.store.daily_secret("others", 20_000).await.unwrap());
}

fn process(id: &str, report: &str) -> crate::Process {
    crate::Process {
        process_id: id.into(),
        roles: "api,relay".into(),
        url: "http://127.0.0.1:8080".into(),
        started_at: Timestamp::from_micros(1),
        seen_at: Timestamp::from_micros(0),
        report: report.into(),
    }
}

#[tokio::test]
async fn a_process_is_listed_with_its_last_report_until_it_withdraws() {
    let world = World::with_capacity(1).await;
    for report in ["{}", "{\"lag\":1}"] {
        world.store.announce(process("a", report)).await.unwrap();
    }
    world.store.announce(process("b", "{}")).await.unwrap();
    let listed = world.store.processes().await.unwrap();
    let told: Vec<_> = listed
        .iter()
        .map(|process| (&*process.process_id, &*process.report))
        .collect();
    assert_eq!(told, [("a", "{\"lag\":1}"), ("b", "{}")]);
    assert!(
        listed[0].seen_at > Timestamp::from_micros(0),
        "when it was seen is the store's to say"
    );
    world.store.withdraw("a".into()).await.unwrap();
    assert_eq!(world.store.processes().await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_holds_a_lease_and_the_next_takes_over_when_it_lets_go() {
    let world = World::with_capacity(1).await;
    let first = world.store.lease("relay", "a".into());
    first.held().wait_for(|held| *held).await.unwrap();
    let second = world.store.lease("relay", "b".into());
    let other = world.store.lease("upkeep", "b".into());
    other.held().wait_for(|held| *held).await.unwrap();
    assert!(!*second.held().borrow());
    first.release().await;
    second.held().wait_for(|held| *held).await.unwrap();
    second.release().await;
    other.release().await;
}

#[tokio::test]
async fn a_lease_whose_holder_panicked_goes_to_the_next() {
    let world = World::with_capacity(1).await;
    let lease = world.store.lease("relay", "a".into());
    lease.held().wait_for(|held| *held).await.unwrap();
    let holder = tokio::spawn(async move {
        let _lease = lease;
        panic!("as a stage may");
    });
    assert!(holder.await.unwrap_err().is_panic());
    let next = world.store.lease("relay", "b".into());
    let taken = tokio::time::timeout(Duration::from_secs(10), async {
        next.held().wait_for(|held| *held).await.map(|held| *held)
    });
    assert_eq!(taken.await.unwrap().ok(), Some(true));
    next.release().await;
}
