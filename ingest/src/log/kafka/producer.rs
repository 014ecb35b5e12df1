//! Appends. The records of one append are sent together, and once one of them has failed, its producer sends nothing
//! any more: whatever came behind it could arrive without it. So a failed append leaves a prefix of its records, and
//! the next one begins with a new producer.

use super::{
    Partition,
    message::headers_of,
    trouble::{Trouble, client},
};
use crate::{LogError, Record};
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::{DeliveryResult, Message},
    producer::{BaseRecord, Producer, ProducerContext, PurgeConfig, ThreadedProducer},
};
use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::timeout,
};

/// Appends under way hold at most this much memory; more wait for room.
const QUEUE_BYTES: usize = 64 << 20;
/// One permit of the queue's room.
const ROOM: usize = 4096;
/// More records than this are handed over on another thread, since each is copied.
const INLINE: usize = 64;

pub(super) struct Appender {
    config: ClientConfig,
    trouble: Trouble,
    current: Mutex<Option<Arc<Generation>>>,
    room: Arc<Semaphore>,
    time: Duration,
}

/// A producer, and whether it may still be given records.
struct Generation {
    producer: ThreadedProducer<Deliveries>,
    retired: RwLock<bool>,
}

struct Deliveries(Trouble);

/// An append under way.
struct Pending {
    left: AtomicUsize,
    first: AtomicU64,
    error: Mutex<Option<KafkaError>>,
    done: Mutex<Option<oneshot::Sender<()>>>,
    _room: OwnedSemaphorePermit,
}

impl Appender {
    pub(super) fn new(config: ClientConfig, trouble: Trouble, time: Duration) -> Result<Self, LogError> {
        let appender = Self {
            config,
            trouble,
            current: Mutex::default(),
            room: Arc::new(Semaphore::new(QUEUE_BYTES / ROOM)),
            time,
        };
        appender.generation()?;
        Ok(appender)
    }

    /// The offset of the first record, when all are written.
    pub(super) async fn append(
        &self,
        partition: &Arc<Partition>,
        records: Vec<Record>,
        bytes: usize,
    ) -> Result<u64, LogError> {
        let mut used = Weak::new();
        let append = self.append_all(partition, records, bytes, &mut used);
        let result = match timeout(self.time, append).await {
            Ok(result) => result,
            Err(_) => Err(self.trouble.out_of_time("an append")),
        };
        if result.is_err() {
            self.retire(&used);
        }
        result
    }

    async fn append_all(
        &self,
        partition: &Arc<Partition>,
        records: Vec<Record>,
        bytes: usize,
        used: &mut Weak<Generation>,
    ) -> Result<u64, LogError> {
        let permits = bytes.div_ceil(ROOM).max(1) as u32;
        let room = Arc::clone(&self.room).acquire_many_owned(permits).await;
        let (done, is_done) = oneshot::channel();
        let pending = Arc::new(Pending {
            left: AtomicUsize::new(records.len()),
            first: AtomicU64::new(u64::MAX),
            error: Mutex::default(),
            done: Mutex::new(Some(done)),
            _room: room.map_err(|_| LogError::Closed)?,
        });
        let generation = self.generation()?;
        *used = Arc::downgrade(&generation);
        let sent = (Arc::clone(partition), Arc::clone(&pending));
        let send = move || generation.send(&sent.0, &records, &sent.1);
        if pending.left.load(Ordering::Relaxed) > INLINE {
            tokio::task::spawn_blocking(send).await.map_err(|_| LogError::Closed)?;
        } else {
            send();
        }
        is_done.await.map_err(|_| LogError::Closed)?;
        let error = pending.error.lock().unwrap_or_else(PoisonError::into_inner).take();
        match error {
            Some(error) => Err(self.trouble.explain("an append", &error)),
            None => Ok(pending.first.load(Ordering::Acquire)),
        }
    }

    fn generation(&self) -> Result<Arc<Generation>, LogError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if self.room.is_closed() {
            return Err(LogError::Closed);
        }
        if let Some(generation) = &*current {
            return Ok(Arc::clone(generation));
        }
        let deliveries = Deliveries(self.trouble.clone());
        let producer = self.config.create_with_context(deliveries);
        let generation = Arc::new(Generation {
            producer: producer.map_err(|error| client(&error))?,
            retired: RwLock::new(false),
        });
        *current = Some(Arc::clone(&generation));
        Ok(generation)
    }

    /// Takes back what a producer has not sent, of all appends, and has the next append begin with a new one.
    fn retire(&self, used: &Weak<Generation>) {
        let Some(generation) = used.upgrade() else { return };
        *generation.retired.write().unwrap_or_else(PoisonError::into_inner) = true;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, &generation))
        {
            current.take();
        }
        drop(current);
        // Ending a producer waits for its threads.
        thread::spawn(move || generation.producer.purge(PurgeConfig::default().queue().inflight()));
    }

    /// Waits for the appends under way, within their time.
    pub(super) async fn close(&self) {
        self.room.close();
        let generation = self.current.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(generation) = generation else { return };
        let time = self.time;
        let flush = move || {
            if let Err(error) = generation.producer.flush(time) {
                tracing::warn!(%error, "some appends were not confirmed before the log was closed");
            }
        };
        let _ = tokio::task::spawn_blocking(flush).await;
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        let generation = self.current.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(generation) = generation {
            thread::spawn(move || drop(generation));
        }
    }
}

impl Generation {
    /// Hands all records over, or a prefix and says so.
    fn send(&self, partition: &Partition, records: &[Record], pending: &Arc<Pending>) {
        // Appends don't mix.
        let _order = partition.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let retired = self.retired.read().unwrap_or_else(PoisonError::into_inner);
        if *retired {
            pending.fail(KafkaError::MessageProduction(Code::PurgeQueue), records.len());
            return;
        }
        for (sent, record) in records.iter().enumerate() {
            let message = BaseRecord {
                topic: &partition.physical,
                partition: Some(partition.number),
                payload: Some(&record.value[..]),
                key: Some(&record.key[..]).filter(|key| !key.is_empty()),
                timestamp: None,
                headers: headers_of(record),
                delivery_opaque: Arc::clone(pending),
            };
            if let Err((error, _)) = self.producer.send(message) {
                pending.fail(error, records.len() - sent);
                return;
            }
        }
    }
}

impl Pending {
    /// The first error is the answer: those after it follow from it, and may take their time.
    fn fail(&self, error: KafkaError, count: usize) {
        self.error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
        self.left.fetch_sub(count, Ordering::AcqRel);
        self.answer();
    }

    fn finish(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.answer();
        }
    }

    fn answer(&self) {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The caller may have gone.
        let _ = done.map(|done| done.send(()));
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Pending>;

    fn delivery(&self, result: &DeliveryResult<'_>, pending: Arc<Pending>) {
        match result {
            Ok(message) => {
                let offset = u64::try_from(message.offset()).unwrap_or(u64::MAX);
                pending.first.fetch_min(offset, Ordering::AcqRel);
                self.0.over();
                pending.finish();
            }
            Err((error, _)) => pending.fail(error.clone(), 1),
        }
    }
}
