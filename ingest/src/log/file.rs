//! The embedded event log: one folder a partition, in it segments, in them frames.
//!
//! Why our own: of the embedded logs in the registry none that is still kept promises all that [`EventLog`] does (durable
//! when answered, atomic appends, a tail that is cut and reported after a crash, retention below a floor), and a
//! general key-value store would write every record twice. This is all there is to it:
//!
//! ```text
//! FOLDER/LOCK                              held while the log is open
//! FOLDER/changes/0/00000000000000000000.log   a segment, named by its first offset
//! ```
//!
//! One thread a partition writes. It puts all appends that wait into one frame, and so one write and one fdatasync
//! (see `frame`). Only the last frame of the last segment can be torn by a crash, since a frame is begun when the one
//! before it is durable. Age, for retention, is the file's time of modification.

use super::{
    EventLog, LogError, LogOptions, Membership, Retention, check_size, frame, measured,
    membership::Alone,
    partition::{Partition, sync_folder},
    writer::{Append, Writer},
};
use crate::{LogRecord, Record};
use async_trait::async_trait;
use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// Appends that wait for a partition's writer hold at most this much memory; more wait for room.
const QUEUE_BYTES: usize = 64 << 20;
const QUEUE_LENGTH: usize = 4096;
/// One permit of the queue's room.
const ROOM: usize = 4096;

#[derive(Debug)]
pub struct FileLog {
    topics: HashMap<String, Topic>,
    retention: Retention,
    recovered: Vec<Recovered>,
    writers: Mutex<Vec<JoinHandle<()>>>,
}

/// A torn tail that was cut when the log was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    pub file: PathBuf,
    /// The offset that the next record gets.
    pub next_offset: u64,
    pub cut_bytes: u64,
}

#[derive(Debug)]
struct Topic {
    partitions: Vec<Door>,
    appended: watch::Sender<u64>,
}

/// A partition and the way to its writer, which is gone when the log is closed.
#[derive(Debug)]
struct Door {
    partition: Arc<Partition>,
    writer: Mutex<Option<mpsc::Sender<Append>>>,
    room: Arc<Semaphore>,
}

impl FileLog {
    /// Opens or creates the log in a folder, for this process alone.
    pub async fn open(folder: impl Into<PathBuf>, options: LogOptions) -> Result<Self, LogError> {
        let folder = folder.into();
        blocking(move || Self::open_blocking(&folder, &options)).await
    }

    /// What was cut when the log was opened.
    pub fn recovered(&self) -> &[Recovered] {
        &self.recovered
    }

    fn open_blocking(folder: &Path, options: &LogOptions) -> Result<Self, LogError> {
        fs::create_dir_all(folder).map_err(|error| LogError::io(folder, error))?;
        let lock = Arc::new(lock(folder)?);
        let mut log = Self {
            topics: HashMap::new(),
            retention: options.retention,
            recovered: Vec::new(),
            writers: Mutex::default(),
        };
        for (topic, wanted) in &options.topics {
            let opened = log.open_topic(folder, topic, *wanted, options.segment_bytes, &lock)?;
            log.topics.insert(topic.clone(), opened);
        }
        Ok(log)
    }

    fn open_topic(
        &mut self,
        folder: &Path,
        topic: &str,
        wanted: u32,
        segment_bytes: u64,
        lock: &Arc<File>,
    ) -> Result<Topic, LogError> {
        let (appended, _) = watch::channel(0);
        let mut partitions = Vec::new();
        for number in 0..partition_count(folder, topic, wanted)? {
            let home = folder.join(topic).join(number.to_string());
            let (partition, recovered) = Partition::open(topic, number, home)?;
            if let Some(found) = recovered {
                tracing::warn!(
                    file = %found.file.display(),
                    next_offset = found.next_offset,
                    cut_bytes = found.cut_bytes,
                    "cut the end of a log file: the last write was not finished when the process or the machine stopped"
                );
                self.recovered.push(found);
            }
            let partition = Arc::new(partition);
            let writer = Writer::open(partition.clone(), appended.clone(), segment_bytes)?;
            let (sender, arriving) = mpsc::channel(QUEUE_LENGTH);
            let lock = lock.clone();
            let thread = thread::Builder::new()
                .name(format!("log {topic}/{number}"))
                .spawn(move || {
                    writer.run(arriving);
                    drop(lock);
                });
            let thread = thread.map_err(|error| LogError::io(folder, error))?;
            self.writers
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner)
                .push(thread);
            partitions.push(Door {
                partition,
                writer: Mutex::new(Some(sender)),
                room: Arc::new(Semaphore::new(QUEUE_BYTES / ROOM)),
            });
        }
        Ok(Topic { partitions, appended })
    }

    fn topic(&self, topic: &str) -> Result<&Topic, LogError> {
        self.topics.get(topic).ok_or_else(|| unknown(topic, 0))
    }

    fn door(&self, topic: &str, partition: u32) -> Result<&Door, LogError> {
        let door = self.topic(topic)?.partitions.get(partition as usize);
        door.ok_or_else(|| unknown(topic, partition))
    }

    async fn with<T: Send + 'static>(
        &self,
        topic: &str,
        partition: u32,
        look: impl FnOnce(&Partition) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let door = self.door(topic, partition)?;
        door.sender()?;
        let partition = door.partition.clone();
        blocking(move || look(&partition)).await
    }
}

impl Door {
    fn sender(&self) -> Result<mpsc::Sender<Append>, LogError> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.clone().ok_or(LogError::Closed)
    }

    async fn append(&self, records: &[Record]) -> Result<u64, LogError> {
        let sender = self.sender()?;
        let size = check_size(records)?;
        let permits = size.div_ceil(ROOM) as u32;
        let room = self.room.clone().acquire_many_owned(permits).await;
        let mut body = Vec::with_capacity(size);
        for record in records {
            frame::encode(record, &mut body);
        }
        let (answer, answered) = oneshot::channel();
        let append = Append {
            body,
            count: records.len() as u32,
            answer,
            _room: room.map_err(|_| LogError::Closed)?,
        };
        sender.send(append).await.map_err(|_| LogError::Closed)?;
        drop(sender);
        answered.await.unwrap_or(Err(LogError::Closed))
    }
}

#[async_trait]
impl EventLog for FileLog {
    fn partitions(&self, topic: &str) -> Result<u32, LogError> {
        Ok(self.topic(topic)?.partitions.len() as u32)
    }

    async fn append(&self, topic: &str, partition: u32, records: Vec<Record>) -> Result<u64, LogError> {
        let door = self.door(topic, partition)?;
        if records.is_empty() {
            return door.sender().map(|_| door.partition.end());
        }
        measured(topic, records.len(), door.append(&records)).await
    }

    async fn read(&self, topic: &str, partition: u32, from: u64, max_bytes: usize) -> Result<Vec<LogRecord>, LogError> {
        let door = self.door(topic, partition)?;
        if from == door.partition.end() {
            return door.sender().map(|_| Vec::new());
        }
        self.with(topic, partition, move |partition| partition.read(from, max_bytes))
            .await
    }

    async fn start_offset(&self, topic: &str, partition: u32) -> Result<u64, LogError> {
        Ok(self.door(topic, partition)?.partition.start())
    }

    async fn end_offset(&self, topic: &str, partition: u32) -> Result<u64, LogError> {
        Ok(self.door(topic, partition)?.partition.end())
    }

    async fn last(&self, topic: &str, partition: u32) -> Result<Option<LogRecord>, LogError> {
        self.with(topic, partition, Partition::last).await
    }

    fn appended(&self, topic: &str) -> Result<watch::Receiver<u64>, LogError> {
        Ok(self.topic(topic)?.appended.subscribe())
    }

    async fn retain(&self, topic: &str, partition: u32, floor: u64) -> Result<u64, LogError> {
        let keep = self.retention;
        self.with(topic, partition, move |partition| partition.retain(floor, keep))
            .await
    }

    async fn join(&self, _group: &str) -> Result<Box<dyn Membership>, LogError> {
        for door in self.topics.values().flat_map(|topic| &topic.partitions) {
            door.sender()?;
        }
        let topics = self.topics.iter();
        let all =
            topics.flat_map(|(name, topic)| (0..topic.partitions.len() as u32).map(|number| (name.clone(), number)));
        Ok(Box::new(Alone::with(all.collect())))
    }

    async fn close(&self) {
        for door in self.topics.values().flat_map(|topic| &topic.partitions) {
            door.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        let writers = std::mem::take(&mut *self.writers.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = blocking(move || {
            for writer in writers {
                if writer.join().is_err() {
                    tracing::error!("a writer of the log panicked");
                }
            }
            Ok(())
        })
        .await;
    }
}

/// How many partitions the topic has; it is created if it isn't there, all of it or nothing.
fn partition_count(folder: &Path, topic: &str, wanted: u32) -> Result<u32, LogError> {
    let home = folder.join(topic);
    if home.is_dir() {
        let found = (0..)
            .take_while(|number: &u32| home.join(number.to_string()).is_dir())
            .count() as u32;
        if found != wanted {
            tracing::warn!(
                topic,
                found,
                wanted,
                "the topic keeps the number of partitions it was created with"
            );
        }
        return Ok(found);
    }
    let new = folder.join(format!("{topic}.new"));
    for number in 0..wanted {
        let path = new.join(number.to_string());
        fs::create_dir_all(&path).map_err(|error| LogError::io(path, error))?;
    }
    sync_folder(&new)?;
    fs::rename(&new, &home).map_err(|error| LogError::io(&home, error))?;
    sync_folder(folder)?;
    Ok(wanted)
}

/// Takes the folder for this process. The lock goes with the process, however it ends.
fn lock(folder: &Path) -> Result<File, LogError> {
    let path = folder.join("LOCK");
    let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let mut file = open.map_err(|error| LogError::io(&path, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
            return Err(LogError::InUse {
                folder: folder.to_owned(),
                pid,
            });
        }
        Err(TryLockError::Error(error)) => return Err(LogError::io(path, error)),
    }
    // Only for the message above, so that it may fail.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

fn unknown(topic: &str, partition: u32) -> LogError {
    LogError::UnknownPartition {
        topic: topic.to_owned(),
        partition,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(LogError::Closed))
}

#[cfg(test)]
mod tests;
