//! The port to the event log. Its adapters are chosen once, by the scheme of a URL, in [`open`].

pub mod file;
mod frame;
pub mod kafka;
mod membership;
mod partition;
mod segment;
mod writer;

#[cfg(any(test, feature = "contract"))]
pub mod contract;

pub use membership::{Membership, Partitions};

use crate::{CHANGES, INTERACTIONS, LogRecord, Record};
use async_trait::async_trait;
use std::{
    fmt, io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Most bytes of one record. A change is an entity's state and an interaction at most some KiB, so what is larger is a
/// mistake, and each reader must be able to hold the largest.
pub const RECORD_LIMIT: usize = 1 << 20;
/// Most bytes of one append. It bounds a frame, and so what a reader has to take in at once.
pub const APPEND_LIMIT: usize = 16 << 20;

/// An ordered, durable record of what happened, in topics that are split into partitions.
///
/// Every adapter promises:
/// - **Durable.** When `append` has returned an offset, the records survive the end of the process and of the power.
/// - **No gaps within.** After a crash or an error, what is there of an append is all of it, nothing or, with Kafka, a
///   prefix: never a record without those before it.
/// - **Ordered.** Offsets of a partition rise in the order of the appends, and by one a record unless other clients of
///   Kafka use transactions; they are never used twice for different records that anyone has read.
/// - **Only what is durable is read.** `read` and `end_offset` never show a record that a crash could take back.
/// - **An error may leave a trace.** When `append` fails, records of it may be found afterwards: at once with Kafka,
///   after the death of the process in a folder. A writer that tries again writes them twice, and so readers pass over
///   what they have seen.
/// - **Kept.** In a folder, records stay until `retain` was given a floor above them. Kafka keeps them for the time and
///   size that the topic was created with, whoever still needs them.
#[async_trait]
pub trait EventLog: fmt::Debug + Send + Sync + 'static {
    /// How many partitions the topic has: 0 to n-1. It never changes while the log is open.
    fn partitions(&self, topic: &str) -> Result<u32, LogError>;

    /// Appends the records in their order and answers the offset of the first, once they are durable. Other processes'
    /// records may come between them, this process's don't.
    async fn append(&self, topic: &str, partition: u32, records: Vec<Record>) -> Result<u64, LogError>;

    /// Records from an offset on: about `max_bytes` of them, at least one if there is one, none at the end.
    /// Below the first or beyond the end: [`LogError::OffsetOutOfRange`].
    async fn read(&self, topic: &str, partition: u32, from: u64, max_bytes: usize) -> Result<Vec<LogRecord>, LogError>;

    /// The first offset that is still kept.
    async fn start_offset(&self, topic: &str, partition: u32) -> Result<u64, LogError>;

    /// The offset that the next record will get.
    async fn end_offset(&self, topic: &str, partition: u32) -> Result<u64, LogError>;

    /// The newest record. In a folder, retention never takes it away, so that `None` means that nothing was ever
    /// written; Kafka's retention may.
    async fn last(&self, topic: &str, partition: u32) -> Result<Option<LogRecord>, LogError>;

    /// Changes whenever there may be more to read in any partition of the topic, of those that other processes append to
    /// if `read` was called for it. The number itself means nothing.
    fn appended(&self, topic: &str) -> Result<watch::Receiver<u64>, LogError>;

    /// Lets go of records that are older or more than the log's retention allows, but of none at `floor` or above:
    /// the caller still needs those. Answers the first offset that is kept. What stays may be more than was allowed, and
    /// where the log does this by itself, the call only asks.
    async fn retain(&self, topic: &str, partition: u32, floor: u64) -> Result<u64, LogError>;

    /// Becomes a member of a group that shares all partitions out among its members.
    async fn join(&self, group: &str) -> Result<Box<dyn Membership>, LogError>;

    /// Waits for the appends under way and lets go of the log. Later calls fail with [`LogError::Closed`].
    async fn close(&self);
}

/// What an adapter needs to know besides its URL.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Topics and the number of partitions each is created with. One that exists keeps the number it has, since
    /// a key's records would change their partition with it.
    pub topics: Vec<(String, u32)>,
    pub retention: Retention,
    /// The embedded adapter's file size; retention works on whole files.
    pub segment_bytes: u64,
}

/// Records leave when they are older than `age`, or when the partition is larger than `bytes`.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub age: Duration,
    pub bytes: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            topics: vec![(CHANGES.to_owned(), 4), (INTERACTIONS.to_owned(), 2)],
            retention: Retention {
                age: Duration::from_secs(7 * 24 * 3600),
                bytes: 1 << 30,
            },
            segment_bytes: 64 << 20,
        }
    }
}

/// Opens the log that a URL names.
pub async fn open(url: &str, options: LogOptions) -> Result<Arc<dyn EventLog>, LogError> {
    match url.split_once("://") {
        Some(("file", path)) => Ok(Arc::new(file::FileLog::open(path, options).await?)),
        Some(("kafka", rest)) => Ok(Arc::new(kafka::KafkaLog::open(rest, options).await?)),
        _ => Err(LogError::UnknownUrl),
    }
}

/// The partition of a key: Kafka's own choice for keyed records, so that records written by any of its clients and by
/// this program meet in the same partition.
///
/// `Utils.murmur2` and `BuiltInPartitioner.partitionForKey` of Apache Kafka's clients.
pub fn partition_for(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// The records in as few appends as the log's limit allows.
pub(crate) fn within_limits(records: Vec<Record>) -> Vec<Vec<Record>> {
    let mut appends: Vec<Vec<Record>> = Vec::new();
    let mut bytes = 0;
    for record in records {
        let len = frame::encoded_len(&record);
        bytes += len;
        match appends.last_mut() {
            Some(last) if bytes <= APPEND_LIMIT => last.push(record),
            _ => {
                bytes = len;
                appends.push(vec![record]);
            }
        }
    }
    appends
}

/// The size of an append, if it is within the limits.
fn check_size(records: &[Record]) -> Result<usize, LogError> {
    if let Some(record) = records.iter().find(|record| record.size() > RECORD_LIMIT) {
        return Err(LogError::TooLarge {
            what: "a record",
            bytes: record.size(),
            limit: RECORD_LIMIT,
        });
    }
    let bytes = records.iter().map(frame::encoded_len).sum();
    if bytes > APPEND_LIMIT {
        return Err(LogError::TooLarge {
            what: "an append",
            bytes,
            limit: APPEND_LIMIT,
        });
    }
    Ok(bytes)
}

/// Counts what an append did, in every adapter alike.
async fn measured(
    topic: &str,
    count: usize,
    append: impl Future<Output = Result<u64, LogError>> + Send,
) -> Result<u64, LogError> {
    let begun = Instant::now();
    let result = append.await;
    match &result {
        Ok(_) => {
            metrics::histogram!("bilten_log_append_seconds").record(begun.elapsed());
            metrics::counter!("bilten_log_appended_records_total", "topic" => topic.to_owned()).increment(count as u64);
        }
        Err(error) => count_error(error),
    }
    result
}

fn count_error(error: &LogError) {
    metrics::counter!("bilten_log_errors_total", "kind" => error.kind()).increment(1);
}

fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let mut h = SEED ^ data.len() as u32;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (i, byte) in tail.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

/// What can go wrong, each with its cause. Cloneable because one failed write answers many appends.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    #[error("the log has no partition {partition} of a topic named {topic}")]
    UnknownPartition { topic: String, partition: u32 },
    #[error("{topic}/{partition} has no offset {asked}: it holds {start} up to, but not with, {end}")]
    OffsetOutOfRange {
        topic: String,
        partition: u32,
        asked: u64,
        start: u64,
        end: u64,
    },
    #[error("{what} of {bytes} bytes is more than the limit of {limit}")]
    TooLarge {
        what: &'static str,
        bytes: usize,
        limit: usize,
    },
    #[error("there is no room to write {}: free some space on that disk, and writing goes on", file.display())]
    Full { file: PathBuf, source: Arc<io::Error> },
    /// The disk gave back other bytes than were written. `resume` is the next offset that can be read.
    #[error(
        "{} is damaged at byte {position}: the records from offset {offset} up to, but not with, {resume} can't be read; \
         bring the file back from a backup, or go on without them", file.display()
    )]
    Corrupt {
        file: PathBuf,
        position: u64,
        offset: u64,
        resume: u64,
    },
    #[error("{} is in use by another process{}: stop it, or choose another folder", folder.display(), holder(*pid))]
    InUse { folder: PathBuf, pid: Option<u32> },
    #[error("an event log's URL begins with file:// or kafka://")]
    UnknownUrl,
    #[error("in the event log's URL, {name} {problem}")]
    Setting { name: String, problem: String },
    #[error("the settings of Kafka's client don't work: {reason}")]
    Client { reason: String },
    #[error("Kafka refuses: {reason}")]
    Refused { reason: String },
    #[error("Kafka is not reached: {reason}")]
    Unreachable { reason: String },
    #[error("the log is closed")]
    Closed,
    #[error("{}: {source}", file.display())]
    Io { file: PathBuf, source: Arc<io::Error> },
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (number {pid})")).unwrap_or_default()
}

impl LogError {
    pub(crate) fn io(file: impl Into<PathBuf>, source: io::Error) -> Self {
        let (file, source) = (file.into(), Arc::new(source));
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full { file, source }
            }
            _ => Self::Io { file, source },
        }
    }

    /// The caller may try the same again later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Io { .. } | Self::Unreachable { .. })
    }

    /// A word for metrics.
    fn kind(&self) -> &'static str {
        match self {
            Self::UnknownPartition { .. } => "unknown_partition",
            Self::OffsetOutOfRange { .. } => "offset_out_of_range",
            Self::TooLarge { .. } => "too_large",
            Self::Full { .. } => "full",
            Self::Corrupt { .. } => "corrupt",
            Self::InUse { .. } => "in_use",
            Self::UnknownUrl | Self::Setting { .. } | Self::Client { .. } => "settings",
            Self::Refused { .. } => "refused",
            Self::Unreachable { .. } => "unreachable",
            Self::Closed => "closed",
            Self::Io { .. } => "io",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn keys_fall_into_the_partitions_that_kafka_gives_them() {
        for (key, expected) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, expected, "{key}");
        }
        assert_eq!(partition_for(b"anything", 1), 0);
    }

    #[tokio::test]
    async fn a_url_that_means_no_log_is_refused() {
        for (url, said) in [
            ("kafka://", "HOST:PORT"),
            ("kafka://localhost:9092?topics=3", "topics"),
            ("./log", "file://"),
            ("", "file://"),
        ] {
            let error = open(url, LogOptions::default()).await.unwrap_err();
            assert!(error.to_string().contains(said), "{url}: {error}");
        }
    }
}
