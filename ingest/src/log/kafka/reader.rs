//! Reads. One consumer fetches the partitions that are being read, each into a queue of its own; a read takes what has
//! come. It fetches ahead up to a limit. A partition that has records waiting and is not read is paused, which lets go
//! of them, and is resumed where the next read asks for it.

use super::{
    Partition,
    message::record_of,
    settings::Settings,
    trouble::{Trouble, client},
};
use crate::{LogError, LogRecord};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, base_consumer::PartitionQueue},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
};
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::{sync::OwnedMutexGuard, time::timeout_at};

/// How long Kafka may take to say where a partition begins and ends.
const ASK_TIME: Duration = Duration::from_secs(5);
/// How long a read waits for a record that it knows to be there.
const FETCH_TIME: Duration = Duration::from_secs(2);
/// A partition whose records wait for longer than this is paused.
const PAUSE_AFTER: Duration = Duration::from_secs(1);
/// Bytes that are taken at once from a queue; more are taken on another thread.
const INLINE_BYTES: usize = 64 << 10;

pub(super) struct Reader {
    consumer: Arc<BaseConsumer<Trouble>>,
    trouble: Trouble,
    stop: Arc<AtomicBool>,
}

/// Where a partition is being read.
#[derive(Default)]
pub(super) struct Cursor {
    queue: Option<PartitionQueue<Trouble>>,
    /// The offset after the last record taken; none if the queue has to be positioned before it is read.
    next: Option<u64>,
    paused: bool,
    read_at: Option<Instant>,
}

/// Why nothing was taken.
enum Stop {
    Empty,
    Full,
    Error(KafkaError),
}

impl Reader {
    pub(super) fn new(settings: &Settings, trouble: &Trouble) -> Result<Self, LogError> {
        let consumer = settings.reader().create_with_context(trouble.clone());
        Ok(Self {
            consumer: Arc::new(consumer.map_err(|error| client(&error))?),
            trouble: trouble.clone(),
            stop: Arc::default(),
        })
    }

    /// Serves the consumer's own events for as long as the reader is there.
    pub(super) fn serve(&self, partitions: Vec<Arc<Partition>>) -> Result<(), LogError> {
        let (consumer, stop) = (Arc::clone(&self.consumer), Arc::clone(&self.stop));
        let serve = move || {
            while !stop.load(Ordering::Relaxed) {
                // Records come through queues of their own. One that doesn't would be missing there.
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                    let mut all = partitions.iter();
                    let of = all.find(|known| known.physical == message.topic() && known.number == message.partition());
                    if let Some(partition) = of {
                        partition.strayed.store(true, Ordering::Release);
                    }
                }
                partitions
                    .iter()
                    .for_each(|partition| pause_unread(&consumer, partition));
            }
        };
        let thread = thread::Builder::new().name("kafka reader".to_owned()).spawn(serve);
        thread.map_err(|error| LogError::Client {
            reason: error.to_string(),
        })?;
        Ok(())
    }

    pub(super) fn consumer(&self) -> &Arc<BaseConsumer<Trouble>> {
        &self.consumer
    }

    /// The first offset that is kept, and the one that the next record will get.
    pub(super) async fn bounds(&self, partition: &Arc<Partition>) -> Result<(u64, u64), LogError> {
        let (consumer, partition) = (Arc::clone(&self.consumer), Arc::clone(partition));
        let asked = blocking(move || bounds(&consumer, &partition)).await?;
        asked.map_err(|error| self.trouble.explain("asking where a partition ends", &error))
    }

    pub(super) async fn read(
        &self,
        partition: &Arc<Partition>,
        from: u64,
        max_bytes: usize,
    ) -> Result<Vec<LogRecord>, LogError> {
        let deadline = tokio::time::Instant::now() + FETCH_TIME;
        let mut cursor = Arc::clone(&partition.cursor).lock_owned().await;
        loop {
            let strayed = partition.strayed.swap(false, Ordering::AcqRel);
            if cursor.next != Some(from) || cursor.paused || strayed {
                cursor = self.position(cursor, partition, from).await?;
            }
            let mut records = Vec::new();
            let mut stop = cursor.take(partition, &mut records, max_bytes.min(INLINE_BYTES));
            if matches!(stop, Stop::Full) && max_bytes > INLINE_BYTES {
                let partition = Arc::clone(partition);
                let rest = move || {
                    let stop = cursor.take(&partition, &mut records, max_bytes - INLINE_BYTES);
                    (cursor, records, stop)
                };
                (cursor, records, stop) = blocking(rest).await?;
            }
            match stop {
                Stop::Error(error) if records.is_empty() => {
                    // Positioning says what is wrong with the offset, should that be it.
                    let about_offset = matches!(
                        error.rdkafka_error_code(),
                        Some(Code::AutoOffsetReset | Code::OffsetOutOfRange)
                    );
                    if !about_offset || tokio::time::Instant::now() >= deadline {
                        return Err(self.trouble.explain("reading", &error));
                    }
                    continue;
                }
                _ if !records.is_empty() => return Ok(records),
                _ if from >= partition.end.load(Ordering::Acquire) => return Ok(records),
                _ => {}
            }
            if timeout_at(deadline, partition.arrived.notified()).await.is_err() {
                // What was there may be gone, or be no record; or nobody answers.
                drop(cursor);
                let (start, _) = self.bounds(partition).await?;
                return if from < start {
                    Err(partition.out_of_range(from, start))
                } else {
                    Ok(Vec::new())
                };
            }
        }
    }

    /// Has a queue go on at an offset.
    async fn position(
        &self,
        mut cursor: OwnedMutexGuard<Cursor>,
        partition: &Arc<Partition>,
        from: u64,
    ) -> Result<OwnedMutexGuard<Cursor>, LogError> {
        let (consumer, partition) = (Arc::clone(&self.consumer), Arc::clone(partition));
        let trouble = self.trouble.clone();
        let position = move || {
            let explain = |error| trouble.explain("beginning to read", &error);
            let (start, _) = bounds(&consumer, &partition).map_err(explain)?;
            if from < start || from > partition.end.load(Ordering::Acquire) {
                return Err(partition.out_of_range(from, start));
            }
            cursor.position(&consumer, &partition, from).map_err(explain)?;
            trouble.over();
            Ok(cursor)
        };
        blocking(position).await?
    }

    /// Lets go of everything. The thread that serves ends the consumer.
    pub(super) fn close(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.close();
    }
}

impl Cursor {
    #[cfg(test)]
    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    fn position(
        &mut self,
        consumer: &Arc<BaseConsumer<Trouble>>,
        partition: &Arc<Partition>,
        from: u64,
    ) -> KafkaResult<()> {
        let at = at(partition, Offset::Offset(i64::try_from(from).unwrap_or(i64::MAX)))?;
        self.next = None;
        if self.paused {
            consumer.resume(&at)?;
            self.paused = false;
        }
        if self.queue.is_some() {
            let sought = consumer.seek_partitions(at.clone(), ASK_TIME)?;
            if sought.elements().iter().all(|element| element.error().is_ok()) {
                self.next = Some(from);
                return Ok(());
            }
            // After an error the partition isn't fetched any more: it is taken up anew.
            consumer.incremental_unassign(&at)?;
        }
        // The queue is split off first, so that no record goes elsewhere.
        let queue = consumer.split_partition_queue(&partition.physical, partition.number);
        let mut queue = queue.ok_or(KafkaError::MessageConsumption(Code::UnknownPartition))?;
        queue.set_nonempty_callback({
            let partition: Weak<Partition> = Arc::downgrade(partition);
            move || {
                if let Some(partition) = partition.upgrade() {
                    partition.waiting.store(true, Ordering::Release);
                    partition.wake();
                }
            }
        });
        consumer.incremental_assign(&at)?;
        self.queue = Some(queue);
        self.next = Some(from);
        Ok(())
    }

    /// Takes what the queue has, up to about so many bytes.
    fn take(&mut self, partition: &Partition, records: &mut Vec<LogRecord>, max_bytes: usize) -> Stop {
        self.read_at = Some(Instant::now());
        let (Some(queue), Some(mut next)) = (&self.queue, self.next) else {
            return Stop::Empty;
        };
        partition.waiting.store(false, Ordering::Release);
        let mut bytes = 0;
        let stop = loop {
            if bytes >= max_bytes.max(1) {
                // There may be more, and nobody will say so again.
                partition.waiting.store(true, Ordering::Release);
                break Stop::Full;
            }
            let record = match queue.poll(Duration::ZERO) {
                None => break Stop::Empty,
                Some(Err(error)) => break Stop::Error(error),
                Some(Ok(message)) => record_of(&message),
            };
            if record.offset < next {
                continue;
            }
            next = record.offset + 1;
            bytes += record.record.size().max(1);
            records.push(record);
        };
        // After an error nothing more would come.
        self.next = (!matches!(stop, Stop::Error(_))).then_some(next);
        partition.end.fetch_max(next, Ordering::AcqRel);
        stop
    }
}

fn pause_unread(consumer: &BaseConsumer<Trouble>, partition: &Partition) {
    if !partition.waiting.load(Ordering::Acquire) {
        return;
    }
    // A partition that is being read needs no pause.
    let Ok(mut cursor) = partition.cursor.try_lock() else {
        return;
    };
    let unread = cursor.read_at.is_some_and(|at| at.elapsed() > PAUSE_AFTER);
    if cursor.paused || cursor.queue.is_none() || !unread {
        return;
    }
    let paused = at(partition, Offset::Invalid).and_then(|at| consumer.pause(&at));
    match paused {
        Ok(()) => cursor.paused = true,
        Err(error) => tracing::debug!(%error, "a partition can't be paused"),
    }
}

fn at(partition: &Partition, offset: Offset) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&partition.physical, partition.number, offset)?;
    Ok(list)
}

fn bounds(consumer: &BaseConsumer<Trouble>, partition: &Partition) -> KafkaResult<(u64, u64)> {
    let (start, end) = consumer.fetch_watermarks(&partition.physical, partition.number, ASK_TIME)?;
    let (start, end) = (u64::try_from(start).unwrap_or(0), u64::try_from(end).unwrap_or(0));
    partition.end.fetch_max(end, Ordering::AcqRel);
    Ok((start, end))
}

pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LogError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| LogError::Closed)
}
