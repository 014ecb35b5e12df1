use super::*;
use crate::{CHANGES, INTERACTIONS, LogOptions, Record, change, log::file::FileLog, partition_for};
use domain::{
    ChangeId, OrganizerId, Timestamp,
    changes::{Change, Organizer},
    interaction::{Interaction, InteractionKind},
};
use lakehouse::{LakeOptions, Principal, arrow::array::AsArray, arrow::datatypes::Int64Type};
use std::path::Path;
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::sleep};

struct World {
    log: Arc<FileLog>,
    lake: Lake,
    stop: CancellationToken,
    sink: JoinHandle<Result<(), SinkError>>,
}

fn quick() -> SinkOptions {
    SinkOptions {
        gap_timeout: Duration::from_millis(300),
        poll: Duration::from_millis(50),
        ..SinkOptions::default()
    }
}

async fn open_lake(folder: &Path) -> Lake {
    let options = LakeOptions {
        commit_interval: Duration::from_millis(200),
        fsync: false,
        ..LakeOptions::default()
    };
    Lake::open(&format!("file://{}", folder.join("lake").display()), options)
        .await
        .unwrap()
}

async fn open_log(folder: &Path) -> Arc<FileLog> {
    Arc::new(FileLog::open(folder.join("log"), LogOptions::default()).await.unwrap())
}

async fn open(folder: &Path) -> World {
    let (log, lake) = (open_log(folder).await, open_lake(folder).await);
    let stop = CancellationToken::new();
    let sink = Sink::new(log.clone(), lake.clone(), quick());
    World {
        sink: tokio::spawn(sink.run(stop.clone())),
        log,
        lake,
        stop,
    }
}

impl World {
    async fn close(self) {
        self.stop.cancel();
        self.sink.await.unwrap().unwrap();
        self.lake.close().await.unwrap();
        self.log.close().await;
    }

    async fn append(&self, partition: u32, records: impl IntoIterator<Item = Record>) {
        self.log
            .append(CHANGES, partition, records.into_iter().collect())
            .await
            .unwrap();
    }

    async fn visible(&self, seq: i64) {
        self.lake.wait_for(seq, Duration::from_secs(20)).await.unwrap();
    }

    async fn count(&self, sql: &str) -> i64 {
        let admin = Principal {
            id: "test".to_owned(),
            organizer: None,
            personal_data: true,
        };
        let rows = self
            .lake
            .session(&admin)
            .sql(sql)
            .await
            .unwrap()
            .collect()
            .await
            .unwrap();
        rows[0].column(0).as_primitive::<Int64Type>().value(0)
    }

    async fn counts_to(&self, sql: &str, expected: i64) {
        for _ in 0..200 {
            if self.count(sql).await == expected {
                return;
            }
            sleep(Duration::from_millis(25)).await;
        }
        assert_eq!(self.count(sql).await, expected, "{sql}");
    }
}

/// A change, the one after `seq - 1`.
fn change(seq: i64, remaining: i64, change_type: &str) -> Record {
    let now = Timestamp::now();
    let id = OrganizerId::new();
    let organizer = Organizer {
        id,
        slug: format!("o-{id}").parse().unwrap(),
        name: "Jazz im Hof".parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        timezone: "Europe/Warsaw".to_owned(),
        city: None,
        country: None,
        platform_fee_bps: 0,
        created_at: now,
    };
    let change = Change {
        seq,
        remaining,
        change_id: ChangeId::new(),
        change_type: change_type.to_owned(),
        schema_version: 1,
        organizer_id: id,
        entity: "organizer".to_owned(),
        entity_id: id.to_string(),
        entity_version: 1,
        occurred_at: now,
        recorded_at: now,
        actor: "test".to_owned(),
        payload: serde_json::to_string(&organizer).unwrap(),
        correlation_id: None,
        traceparent: None,
    };
    // Tests append ten changes at a time.
    change::record(&change, seq - 1, (seq - 1) / 10 * 10)
}

fn created(seq: i64, remaining: i64) -> Record {
    change(seq, remaining, "organizer.created")
}

fn interaction() -> Record {
    let now = Timestamp::now();
    let interaction = Interaction {
        interaction_id: domain::InteractionId::new(),
        kind: InteractionKind::PageView,
        organizer_id: OrganizerId::new(),
        event_id: None,
        visitor_id: "v".to_owned(),
        person_id: None,
        session_id: "s".to_owned(),
        occurred_at: now,
        received_at: now,
        url: None,
        referrer: None,
        utm_source: None,
        utm_medium: None,
        utm_campaign: None,
        properties: "{}".to_owned(),
    };
    Record {
        key: format!("{}:v", interaction.organizer_id).into(),
        value: serde_json::to_vec(&interaction).unwrap().into(),
        ..Record::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_over_partitions_is_seen_whole_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let world = open(folder.path()).await;
    world.append(1, [created(1, 0)]).await;
    world.visible(1).await;
    world.append(2, [created(3, 1)]).await;
    world.append(3, [created(4, 0), created(5, 0)]).await;
    sleep(Duration::from_millis(150)).await;
    assert_eq!(
        (
            world.lake.watermark(),
            world.count("select count(*) from organizer_changes").await
        ),
        (1, 1)
    );
    world.append(0, [created(2, 2)]).await;
    world.visible(5).await;
    assert_eq!(world.count("select count(*) from organizer_changes").await, 5);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_understands_becomes_a_reject_and_everything_else_flows() {
    let folder = TempDir::new().unwrap();
    let world = open(folder.path()).await;
    let broken = Record {
        value: "{ no json".into(),
        ..created(2, 0)
    };
    let unknown = [change(3, 0, "organizer.teleported"), change(4, 0, "starship.launched")];
    let garbage = Record {
        value: vec![0xff, 0].into(),
        headers: crate::Headers::from_encoded(vec![9, 1].into()),
        ..Record::default()
    };
    world.append(0, [garbage.clone(), created(1, 0), broken]).await;
    world
        .append(1, unknown.into_iter().chain([garbage, created(5, 0)]))
        .await;
    let no_interaction = Record {
        value: "[]".into(),
        ..Record::default()
    };
    world
        .log
        .append(INTERACTIONS, 0, vec![interaction(), no_interaction, interaction()])
        .await
        .unwrap();
    world.visible(5).await;
    world.counts_to("select count(*) from interactions", 2).await;
    world.counts_to("select count(*) from rejects", 6).await;
    assert_eq!(world.count("select count(*) from organizers").await, 2);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_never_comes_is_given_up_and_taken_if_it_comes_after_all() {
    let folder = TempDir::new().unwrap();
    let world = open(folder.path()).await;
    world.append(1, [created(2, 0)]).await;
    world.visible(2).await;
    world.append(0, [created(1, 0)]).await;
    world.append(1, [created(3, 0)]).await;
    world.visible(3).await;
    world.counts_to("select count(*) from organizers", 3).await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_from_any_moment_has_every_row_once() {
    let folder = TempDir::new().unwrap();
    let world = open(folder.path()).await;
    let mut seq = 0;
    for round in 0..12 {
        let mut batches = vec![Vec::new(); 4];
        for remaining in (0..10).rev() {
            seq += 1;
            let record = created(seq, remaining);
            batches[partition_for(&record.key, 4) as usize].push(record);
        }
        for (partition, batch) in (0..).zip(batches) {
            world.append(partition, batch).await;
        }
        world
            .log
            .append(INTERACTIONS, 1, vec![interaction(), interaction()])
            .await
            .unwrap();
        if round % 4 == 3 {
            // What a kill leaves: the lake first, since the log is always ahead of it.
            let copied = TempDir::new().unwrap();
            copy(&folder.path().join("lake"), &copied.path().join("lake"));
            copy(&folder.path().join("log"), &copied.path().join("log"));
            let after = open(copied.path()).await;
            after.visible(seq).await;
            let distinct = "select count(distinct entity_id) from organizer_changes";
            assert_eq!(after.count(distinct).await, seq);
            assert_eq!(after.count("select count(*) from organizer_changes").await, seq);
            after
                .counts_to("select count(*) from interactions", 2 * (round + 1))
                .await;
            after.close().await;
        }
        sleep(Duration::from_millis(70)).await;
    }
    world.close().await;
    let again = open(folder.path()).await;
    again.visible(seq).await;
    assert_eq!(again.count("select count(*) from organizer_changes").await, seq);
    again.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_ends_before_what_the_lake_has_is_refused() {
    let folder = TempDir::new().unwrap();
    let world = open(folder.path()).await;
    world.append(0, [created(1, 0)]).await;
    world.visible(1).await;
    world.close().await;
    std::fs::remove_dir_all(folder.path().join("log")).unwrap();
    let (log, lake) = (open_log(folder.path()).await, open_lake(folder.path()).await);
    let error = Sink::new(log, lake.clone(), quick())
        .run(CancellationToken::new())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            SinkError::LogIsBehind {
                committed: 1,
                end: 0,
                ..
            }
        ),
        "{error}"
    );
    lake.close().await.unwrap();
}

/// In the order of names, so that `_delta_log` comes before the files it names: they were there first.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let entries = std::fs::read_dir(from).unwrap().map(Result::unwrap);
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            // A temporary file may have got its name meanwhile.
            false => drop(std::fs::copy(entry.path(), target)),
        }
    }
}
