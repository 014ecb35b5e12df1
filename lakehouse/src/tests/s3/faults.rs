//! A store that goes away, stalls, or does what it is asked and does not say so.

use super::*;
use crate::{
    Error,
    commit::{commit_one, freeze, prepare},
};
use backends::names;
use proxy::{Mode, Proxy};
use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Instant,
};

/// A way to the store that fails when a test wants it to, and the lake's address on that way.
pub(super) fn way(place: &S3) -> (Proxy, String) {
    let proxy = Proxy::before(place.server().unwrap());
    let url = place.url_through(&format!("http://{}", proxy.address()));
    (proxy, url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_is_known_again_and_not_written_twice() {
    let Some(place) = S3::on_server() else { return };
    let (proxy, url) = way(&place);
    let index = table_index("order_changes").unwrap();
    let lake = Lake::open(&url, manual()).await.unwrap();
    for seq in 1..=2 {
        lake.publish(publish(&[order(seq, 1, "o", seq, 100)])).await.unwrap();
        freeze(&lake, index).unwrap();
        let commit = prepare(&lake, index).await.unwrap();
        lake.inner.tables[index].committing.lock().await.pending = Some(commit);
        proxy.set(Mode::LoseAnswers);
        let lost = commit_one(&lake, "order_changes").await;
        assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
        proxy.set(Mode::Pass);
        let version = format!("{seq:020}.json");
        let arrived = names(&place.url(), "order_changes/_delta_log", &version).await;
        assert_eq!(arrived.len(), 1, "it is in the table, and nobody has said so");
        let snapshot = Arc::clone(&lake.view().tables[index].snapshot);
        assert_eq!(snapshot.version, seq as u64 - 1);

        commit_one(&lake, "order_changes").await.unwrap();
        let table = lake.view().tables[index].clone();
        assert_eq!(
            (table.snapshot.version, table.snapshot.rows()),
            (seq as u64, seq as u64)
        );
        assert_eq!(table.tail_rows(), 0);
    }
    lake.close().await.unwrap();
    let again = Lake::open(&place.url(), manual()).await.unwrap();
    assert_eq!(again.committed(CHANGES, 0), 3);
    assert_eq!(
        number(&again, &admin(), "select sum(total_minor) from order_changes").await,
        200
    );
}

const LIMIT: usize = 1 << 20;

async fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(40), "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_outage_fills_the_tails_to_their_limit_and_no_further_and_loses_nothing() {
    let Some(place) = S3::on_server() else { return };
    let (proxy, url) = way(&place);
    let options = LakeOptions {
        tail_limit_bytes: LIMIT,
        ..manual()
    };
    let lake = Lake::open(
        &url,
        LakeOptions {
            commit_interval: Duration::from_millis(20),
            ..options
        },
    )
    .await
    .unwrap();
    let (published, stop) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let writer = tokio::spawn({
        let (lake, published, stop) = (lake.clone(), Arc::clone(&published), Arc::clone(&stop));
        async move {
            for seq in (1..).step_by(10).take_while(|_| !stop.load(Ordering::SeqCst)) {
                let ten: Vec<Told> = (seq..seq + 10)
                    .map(|seq| order(seq, 1, &format!("o{seq}"), 1, 1))
                    .collect();
                lake.publish(publish(&ten)).await.unwrap();
                published.store(seq + 9, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    });
    let orders = table_index("order_changes").unwrap();
    for mode in [Mode::Cut, Mode::LoseAnswers, Mode::Stall] {
        let version = || lake.view().tables[orders].snapshot.version;
        let before = version();
        until("commits go on", || version() > before).await;
        proxy.set(mode);
        until("the tails are full", || lake.view().tail_bytes() >= LIMIT).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let full = published.load(Ordering::SeqCst);
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let held = lake.view().tail_bytes();
            assert!(held < LIMIT + LIMIT / 4, "{mode:?}: {held} bytes");
        }
        assert_eq!(published.load(Ordering::SeqCst), full, "{mode:?}: it waits");
        assert!(mode == Mode::Stall || lake.trouble().is_some(), "{mode:?}: it says why");
        proxy.set(Mode::Pass);
        until("rows come in again", || published.load(Ordering::SeqCst) > full).await;
    }
    stop.store(true, Ordering::SeqCst);
    writer.await.unwrap();
    lake.close().await.unwrap();
    let again = Lake::open(&place.url(), manual()).await.unwrap();
    for all in [
        "select count(*) from order_changes",
        "select count(distinct seq) from order_changes",
    ] {
        assert_eq!(
            number(&again, &admin(), all).await,
            published.load(Ordering::SeqCst),
            "{all}"
        );
    }
}

async fn told_in<T>(does: impl Future<Output = Result<T>>) -> (Option<Error>, Duration) {
    let started = Instant::now();
    let error = does.await.err();
    (error, started.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_store_is_told_in_time_and_by_its_name() {
    let Some(place) = S3::on_server() else { return };
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (stalled, stalled_url) = way(&place);
    let lake = Lake::open(&stalled_url, manual()).await.unwrap();
    lake.publish(publish(&[order(1, 1, "o1", 1, 1)])).await.unwrap();
    stalled.set(Mode::Stall);
    let dead = place.url_through(&format!("http://{nobody}"));
    let (refused, unanswered, uncommitted) = tokio::join!(
        told_in(Lake::open(&dead, manual())),
        told_in(Lake::open(&stalled_url, manual())),
        told_in(lake.flush())
    );
    for (address, (error, within)) in [
        (nobody, refused),
        (stalled.address(), unanswered),
        (stalled.address(), uncommitted),
    ] {
        let named = matches!(&error, Some(Error::Unavailable(why)) if why.contains(&address.to_string()));
        assert!(named && within < Duration::from_secs(25), "{within:?}: {error:?}");
    }
    assert_eq!(number(&lake, &admin(), "select count(*) from order_changes").await, 1);
}
