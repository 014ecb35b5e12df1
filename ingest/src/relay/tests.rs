use super::*;
use crate::{
    LogOptions, LogRecord,
    log::{Membership, file::FileLog},
};
use async_trait::async_trait;
use domain::OrganizerId;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use transactional::{StoreOptions, organizers, organizers::OrganizerDetails};

struct World {
    folder: TempDir,
    store: Store,
    log: Arc<FileLog>,
}

async fn world() -> World {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}", folder.path().join("core.db").display());
    World {
        store: Store::open(&url, StoreOptions::default()).await.unwrap(),
        log: Arc::new(
            FileLog::open(folder.path().join("log"), LogOptions::default())
                .await
                .unwrap(),
        ),
        folder,
    }
}

impl World {
    /// A command that makes so many changes.
    async fn command(&self, changes: usize) {
        let command = self.store.write("test", move |tx| {
            Box::pin(async move {
                for _ in 0..changes {
                    organizers::create(tx, details()).await?;
                }
                Ok(())
            })
        });
        command.await.unwrap();
    }

    fn start(
        &self,
        log: Arc<dyn EventLog>,
        options: RelayOptions,
    ) -> (CancellationToken, JoinHandle<Result<(), RelayError>>) {
        let stop = CancellationToken::new();
        let relay = Relay::new(self.store.clone(), log, options);
        (stop.clone(), tokio::spawn(async move { relay.run(stop).await }))
    }

    /// Waits until the log has the core's newest change, and checks that it has all, once, each linked to the one before.
    async fn all_arrive(&self) {
        let newest = *self.store.committed_seq().borrow();
        let mut links = Vec::new();
        for _ in 0..1000 {
            links = self.links().await;
            if links.last().is_some_and(|link| link.seq >= newest) && links.len() as i64 >= newest {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        let mut prev = 0;
        for link in &links {
            assert_eq!(link.prev, prev, "{links:?}");
            prev = link.seq;
        }
        assert_eq!(prev, newest);
    }

    async fn links(&self) -> Vec<crate::chain::Link> {
        let mut links = Vec::new();
        for partition in 0..self.log.partitions(CHANGES).unwrap() {
            let mut last = 0;
            for read in self.log.read(CHANGES, partition, 0, usize::MAX).await.unwrap() {
                assert_eq!(partition_for(&read.record.key, 4), partition);
                let Some(link) = change::link(&read.record.headers) else {
                    continue;
                };
                assert!(link.seq > last, "a partition is in order");
                last = link.seq;
                links.push(link);
            }
        }
        links.sort_by_key(|link| link.seq);
        links
    }
}

fn details() -> OrganizerDetails {
    OrganizerDetails {
        slug: format!("o-{}", OrganizerId::new()).parse().unwrap(),
        name: "Jazz im Hof".parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        timezone: "Europe/Warsaw".to_owned(),
        city: None,
        country: None,
    }
}

fn quick() -> RelayOptions {
    RelayOptions {
        batch: 7,
        backoff: (Duration::from_millis(1), Duration::from_millis(5)),
        ..RelayOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_arrives_once_and_knows_the_one_before() {
    let world = world().await;
    world.command(3).await;
    let (stop, relay) = world.start(world.log.clone(), quick());
    for changes in [1, 20, 2, 9] {
        world.command(changes).await;
    }
    world.all_arrive().await;
    stop.cancel();
    relay.await.unwrap().unwrap();
    assert_eq!(
        world.store.relay_cursor().await.unwrap(),
        *world.store.committed_seq().borrow()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_died_before_it_saved_its_cursor_doubles_nothing() {
    let world = world().await;
    let forgetful = RelayOptions {
        save_every: Duration::from_secs(3600),
        ..quick()
    };
    for _ in 0..3 {
        let (_, relay) = world.start(world.log.clone(), forgetful.clone());
        world.command(25).await;
        world.all_arrive().await;
        relay.abort();
        assert!(relay.await.unwrap_err().is_cancelled());
        assert_eq!(world.store.relay_cursor().await.unwrap(), 0);
        // What isn't a change doesn't hide those before it.
        for partition in 0..4 {
            world
                .log
                .append(CHANGES, partition, vec![garbage(partition)])
                .await
                .unwrap();
        }
    }
}

/// A key that falls into the partition.
fn garbage(partition: u32) -> Record {
    let keys = (0..).map(|n: u32| n.to_string());
    let key = keys
        .into_iter()
        .find(|key| partition_for(key.as_bytes(), 4) == partition);
    Record {
        key: key.unwrap().into(),
        ..Record::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_can_t_write_for_a_while_delays_changes_and_loses_none() {
    let world = world().await;
    let flaky = Arc::new(Flaky {
        log: world.log.clone(),
        appends: AtomicU32::new(0),
    });
    let (stop, relay) = world.start(flaky, quick());
    for _ in 0..10 {
        world.command(5).await;
    }
    world.all_arrive().await;
    stop.cancel();
    relay.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_database_that_is_older_than_the_log_is_told_apart_before_anything_is_left_out() {
    let world = world().await;
    let (stop, relay) = world.start(world.log.clone(), quick());
    world.command(5).await;
    world.all_arrive().await;
    stop.cancel();
    relay.await.unwrap().unwrap();
    let url = format!("sqlite://{}", world.folder.path().join("restored.db").display());
    let older = Store::open(&url, StoreOptions::default()).await.unwrap();
    let relay = Relay::new(older, world.log.clone(), quick());
    let error = relay.run(CancellationToken::new()).await.unwrap_err();
    assert!(
        matches!(error, RelayError::DatabaseIsOlder { in_log: 5, in_core: 0 }),
        "{error}"
    );
}

/// Every second append finds a full disk.
#[derive(Debug)]
struct Flaky {
    log: Arc<FileLog>,
    appends: AtomicU32,
}

#[async_trait]
impl EventLog for Flaky {
    async fn append(&self, topic: &str, partition: u32, records: Vec<Record>) -> Result<u64, LogError> {
        if self.appends.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            return Err(LogError::io("log", std::io::ErrorKind::StorageFull.into()));
        }
        self.log.append(topic, partition, records).await
    }

    fn partitions(&self, topic: &str) -> Result<u32, LogError> {
        self.log.partitions(topic)
    }

    async fn read(&self, topic: &str, partition: u32, from: u64, max: usize) -> Result<Vec<LogRecord>, LogError> {
        self.log.read(topic, partition, from, max).await
    }

    async fn start_offset(&self, topic: &str, partition: u32) -> Result<u64, LogError> {
        self.log.start_offset(topic, partition).await
    }

    async fn end_offset(&self, topic: &str, partition: u32) -> Result<u64, LogError> {
        self.log.end_offset(topic, partition).await
    }

    async fn last(&self, topic: &str, partition: u32) -> Result<Option<LogRecord>, LogError> {
        self.log.last(topic, partition).await
    }

    fn appended(&self, topic: &str) -> Result<watch::Receiver<u64>, LogError> {
        self.log.appended(topic)
    }

    async fn retain(&self, topic: &str, partition: u32, floor: u64) -> Result<u64, LogError> {
        self.log.retain(topic, partition, floor).await
    }

    async fn join(&self, group: &str) -> Result<Box<dyn Membership>, LogError> {
        self.log.join(group).await
    }

    async fn close(&self) {
        self.log.close().await;
    }
}
