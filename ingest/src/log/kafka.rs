//! Apache Kafka as the event log.
//!
//! A topic's name is the prefix of the URL and the name that the program knows; topics that are missing are created. A
//! record is a message with its key, its headers and its value, and stands in the partition that this program chose.
//! Its age, for retention, is Kafka's to know, and so is the rest of retention.
//!
//! Several processes append and read. The records of one append are in order and at most a prefix of them is written
//! should it fail, but those of other processes may stand between them.

mod member;
mod message;
mod producer;
mod reader;
mod settings;
mod topics;
mod trouble;

use super::{EventLog, LogError, LogOptions, Membership, check_size, measured};
use crate::{LogRecord, Record};
use async_trait::async_trait;
use member::Member;
use producer::Appender;
use reader::{Cursor, Reader, blocking};
use settings::Settings;
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, watch};
use trouble::Trouble;

/// A program that starts together with Kafka waits so long for it.
const OPEN_TIME: Duration = Duration::from_secs(30);
/// Who appends is answered after this time, however it went.
const APPEND_TIME: Duration = Duration::from_secs(15);

pub struct KafkaLog {
    settings: Settings,
    topics: HashMap<String, Topic>,
    appender: Appender,
    reader: Reader,
    trouble: Trouble,
    closed: AtomicBool,
}

struct Topic {
    partitions: Vec<Arc<Partition>>,
    appended: watch::Sender<u64>,
}

/// What appends and reads of one partition share.
struct Partition {
    topic: String,
    /// The topic's name in Kafka.
    physical: String,
    number: i32,
    appended: watch::Sender<u64>,
    /// The highest end that is known, by an append, a read or an answer of Kafka.
    end: AtomicU64,
    /// Held while the records of an append are handed over.
    sending: Mutex<()>,
    cursor: Arc<tokio::sync::Mutex<Cursor>>,
    /// Fetched records wait for a read.
    waiting: AtomicBool,
    arrived: Notify,
    /// A record came by another way than the partition's queue.
    strayed: AtomicBool,
}

impl KafkaLog {
    /// Opens the log that `kafka://` and this name; topics that are missing are created.
    pub async fn open(rest: &str, options: LogOptions) -> Result<Self, LogError> {
        Self::open_within(rest, options, OPEN_TIME, APPEND_TIME).await
    }

    async fn open_within(
        rest: &str,
        options: LogOptions,
        open_time: Duration,
        append_time: Duration,
    ) -> Result<Self, LogError> {
        let settings = Settings::parse(rest)?;
        let trouble = Trouble::default();
        let reader = Reader::new(&settings, &trouble)?;
        let appender = Appender::new(settings.producer(), trouble.clone(), append_time)?;
        let counts = topics::ensure(&settings, &options, reader.consumer(), &trouble, open_time).await?;
        let topics = counts.into_iter().map(|(name, count)| {
            let topic = Topic::new(&settings, &name, count);
            (name, topic)
        });
        let topics: HashMap<String, Topic> = topics.collect();
        reader.serve(topics.values().flat_map(|topic| topic.partitions.clone()).collect())?;
        Ok(Self {
            settings,
            topics,
            appender,
            reader,
            trouble,
            closed: AtomicBool::new(false),
        })
    }

    fn topic(&self, topic: &str) -> Result<&Topic, LogError> {
        self.topics.get(topic).ok_or_else(|| unknown(topic, 0))
    }

    /// The partition, while the log is open.
    fn partition(&self, topic: &str, partition: u32) -> Result<&Arc<Partition>, LogError> {
        let found = self.topic(topic)?.partitions.get(partition as usize);
        let found = found.ok_or_else(|| unknown(topic, partition))?;
        match self.closed.load(Ordering::Acquire) {
            true => Err(LogError::Closed),
            false => Ok(found),
        }
    }
}

impl Topic {
    fn new(settings: &Settings, name: &str, count: i32) -> Self {
        let (appended, _) = watch::channel(0);
        let partition = |number| {
            Arc::new(Partition {
                topic: name.to_owned(),
                physical: settings.topic(name),
                number,
                appended: appended.clone(),
                end: AtomicU64::new(0),
                sending: Mutex::default(),
                cursor: Arc::default(),
                waiting: AtomicBool::new(false),
                arrived: Notify::new(),
                strayed: AtomicBool::new(false),
            })
        };
        Self {
            partitions: (0..count).map(partition).collect(),
            appended,
        }
    }
}

impl Partition {
    fn wake(&self) {
        self.arrived.notify_one();
        self.appended.send_modify(|count| *count += 1);
    }

    fn out_of_range(&self, asked: u64, start: u64) -> LogError {
        LogError::OffsetOutOfRange {
            topic: self.topic.clone(),
            partition: self.number.unsigned_abs(),
            asked,
            start,
            end: self.end.load(Ordering::Acquire),
        }
    }
}

#[async_trait]
impl EventLog for KafkaLog {
    fn partitions(&self, topic: &str) -> Result<u32, LogError> {
        Ok(self.topic(topic)?.partitions.len() as u32)
    }

    async fn append(&self, topic: &str, partition: u32, records: Vec<Record>) -> Result<u64, LogError> {
        let partition = self.partition(topic, partition)?;
        if records.is_empty() {
            return Ok(self.reader.bounds(partition).await?.1);
        }
        let count = records.len();
        let append = async {
            let bytes = check_size(&records)?;
            let first = self.appender.append(partition, records, bytes).await?;
            partition.end.fetch_max(first + count as u64, Ordering::AcqRel);
            partition.appended.send_modify(|count| *count += 1);
            Ok(first)
        };
        measured(topic, count, append).await
    }

    async fn read(&self, topic: &str, partition: u32, from: u64, max_bytes: usize) -> Result<Vec<LogRecord>, LogError> {
        let partition = self.partition(topic, partition)?;
        self.reader.read(partition, from, max_bytes).await
    }

    async fn start_offset(&self, topic: &str, partition: u32) -> Result<u64, LogError> {
        let partition = self.partition(topic, partition)?;
        Ok(self.reader.bounds(partition).await?.0)
    }

    async fn end_offset(&self, topic: &str, partition: u32) -> Result<u64, LogError> {
        let partition = self.partition(topic, partition)?;
        Ok(self.reader.bounds(partition).await?.1)
    }

    async fn last(&self, topic: &str, partition: u32) -> Result<Option<LogRecord>, LogError> {
        let partition = self.partition(topic, partition)?;
        let (start, end) = self.reader.bounds(partition).await?;
        // Marks of other clients' transactions stand at offsets too.
        let (mut below, mut step) = (end, 1);
        while below > start {
            let from = below.saturating_sub(step).max(start);
            let (mut at, mut last) = (from, None);
            while at < end {
                let read = self.reader.read(partition, at, usize::MAX).await?;
                let Some(newest) = read.into_iter().next_back() else {
                    break;
                };
                at = newest.offset + 1;
                last = Some(newest);
            }
            if last.is_some() {
                return Ok(last);
            }
            (below, step) = (from, step * 2);
        }
        Ok(None)
    }

    fn appended(&self, topic: &str) -> Result<watch::Receiver<u64>, LogError> {
        Ok(self.topic(topic)?.appended.subscribe())
    }

    /// Kafka lets go by itself, as the topic was told when it was created.
    async fn retain(&self, topic: &str, partition: u32, _floor: u64) -> Result<u64, LogError> {
        self.start_offset(topic, partition).await
    }

    async fn join(&self, group: &str) -> Result<Box<dyn Membership>, LogError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(LogError::Closed);
        }
        let topics = self.topics.keys();
        let topics: HashMap<String, String> = topics.map(|name| (self.settings.topic(name), name.clone())).collect();
        let config = self.settings.member(group);
        Ok(Box::new(Member::join(config, topics, self.trouble.clone())?))
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.appender.close().await;
        self.reader.close();
        let partitions: Vec<_> = self
            .topics
            .values()
            .flat_map(|topic| topic.partitions.clone())
            .collect();
        // Queues hold the consumer, whose end takes a while.
        let _ = blocking(move || {
            for partition in partitions {
                *partition.cursor.blocking_lock() = Cursor::default();
            }
        })
        .await;
    }
}

impl fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topics: HashMap<_, _> = self
            .topics
            .iter()
            .map(|(name, topic)| (name, topic.partitions.len()))
            .collect();
        f.debug_struct("KafkaLog")
            .field("settings", &self.settings)
            .field("topics", &topics)
            .finish_non_exhaustive()
    }
}

fn unknown(topic: &str, partition: u32) -> LogError {
    LogError::UnknownPartition {
        topic: topic.to_owned(),
        partition,
    }
}

#[cfg(test)]
mod tests;
