//! The door for interactions. It takes one JSON object, an array, or NDJSON; checks every item by itself; and writes what
//! is good with one append a partition. One bad item never costs the others.
//!
//! A repeat is known by `interaction_id`, within a window of the most recent ones. The window is filled after the
//! append, so that a client that tries again after a failure is never told "duplicate" for what was not written; the
//! price is that two requests at the same moment may write an item twice, and the lake tells by the id.

mod item;
mod seen;
mod visitors;

pub use item::Rejection;
pub use visitors::VisitorKeys;

use crate::{EventLog, INTERACTIONS, LogError, Record, log, partition_for};
use bytes::Bytes;
use domain::Timestamp;
use item::{Item, Limits};
use seen::Seen;
use serde::Serialize;
use serde_json::value::RawValue;
use std::{
    collections::HashSet,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use visitors::DayKey;

/// Most bytes of a request, after decompression.
pub const BODY_LIMIT: usize = 8 << 20;
/// Most items of a request.
pub const ITEM_LIMIT: usize = 10_000;
/// Most bytes of an item's properties.
pub const PROPERTIES_LIMIT: usize = 8 << 10;
/// A client's clock may be ahead by this much.
pub const MOST_AHEAD: Duration = Duration::from_secs(5 * 60);
/// A client may have been offline for this long.
pub const MOST_BEHIND: Duration = Duration::from_secs(30 * 24 * 3600);

/// The most recent ids that are known, at least; at 16 bytes and some overhead each, about 20 MiB.
const REMEMBERED: usize = 250_000;
/// Larger bodies are parsed on a thread of their own, so that other requests don't wait.
const PARSE_INLINE: usize = 64 << 10;

#[derive(Debug)]
pub struct Collector {
    log: Arc<dyn EventLog>,
    keys: VisitorKeys,
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchFormat {
    /// One object, or an array of objects.
    Json,
    /// One object a line; empty lines are passed over.
    NdJson,
}

/// What became of each item: those that are not named were accepted, and are durable. Items are counted from 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Answer {
    pub accepted: usize,
    /// Known already, so not written again.
    pub duplicates: Vec<usize>,
    pub rejected: Vec<Rejection>,
}

/// Why a whole request is refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CollectError {
    #[error("a request has at most {BODY_LIMIT} bytes and {ITEM_LIMIT} interactions; send them in several")]
    TooLarge,
    #[error("the body is neither a JSON object nor an array: {0}")]
    Malformed(String),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] transactional::Error),
    #[error("parsing broke off")]
    Panicked,
}

/// A request's items, checked and encoded.
struct Parsed {
    good: Vec<Good>,
    rejected: Vec<Rejection>,
    /// Keys and values of all good items, one after the other.
    bytes: Vec<u8>,
}

struct Good {
    index: usize,
    id: u128,
    key: Range<usize>,
    value: Range<usize>,
}

impl Collector {
    pub fn new(log: Arc<dyn EventLog>, keys: VisitorKeys) -> Self {
        Self {
            log,
            keys,
            seen: Mutex::new(Seen::new(REMEMBERED)),
        }
    }

    /// Takes a request's items. The answer comes when what was accepted is durable.
    pub async fn collect(&self, body: &Bytes, format: BatchFormat) -> Result<Answer, CollectError> {
        if body.len() > BODY_LIMIT {
            return Err(CollectError::TooLarge);
        }
        let now = Timestamp::now();
        let key = self.keys.of_day(now).await?;
        let parsed = if body.len() <= PARSE_INLINE {
            parse(body, format, now, &key)?
        } else {
            let body = body.clone();
            let work = tokio::task::spawn_blocking(move || parse(&body, format, now, &key));
            work.await.map_err(|_| CollectError::Panicked)??
        };
        let mut answer = Answer {
            rejected: parsed.rejected,
            ..Answer::default()
        };
        let fresh = self.without_duplicates(parsed.good, &mut answer.duplicates);
        answer.accepted = fresh.len();
        self.append(fresh, parsed.bytes.into()).await?;
        Ok(answer)
    }

    fn without_duplicates(&self, good: Vec<Good>, duplicates: &mut Vec<usize>) -> Vec<Good> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut here = HashSet::with_capacity(good.len());
        let is_fresh = |item: &Good| {
            let fresh = !seen.contains(item.id) && here.insert(item.id);
            if !fresh {
                duplicates.push(item.index);
            }
            fresh
        };
        good.into_iter().filter(is_fresh).collect()
    }

    async fn append(&self, items: Vec<Good>, bytes: Bytes) -> Result<(), LogError> {
        let partitions = self.log.partitions(INTERACTIONS)?;
        let mut batches: Vec<(Vec<Record>, Vec<u128>)> = Vec::new();
        batches.resize_with(partitions as usize, Default::default);
        for item in items {
            let key = bytes.slice(item.key);
            let (records, ids) = &mut batches[partition_for(&key, partitions) as usize];
            ids.push(item.id);
            records.push(Record {
                key,
                value: bytes.slice(item.value),
                ..Record::default()
            });
        }
        let appends = batches
            .into_iter()
            .enumerate()
            .map(|(partition, (records, ids))| async move {
                for records in log::within_limits(records) {
                    self.log.append(INTERACTIONS, partition as u32, records).await?;
                }
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                ids.into_iter().for_each(|id| seen.insert(id));
                Ok(())
            });
        // All are waited for, since what one partition took is not to be sent again.
        futures::future::join_all(appends).await.into_iter().collect()
    }
}

fn parse(body: &[u8], format: BatchFormat, now: Timestamp, key: &DayKey) -> Result<Parsed, CollectError> {
    let mut parsed = Parsed {
        good: Vec::new(),
        rejected: Vec::new(),
        // A little more than comes in goes out.
        bytes: Vec::with_capacity(body.len() + body.len() / 2),
    };
    let limits = Limits {
        earliest: now - MOST_BEHIND,
        latest: now + MOST_AHEAD,
        now,
    };
    let mut take = |index: usize, text: &[u8]| {
        if index >= ITEM_LIMIT {
            return Err(CollectError::TooLarge);
        }
        match Item::parse(text).and_then(|item| item.check(limits, key)) {
            Ok(checked) => {
                let (key, value) = checked.encode(&mut parsed.bytes);
                let id = checked.id();
                parsed.good.push(Good { index, id, key, value });
            }
            Err(rejection) => parsed.rejected.push(rejection.at(index)),
        }
        Ok(())
    };
    match format {
        BatchFormat::NdJson => {
            let lines = body
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.trim_ascii().is_empty());
            for (index, line) in lines.enumerate() {
                take(index, line)?;
            }
        }
        BatchFormat::Json if body.trim_ascii_start().starts_with(b"[") => {
            let items: Vec<&RawValue> =
                serde_json::from_slice(body).map_err(|error| CollectError::Malformed(error.to_string()))?;
            for (index, item) in items.into_iter().enumerate() {
                take(index, item.get().as_bytes())?;
            }
        }
        BatchFormat::Json => {
            let item: &RawValue =
                serde_json::from_slice(body).map_err(|error| CollectError::Malformed(error.to_string()))?;
            take(0, item.get().as_bytes())?;
        }
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests;
