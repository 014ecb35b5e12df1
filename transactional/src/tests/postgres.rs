//! The suite on PostgreSQL, and what only a server does: going away, and serving several processes.

use super::{
    proxy::{Cut, Proxy},
    *,
};
use sqlx::{Connection as _, Executor, postgres::PgConnection};
use std::sync::atomic::{AtomicBool, Ordering};

type World = super::World<Postgres>;

#[path = "suite/mod.rs"]
mod suite;

/// A world on a real server; None if tests are to leave servers out.
async fn world(capacity: i64) -> Option<World> {
    backends::server()?;
    Some(World::with_capacity(capacity).await)
}

impl World {
    async fn on_server(&self, sql: &'static str) {
        let mut connection = PgConnection::connect(&self.database.url()).await.unwrap();
        connection.execute(sqlx::raw_sql(sql)).await.unwrap();
        connection.close().await.unwrap();
    }

    /// The same world by another way to its database.
    async fn through_a_proxy(self) -> (Self, Proxy) {
        let url = self.database.url();
        let (rest, database) = url.rsplit_once('/').unwrap();
        let (user, server) = rest.rsplit_once('@').unwrap();
        let proxy = Proxy::to(server.to_owned()).await;
        let url = format!("{user}@{}/{database}", proxy.address);
        let store = Store::open(&url, StoreOptions::default()).await.unwrap();
        (Self { store, ..self }, proxy)
    }
}

/// Numbers are drawn before commits, so a later one may be committed first, and a reader that has seen it never looks for
/// the earlier one. First that is shown of numbers from a sequence. Then a command of the outbox stands still at the same
/// place, with its numbers drawn and not committed: here others wait, and the reader gets both in their order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_follows_a_sequence_misses_a_change_and_one_that_follows_seq_does_not() {
    let Some(world) = world(10).await else { return };
    assert_eq!(
        followed_by_sequence(&world).await,
        (vec![2], vec![1, 2]),
        "1 is there and was missed"
    );

    world
        .on_server(
            "create function stand_still() returns trigger language plpgsql as
                 $$ begin perform pg_advisory_xact_lock(7); return new; end $$;
             create trigger stand_still before insert on outbox for each row when (new.actor = 'slow')
                 execute function stand_still()",
        )
        .await;
    let other = open(&world.database).await;
    let before = world.changes().await.len() as i64;
    let mut gate = PgConnection::connect(&world.database.url()).await.unwrap();
    gate.execute("select pg_advisory_lock(7)").await.unwrap();
    let (first, second) = (world.request(1), world.request(1));
    let slow = world.store.write("slow", |tx| Box::pin(holds::place(tx, first)));
    let quick = async {
        // Another session stands at the gate.
        let waits = "select 1 from pg_locks where locktype = 'advisory' and objid = 7 and not granted";
        while gate.fetch_optional(waits).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut quick = std::pin::pin!(other.write("quick", |tx| Box::pin(holds::place(tx, second))));
        let early = tokio::time::timeout(Duration::from_millis(500), &mut quick).await;
        assert!(early.is_err(), "it overtook a command that has its numbers: {early:?}");
        assert_eq!(world.store.changes_after(before, 10).await.unwrap().len(), 0);
        gate.execute("select pg_advisory_unlock(7)").await.unwrap();
        quick.await
    };
    let (slow, quick) = tokio::join!(slow, quick);
    slow.unwrap();
    quick.unwrap();
    let followed = world.store.changes_after(before, 10).await.unwrap();
    let followed: Vec<(i64, &str)> = followed.iter().map(|change| (change.seq, &*change.actor)).collect();
    assert_eq!(followed, [(before + 1, "slow"), (before + 2, "quick")]);
    world.assert_sound().await;
}

/// What a reader gets that asks for rows above the last one it has seen, and what is there in the end, if two writers
/// draw their numbers from a sequence and the first of them commits last.
async fn followed_by_sequence(world: &World) -> (Vec<i64>, Vec<i64>) {
    world
        .on_server("create table numbered (seq bigserial primary key)")
        .await;
    let connect = async || PgConnection::connect(&world.database.url()).await.unwrap();
    let (mut first, mut second, mut reader) = (connect().await, connect().await, connect().await);
    let mut above = async |last: i64| -> Vec<i64> {
        let rows = sqlx::query_scalar("select seq from numbered where seq > $1 order by seq").bind(last);
        rows.fetch_all(&mut reader).await.unwrap()
    };
    first.execute("begin").await.unwrap();
    for writer in [&mut first, &mut second] {
        writer.execute("insert into numbered default values").await.unwrap();
    }
    let mut followed = above(0).await;
    first.execute("commit").await.unwrap();
    let last = followed.last().copied().unwrap_or_default();
    followed.extend(above(last).await);
    (followed, above(0).await)
}

/// As above, under load.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_that_follows_seq_misses_nothing_that_two_processes_write() {
    let Some(world) = world(1_000_000).await else { return };
    let other = open(&world.database).await;
    let before = world.changes().await.len() as i64;
    let writing = std::sync::Arc::new(AtomicBool::new(true));
    let follower = {
        let (store, writing) = (open(&world.database).await, writing.clone());
        tokio::spawn(async move {
            let mut followed = Vec::new();
            let mut last = before;
            loop {
                let more = writing.load(Ordering::SeqCst);
                let changes = store.changes_after(last, 1_000).await.unwrap();
                last = changes.last().map_or(last, |change| change.seq);
                followed.extend(changes);
                if !more && followed.last().is_none_or(|change| change.remaining == 0) {
                    return followed;
                }
            }
        })
    };
    let write = async |store: &Store| {
        for _ in 0..60 {
            let requests = (0..4).map(|_| world.request(1));
            let writes = requests.map(|request| store.write("test", |tx| Box::pin(holds::place(tx, request))));
            for result in futures::future::join_all(writes).await {
                result.unwrap();
            }
        }
    };
    tokio::join!(write(&world.store), write(&other));
    writing.store(false, Ordering::SeqCst);
    let followed = follower.await.unwrap();
    assert_eq!(followed.len(), 480);
    assert!(followed.iter().zip(before + 1..).all(|(change, seq)| change.seq == seq));
    assert!(
        followed
            .windows(2)
            .all(|pair| pair[0].recorded_at <= pair[1].recorded_at)
    );
    world.assert_sound().await;
}

#[tokio::test]
async fn the_planner_has_no_samples_of_what_tells_of_people() {
    let Some(world) = world(10).await else { return };
    for _ in 0..2 {
        world.buy(1).await;
    }
    let sampled = async || -> Vec<String> {
        world.on_server("analyze").await;
        let mut connection = PgConnection::connect(&world.database.url()).await.unwrap();
        let sql = "select tablename || '.' || attname from pg_stats where schemaname = 'public' and attname in
                   ('email', 'name', 'phone', 'response', 'payload') and tablename in
                   ('people', 'person_keys', 'idempotency_keys', 'outbox')
                   union all select tablename || '.key' from pg_stats where tablename = 'person_keys' and attname = 'key'";
        sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
    };
    assert!(sampled().await.is_empty(), "{:?}", sampled().await);
    // As a version left it that did not know of this.
    world
        .on_server(
            "alter table people alter email set statistics -1; alter table person_keys alter key set statistics -1",
        )
        .await;
    assert_eq!(sampled().await.len(), 2);
    let other = open(&world.database).await;
    assert!(sampled().await.is_empty(), "{:?}", sampled().await);
    other.close().await.unwrap();
    world.hold(1).await.unwrap();
    world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_sell_the_last_place_once() {
    let Some(world) = world(20).await else { return };
    let other = open(&world.database).await;
    let attempt = |index: usize| {
        let (store, request) = (
            if index.is_multiple_of(2) { &world.store } else { &other },
            world.request(1),
        );
        store.write("test", |tx| Box::pin(holds::place(tx, request)))
    };
    let results = futures::future::join_all((0..60).map(attempt)).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 20);
    world.assert_sound().await;
}

#[tokio::test]
async fn processes_that_start_at_once_on_an_empty_database_migrate_it_once() {
    let Some(database) = Postgres::on_server().await else {
        return;
    };
    let stores = futures::future::join_all((0..4).map(|_| open(&database))).await;
    for store in stores {
        assert_eq!(*store.committed_seq().borrow(), 0);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_commit_wakes_the_other_processes() {
    let Some(world) = world(10).await else { return };
    let other = open(&world.database).await;
    let mut listener = sqlx::postgres::PgListener::connect(&world.database.url())
        .await
        .unwrap();
    listener.listen("bilten_committed").await.unwrap();
    let mut committed = other.committed_seq();
    world.hold(1).await.unwrap();
    let seq = *world.store.committed_seq().borrow();
    committed.wait_for(|last| *last == seq).await.unwrap();
    assert_eq!(listener.recv().await.unwrap().payload(), seq.to_string());
    assert!(world.database.cut("").await > 0, "the listeners are gone");
    world.hold(1).await.unwrap();
    committed.wait_for(|last| *last == seq + 1).await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_that_was_cut_is_replaced_without_a_trace() {
    let Some(world) = world(10).await else { return };
    for application in ["bilten writer", "bilten reader"] {
        assert!(world.database.cut(application).await > 0);
        world.hold(1).await.unwrap();
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn a_command_whose_connection_is_cut_was_not_done_and_the_next_one_is() {
    let Some(world) = world(10).await else { return };
    let (begun, wait) = tokio::sync::oneshot::channel();
    let (go_on, cut) = tokio::sync::oneshot::channel::<()>();
    let request = world.request(1);
    let lost = world.write(move |tx| {
        Box::pin(async move {
            let hold = holds::place(tx, request).await?;
            crate::sql::flush(tx).await?;
            let _ = begun.send(());
            let _ = cut.await;
            Ok(hold)
        })
    });
    let cutting = async {
        wait.await.unwrap();
        assert_eq!(world.database.cut("bilten writer").await, 1);
        go_on.send(()).unwrap();
    };
    let (lost, ()) = tokio::join!(lost, cutting);
    assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
    assert_eq!(world.pool_counts().await, (0, 0));
    world.hold(1).await.unwrap();
    assert_eq!(world.pool_counts().await, (1, 0));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_answered_by_what_the_database_holds() {
    let Some(world) = world(10).await else { return };
    let (world, proxy) = world.through_a_proxy().await;
    proxy.cut(Cut::AfterCommit);
    world.hold(1).await.unwrap();
    assert_eq!(world.pool_counts().await, (1, 0), "it was committed");
    proxy.cut(Cut::BeforeCommit);
    let lost = world.hold(1).await;
    assert!(matches!(lost, Err(Error::Unavailable(_))), "{lost:?}");
    assert_eq!(world.pool_counts().await, (1, 0), "it was not");
    proxy.cut(Cut::AfterCommit);
    let without_changes = world.store.write("test", |_| Box::pin(async { Ok(()) })).await;
    assert_eq!(without_changes, Err(Error::Unknown), "nothing could tell");
    world.hold(1).await.unwrap();
    world.assert_sound().await;
}

#[tokio::test]
async fn commands_wait_for_a_database_that_comes_back_but_not_for_ever() {
    let Some(world) = world(10).await else { return };
    let (world, proxy) = world.through_a_proxy().await;
    proxy.cut(Cut::Everything);
    let back = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        proxy.cut(Cut::Nothing);
    };
    let (waited, ()) = tokio::join!(world.hold(1), back);
    waited.unwrap();
    proxy.cut(Cut::Everything);
    let results = futures::future::join_all((0..50).map(|_| world.hold(1))).await;
    assert!(
        results
            .iter()
            .all(|result| matches!(result, Err(Error::Unavailable(_))))
    );
    proxy.cut(Cut::Nothing);
    world.hold(1).await.unwrap();
    assert_eq!(world.pool_counts().await, (2, 0));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_full_disk_is_a_typed_error_and_the_writer_goes_on_when_there_is_room() {
    let Some(world) = world(10).await else { return };
    world
        .on_server(
            "create function fill() returns trigger language plpgsql as
                 $$ begin raise exception 'could not extend file' using errcode = '53100'; end $$;
             create trigger full_disk before insert on outbox execute function fill()",
        )
        .await;
    let results = futures::future::join_all((0..5).map(|_| world.hold(1))).await;
    assert!(
        results.iter().all(|result| matches!(result, Err(Error::Full(_)))),
        "{results:?}"
    );
    world.on_server("drop trigger full_disk on outbox").await;
    world.hold(1).await.unwrap();
    assert_eq!(world.pool_counts().await, (1, 0));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_lease_of_a_process_that_died_is_taken_over() {
    let Some(world) = world(1).await else { return };
    let dying = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let url = world.database.url();
    let lease = dying.spawn(async move {
        let store = Store::open(&url, StoreOptions::default()).await.unwrap();
        let lease = store.lease("relay", "a".into());
        lease.held().wait_for(|held| *held).await.unwrap();
        (store, lease)
    });
    let dead = lease.await.unwrap();
    let lease = world.store.lease("relay", "b".into());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!*lease.held().borrow(), "the other lives");
    // As by kill -9: nothing of it runs on, and it has said nothing.
    dying.shutdown_background();
    let taken = tokio::time::timeout(Duration::from_secs(10), async {
        lease.held().wait_for(|held| *held).await.map(|held| *held)
    });
    assert_eq!(taken.await.unwrap().ok(), Some(true));
    drop(dead);
    lease.release().await;
}
