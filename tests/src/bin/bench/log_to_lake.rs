//! From the log into Delta files: decode, sort out, publish and commit, as the server does it, in this process.

use crate::{
    machine,
    report::{Report, at_least},
};
use domain::{EventId, InteractionId, OrganizerId, Timestamp, interaction::Interaction, interaction::InteractionKind};
use ingest::{EventLog, INTERACTIONS, LogOptions, Record, Sink, SinkOptions, partition_for};
use lakehouse::{Lake, LakeOptions};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tests::now_micros;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const APPEND: usize = 10_000;

/// The log is full when the clock starts, and all of it is in committed files when the clock stops. The rows a core are
/// those a second of CPU time of this whole process: decoding, compression, Delta's own work and reading the log.
pub(crate) fn measure(rows: usize, report: &mut Report) {
    let folder = TempDir::with_prefix("bilten-bench-").unwrap();
    let url = |name: &str| format!("file://{}", folder.path().join(name).display());
    Runtime::new().unwrap().block_on(async {
        let log = ingest::log::open(&url("log"), LogOptions::default()).await.unwrap();
        fill(log.as_ref(), rows).await;
        let (cpu, started) = (machine::own_cpu(), Instant::now());
        drain(&log, &url("lake")).await;
        let (wall, cpu) = (
            started.elapsed().as_secs_f64(),
            (machine::own_cpu() - cpu).as_secs_f64(),
        );
        log.close().await;
        let columns = <Interaction as domain::record::Record>::FIELDS.len();
        let what = format!("log → lake, {rows} interactions of {columns} columns");
        report.add(
            format!("{what}, a core"),
            rows as f64 / cpu,
            "rows/s",
            Some(at_least(300_000.0)),
        );
        report.add(format!("{what}, by the clock"), rows as f64 / wall, "rows/s", None);
    });
}

/// Brings all that the log has into a new lake.
pub(crate) async fn drain(log: &Arc<dyn EventLog>, lake_url: &str) {
    let lake = Lake::open(lake_url, LakeOptions::default()).await.unwrap();
    let stop = CancellationToken::new();
    let sink = Sink::new(log.clone(), lake.clone(), SinkOptions::default());
    let running = tokio::spawn(sink.run(stop.clone()));
    until_committed(log, &lake).await;
    stop.cancel();
    running.await.unwrap().unwrap();
    lake.close().await.unwrap();
}

pub(crate) async fn fill(log: &dyn EventLog, rows: usize) {
    let partitions = log.partitions(INTERACTIONS).unwrap();
    let (organizer_id, event_id) = (OrganizerId::new(), EventId::new());
    let mut number = 0;
    while number < rows {
        let mut batches: Vec<Vec<Record>> = vec![Vec::new(); partitions as usize];
        for _ in 0..APPEND.min(rows - number) {
            let record = record(organizer_id, event_id, number);
            batches[partition_for(&record.key, partitions) as usize].push(record);
            number += 1;
        }
        for (partition, batch) in batches.into_iter().enumerate().filter(|(_, batch)| !batch.is_empty()) {
            log.append(INTERACTIONS, partition as u32, batch).await.unwrap();
        }
    }
}

fn record(organizer_id: OrganizerId, event_id: EventId, number: usize) -> Record {
    let at = Timestamp::from_micros(now_micros());
    let visitor_id = format!("v{}", number * 7919 % 50_000);
    let value = serde_json::to_vec(&Interaction {
        interaction_id: InteractionId::new(),
        kind: InteractionKind::ALL[number % InteractionKind::ALL.len()],
        organizer_id,
        event_id: Some(event_id),
        visitor_id: visitor_id.clone(),
        person_id: None,
        session_id: format!("s{}", number % 100_000),
        occurred_at: at,
        received_at: at,
        url: Some(format!("https://shop.example.org/events/{}", number % 500)),
        referrer: Some("https://search.example.org/".into()),
        utm_source: Some("newsletter".into()),
        utm_medium: None,
        utm_campaign: (number.is_multiple_of(3)).then(|| "autumn".into()),
        properties: r#"{"position":3}"#.into(),
    });
    let key = format!("{organizer_id}:{visitor_id}").into();
    Record {
        key,
        value: value.unwrap().into(),
        ..Record::default()
    }
}

async fn until_committed(log: &Arc<dyn EventLog>, lake: &Lake) {
    for partition in 0..log.partitions(INTERACTIONS).unwrap() {
        let end = loop {
            match log.end_offset(INTERACTIONS, partition).await {
                Err(error) if error.is_transient() => continue,
                end => break end.unwrap(),
            }
        };
        while lake.committed(INTERACTIONS, partition) < end {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
