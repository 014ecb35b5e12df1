//! How fast the log and the collector are on this machine, without HTTP: `cargo run -p ingest --example rates`.

use bytes::Bytes;
use domain::{InteractionId, OrganizerId};
use ingest::{
    CHANGES, EventLog, INTERACTIONS, LogOptions, Record,
    collector::{BatchFormat, Collector, VisitorKeys},
    log::file::FileLog,
};
use std::{
    io::{Write, stdout},
    sync::Arc,
    time::{Duration, Instant},
};
use transactional::{Store, StoreOptions};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("bilten-rates-{}", std::process::id()));
    let log = Arc::new(FileLog::open(folder.join("log"), LogOptions::default()).await?);
    append_and_read(&log).await?;
    append_one_by_one(&log).await?;
    let url = format!("sqlite://{}", folder.join("core.db").display());
    let store = Store::open(&url, StoreOptions::default()).await?;
    collect(log.clone(), VisitorKeys::new(store.clone())).await?;
    store.close().await?;
    log.close().await;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

async fn append_and_read(log: &FileLog) -> Result<(), Failure> {
    const BATCH: usize = 2_000;
    const BATCHES: usize = 250;
    let record = Record {
        key: Bytes::from_static(&[b'k'; 73]),
        value: Bytes::from_static(&[b'v'; 500]),
        ..Record::default()
    };
    let begun = Instant::now();
    for _ in 0..BATCHES {
        log.append(CHANGES, 0, vec![record.clone(); BATCH]).await?;
    }
    say(
        "append, 500-byte values in batches of 2,000",
        BATCH * BATCHES,
        begun.elapsed(),
    )?;
    let begun = Instant::now();
    let mut next = 0;
    while let Some(last) = log.read(CHANGES, 0, next, 4 << 20).await?.last() {
        next = last.offset + 1;
    }
    say("read", next as usize, begun.elapsed())
}

async fn append_one_by_one(log: &Arc<FileLog>) -> Result<(), Failure> {
    const CLIENTS: usize = 64;
    const EACH: usize = 200;
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let log = log.clone();
            tokio::spawn(async move {
                for _ in 0..EACH {
                    log.append(CHANGES, 1, vec![Record::default()]).await?;
                }
                Ok::<_, ingest::LogError>(())
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    say(
        "durable appends of one record by 64 clients",
        CLIENTS * EACH,
        begun.elapsed(),
    )
}

async fn collect(log: Arc<FileLog>, keys: VisitorKeys) -> Result<(), Failure> {
    const BATCH: usize = 1_000;
    const BATCHES: usize = 200;
    let organizer = OrganizerId::new();
    let item = |n: usize| {
        format!(
            r#"{{"interaction_id":"{}","kind":"event_view","organizer_id":"{organizer}","visitor_id":"visitor-{n}","session_id":"session-{n}","occurred_at":"{}","url":"https://example.org/events/{n}","referrer":"https://example.org/","utm_source":"newsletter","properties":{{"position":{n},"list":"home"}},"consent":{{"analytics":{}}}}}"#,
            InteractionId::new(),
            domain::Timestamp::now(),
            n.is_multiple_of(2),
        )
    };
    let bodies: Vec<Bytes> = (0..BATCHES)
        .map(|_| (0..BATCH).map(item).collect::<Vec<_>>().join("\n").into())
        .collect();
    let collector = Collector::new(log.clone(), keys);
    let begun = Instant::now();
    for body in &bodies {
        let answer = collector.collect(body, BatchFormat::NdJson).await?;
        if answer.accepted != BATCH {
            return Err(format!("{:?}", answer.rejected.first()).into());
        }
    }
    say(
        "interactions collected, in batches of 1,000, one client",
        BATCH * BATCHES,
        begun.elapsed(),
    )?;
    let ends = [
        log.end_offset(INTERACTIONS, 0).await?,
        log.end_offset(INTERACTIONS, 1).await?,
    ];
    writeln!(stdout(), "interactions in the partitions: {ends:?}")?;
    Ok(())
}

fn say(what: &str, records: usize, took: Duration) -> Result<(), Failure> {
    let rate = records as f64 / took.as_secs_f64();
    writeln!(stdout(), "{what}: {rate:.0}/s ({records} in {took:.2?})")?;
    Ok(())
}
