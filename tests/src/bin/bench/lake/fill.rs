//! Writes the season into a lake through its own commit path: tables, partitions and statistics are those of the sink, and
//! a day's rows stand in one file, sorted, as compaction leaves a day that is over.

use super::{
    chance::{Id, mix},
    sales::{Sales, Told},
    season::{DAY, DAYS, FIRST_DAY, Season},
    stage,
    visits::Visits,
};
use crate::report::say;
use domain::changes::entity_of;
use lakehouse::{
    CHANGES, INTERACTIONS, Lake, LakeOptions, Layout, Publish, RecordBatch, TableSpec,
    decode::{BATCH_ROWS, Decoder, Envelope, Row},
    table_specs,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::{JoinHandle, spawn_blocking};

/// Partitions of the log that the changes are said to come from.
const PARTITIONS: usize = 4;

/// How the season is written.
#[derive(Clone, Default)]
pub(super) struct Written {
    pub(super) layout: Layout,
    /// As the rows came, and not sorted as compaction would.
    pub(super) as_they_came: bool,
}

/// Commits are made a day; nothing else decides when.
fn options(layout: Layout) -> LakeOptions {
    LakeOptions {
        layout,
        commit_interval: Duration::from_secs(86_400),
        idle_lag: Duration::from_secs(86_400),
        idle_lag_offsets: u64::MAX,
        commit_rows: usize::MAX,
        commit_bytes: usize::MAX,
        tail_limit_bytes: usize::MAX,
        fsync: false,
        ..LakeOptions::default()
    }
}

/// Gives changes their places.
struct Maker {
    season: Arc<Season>,
    sales: Sales,
    seq: i64,
    next_offsets: [u64; PARTITIONS],
    as_they_came: bool,
}

/// Writes a new lake, and tells how many rows a second that took.
pub(super) async fn fill(url: &str, season: Season, interactions: u64, written: &Written) -> f64 {
    let started = Instant::now();
    let season = Arc::new(season);
    let lake = Lake::open(url, options(written.layout.clone())).await.unwrap();
    let maker = Maker {
        season: Arc::clone(&season),
        sales: Sales::new(Arc::clone(&season)),
        seq: 0,
        next_offsets: [0; PARTITIONS],
        as_they_came: written.as_they_came,
    };
    let visits = Visits::new(season, interactions, written.as_they_came);
    let mut rows = 0;
    // Both halves of the next day are made, each on a thread of its own, while this one is written.
    let mut making = (making_changes(maker, FIRST_DAY), making_visits(visits, FIRST_DAY));
    for day in FIRST_DAY..FIRST_DAY + DAYS {
        let (maker, changes) = making.0.await.unwrap();
        let (visits, seen) = making.1.await.unwrap();
        rows += changes
            .iter()
            .chain(&seen)
            .map(|(_, batch)| batch.num_rows())
            .sum::<usize>();
        publish(&lake, &maker, &visits, changes, seen).await;
        making = (making_changes(maker, day + 1), making_visits(visits, day + 1));
        lake.flush().await.unwrap();
        let done = day - FIRST_DAY + 1;
        if done % 30 == 0 || done == DAYS {
            say(&format!(
                "lake: day {done} of {DAYS}, {rows} rows, {:.0}/s",
                rows as f64 / started.elapsed().as_secs_f64()
            ));
        }
    }
    lake.close().await.unwrap();
    rows as f64 / started.elapsed().as_secs_f64()
}

type Batches = Vec<(&'static str, RecordBatch)>;

fn making_changes(mut maker: Maker, day: i64) -> JoinHandle<(Maker, Batches)> {
    spawn_blocking(move || {
        let batches = if day < FIRST_DAY + DAYS {
            maker.day(day)
        } else {
            Vec::new()
        };
        (maker, batches)
    })
}

fn making_visits(mut visits: Visits, day: i64) -> JoinHandle<(Visits, Batches)> {
    spawn_blocking(move || {
        let spec = table_specs().iter().find(|spec| spec.topic == INTERACTIONS).unwrap();
        let seen = if day < FIRST_DAY + DAYS {
            visits.day(day, &spec.schema).unwrap()
        } else {
            Vec::new()
        };
        (visits, seen.into_iter().map(|batch| (spec.name, batch)).collect())
    })
}

async fn publish(lake: &Lake, maker: &Maker, visits: &Visits, changes: Batches, seen: Batches) {
    let changed = (0..)
        .zip(maker.next_offsets)
        .map(|(partition, next)| (CHANGES.to_owned(), partition, next));
    let visited = (0..).zip(visits.next_offsets());
    let visited = visited.map(|(partition, next)| (INTERACTIONS.to_owned(), partition, next));
    let batch = Publish {
        next_offsets: changed.chain(visited).collect(),
        rows: changes.into_iter().chain(seen).collect(),
        watermark: Some(maker.seq),
    };
    lake.publish(batch).await.unwrap();
}

impl Maker {
    /// A day's changes, in the order in which they happened, then sorted as compaction would: by organizer, then by `seq`.
    fn day(&mut self, day: i64) -> Batches {
        let mut told = if day == FIRST_DAY {
            stage::set_up(&self.season)
        } else {
            stage::ended(&self.season, day)
        };
        told.extend(self.sales.day(day));
        told.sort_by_key(|told| told.at);
        let placed = told.into_iter().map(|told| {
            self.seq += 1;
            let partition = mix(told.organizer as u64, told.request) as usize % PARTITIONS;
            let offset = self.next_offsets[partition];
            self.next_offsets[partition] += 1;
            (self.seq, partition as u32, offset, told)
        });
        let mut placed: Vec<_> = placed.collect();
        if !self.as_they_came {
            placed.sort_by_key(|(seq, .., told)| (told.organizer, *seq));
        }
        let mut batches = Batches::new();
        for spec in table_specs().iter().filter(|spec| spec.entity.is_some()) {
            let mine = placed.iter().filter(|(.., told)| is_of(spec, told));
            let mine: Vec<_> = mine.collect();
            for rows in mine.chunks(BATCH_ROWS) {
                let mut decoder = Decoder::new(spec).unwrap();
                for (seq, partition, offset, told) in rows {
                    self.push(&mut decoder, *seq, (*partition, *offset), told);
                }
                batches.push((spec.name, decoder.finish().unwrap()));
            }
        }
        assert!(day >= FIRST_DAY && told_day(&placed, day), "every change is of its day");
        batches
    }

    fn push(&self, decoder: &mut Decoder, seq: i64, (partition, offset): (u32, u64), told: &Told) {
        let entity = entity_of(told.change_type).unwrap();
        let change_id = Id::at(told.at, mix(self.season.seed, seq as u64));
        let correlation_id = Id::at(told.at, told.request);
        decoder.push(&Row {
            envelope: Some(Envelope {
                seq,
                change_id: change_id.as_str(),
                change_type: told.change_type,
                schema_version: 1,
                organizer_id: self.season.organizers[told.organizer].id.as_str(),
                entity: entity.name,
                entity_id: told.id.as_str(),
                entity_version: told.version,
                occurred_at: told.at,
                recorded_at: told.at,
                actor: told.actor,
                correlation_id: Some(correlation_id.as_str()),
            }),
            value: told.payload.as_bytes(),
            topic: CHANGES,
            partition,
            offset,
            ingested_at: told.at,
            reject: None,
        });
    }
}

fn is_of(spec: &TableSpec, told: &Told) -> bool {
    let entity = told.change_type.split('.').next();
    spec.entity.is_some_and(|known| Some(known.name) == entity)
}

fn told_day(placed: &[(i64, u32, u64, Told)], day: i64) -> bool {
    placed.iter().all(|(.., told)| told.at.div_euclid(DAY) == day)
}
