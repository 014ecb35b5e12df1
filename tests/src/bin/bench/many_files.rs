//! A table of very many files: how long a commit takes, and how long the table takes to load.

use crate::{
    log_to_lake,
    report::{Report, at_most},
};
use domain::{
    EventId, InteractionId, OrganizerId, Timestamp,
    interaction::{Interaction, InteractionKind},
};
use ingest::{EventLog, INTERACTIONS, LogOptions, Record, Sink, SinkOptions, partition_for};
use lakehouse::{Lake, LakeOptions};
use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tests::{now_micros, uuid7};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// The rows of one day are a file, so a commit of so many days adds as many files.
const DAYS: usize = 500;
const DAY_MICROS: i64 = 86_400_000_000;

/// On local files, and on the object store that `BILTEN_TEST_S3` names, if it names one.
pub(crate) fn measure(files: usize, report: &mut Report) {
    let folder = TempDir::with_prefix("bilten-bench-").unwrap();
    let url = |name: &str| format!("file://{}", folder.path().join(name).display());
    Runtime::new().unwrap().block_on(async {
        let a_lake = format!("a lake whose table has {files} files");
        measure_at(&url("log"), &url("lake"), files, &a_lake, report).await;
        if let (Ok(server), Ok(bucket)) = (env::var("BILTEN_TEST_S3"), env::var("BILTEN_TEST_S3_BUCKET")) {
            let lake = format!("s3://{bucket}/bench-{}/lake?endpoint={server}", uuid7());
            measure_at(&url("log-s3"), &lake, files, &format!("{a_lake}, on S3"), report).await;
        }
    });
}

async fn measure_at(log_url: &str, lake_url: &str, files: usize, a_lake: &str, report: &mut Report) {
    let log = ingest::log::open(log_url, LogOptions::default()).await.unwrap();
    let options = LakeOptions {
        // A commit is made when its time is taken.
        commit_interval: Duration::from_secs(3600),
        idle_lag: Duration::from_secs(3600),
        ..LakeOptions::default()
    };
    let quickly = LakeOptions {
        fsync: false,
        ..options.clone()
    };
    let growing = Sunk::open(&log, lake_url, quickly).await;
    for round in 0..files.div_ceil(DAYS) {
        fill(log.as_ref(), DAYS.min(files - round * DAYS)).await;
        growing.commit().await;
    }
    growing.close().await;

    let started = Instant::now();
    let lake = Lake::open(lake_url, options.clone()).await.unwrap();
    let load = started.elapsed().as_secs_f64();
    lake.close().await.unwrap();
    report.add(format!("{a_lake}: loading"), load, "s", Some(at_most(3.0)));

    let sunk = Sunk::open(&log, lake_url, options).await;
    log_to_lake::fill(log.as_ref(), 100).await;
    let commit = sunk.commit().await.as_secs_f64() * 1_000.0;
    report.add(
        format!("{a_lake}: a commit of 100 rows"),
        commit,
        "ms",
        Some(at_most(1_000.0)),
    );
    sunk.close().await;
    log.close().await;
}

/// A lake, and the sink that brings the log to it.
struct Sunk {
    log: Arc<dyn EventLog>,
    lake: Lake,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Sunk {
    async fn open(log: &Arc<dyn EventLog>, url: &str, options: LakeOptions) -> Self {
        let lake = Lake::open(url, options).await.unwrap();
        let stop = CancellationToken::new();
        let sink = Sink::new(log.clone(), lake.clone(), SinkOptions::default());
        let until = stop.clone();
        let running = tokio::spawn(async move { sink.run(until).await.unwrap() });
        Self {
            log: log.clone(),
            lake,
            stop,
            running,
        }
    }

    /// Commits all that the log has, and tells how long that took once the sink had read it.
    async fn commit(&self) -> Duration {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let started = Instant::now();
        self.lake.flush().await.unwrap();
        let took = started.elapsed();
        for partition in 0..self.log.partitions(INTERACTIONS).unwrap() {
            let end = self.log.end_offset(INTERACTIONS, partition).await.unwrap();
            assert_eq!(
                self.lake.committed(INTERACTIONS, partition),
                end,
                "the rows are committed"
            );
        }
        took
    }

    async fn close(self) {
        self.stop.cancel();
        self.running.await.unwrap();
        self.lake.close().await.unwrap();
    }
}

/// One page view on each of so many days.
async fn fill(log: &dyn EventLog, days: usize) {
    let partitions = log.partitions(INTERACTIONS).unwrap();
    let (organizer_id, event_id) = (OrganizerId::new(), EventId::new());
    let mut batches: Vec<Vec<Record>> = vec![Vec::new(); partitions as usize];
    for day in 0..days {
        let at = Timestamp::from_micros(now_micros() - day as i64 * DAY_MICROS);
        let value = serde_json::to_vec(&Interaction {
            interaction_id: InteractionId::new(),
            kind: InteractionKind::ALL[0],
            organizer_id,
            event_id: Some(event_id),
            visitor_id: format!("v{day}"),
            person_id: None,
            session_id: format!("s{day}"),
            occurred_at: at,
            received_at: at,
            url: Some("https://shop.example.org/events/1".into()),
            referrer: None,
            utm_source: None,
            utm_medium: None,
            utm_campaign: None,
            properties: "{}".into(),
        });
        let record = Record {
            key: format!("{organizer_id}:v{day}").into(),
            value: value.unwrap().into(),
            ..Record::default()
        };
        batches[partition_for(&record.key, partitions) as usize].push(record);
    }
    for (partition, batch) in (0..).zip(batches).filter(|(_, batch)| !batch.is_empty()) {
        log.append(INTERACTIONS, partition, batch).await.unwrap();
    }
}
