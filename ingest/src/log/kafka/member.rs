//! Membership in a consumer group. It reads nothing: all that it wants from the group is who has which partition.

use super::trouble::{Trouble, client};
use crate::{
    LogError,
    log::{Membership, Partitions},
};
use async_trait::async_trait;
use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance},
    error::{KafkaError, KafkaResult},
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::sync::{oneshot, watch};

/// The thread looks at least this often whether it is to leave.
const POLL: Duration = Duration::from_millis(50);
/// Between attempts, should the client have failed for good.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Member {
    group: Group,
    stop: Arc<AtomicBool>,
    current: Arc<Mutex<Option<Arc<GroupConsumer>>>>,
    left: Option<oneshot::Receiver<()>>,
}

type GroupConsumer = BaseConsumer<Group>;

#[derive(Clone)]
struct Group {
    trouble: Trouble,
    /// Kafka's names of topics, and those that the program knows.
    topics: Arc<HashMap<String, String>>,
    assigned: watch::Sender<Arc<Partitions>>,
}

impl Member {
    pub(super) fn join(
        config: ClientConfig,
        topics: HashMap<String, String>,
        trouble: Trouble,
    ) -> Result<Self, LogError> {
        let group = Group {
            trouble,
            topics: Arc::new(topics),
            assigned: watch::Sender::default(),
        };
        let consumer = group.consumer(&config)?;
        let current = Arc::new(Mutex::new(Some(consumer)));
        let stop = Arc::<AtomicBool>::default();
        let (leaving, left) = oneshot::channel();
        let belong = {
            let (group, current, stop) = (group.clone(), Arc::clone(&current), Arc::clone(&stop));
            move || {
                group.belong(&config, &current, &stop);
                let _ = leaving.send(());
            }
        };
        let thread = thread::Builder::new().name("kafka group".to_owned()).spawn(belong);
        thread.map_err(|error| LogError::Client {
            reason: error.to_string(),
        })?;
        Ok(Self {
            group,
            stop,
            current,
            left: Some(left),
        })
    }
}

#[async_trait]
impl Membership for Member {
    fn assigned(&self) -> watch::Receiver<Arc<Partitions>> {
        self.group.assigned.subscribe()
    }

    async fn record(&self, next: &[(String, u32, u64)]) {
        let consumer = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(consumer) = consumer else { return };
        let list = self.group.offsets(next);
        let commit = list.and_then(|list| match list.count() {
            0 => Ok(()),
            _ => consumer.commit(&list, CommitMode::Async),
        });
        if let Err(error) = commit {
            tracing::debug!(%error, "the group was not told how far its partitions are");
        }
    }

    async fn leave(mut self: Box<Self>) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(left) = self.left.take() {
            let _ = left.await;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Group {
    fn consumer(&self, config: &ClientConfig) -> Result<Arc<GroupConsumer>, LogError> {
        let consumer: KafkaResult<GroupConsumer> = config.create_with_context(self.clone());
        let consumer = consumer.map_err(|error| client(&error))?;
        let topics: Vec<&str> = self.topics.keys().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(|error| client(&error))?;
        Ok(Arc::new(consumer))
    }

    /// Is a member until told to stop, and then leaves.
    fn belong(&self, config: &ClientConfig, current: &Mutex<Option<Arc<GroupConsumer>>>, stop: &AtomicBool) {
        let set = |consumer| *current.lock().unwrap_or_else(PoisonError::into_inner) = consumer;
        let mut consumer = current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        while !stop.load(Ordering::Relaxed) {
            let Some(joined) = &consumer else {
                thread::sleep(PAUSE);
                consumer = self.consumer(config).ok();
                set(consumer.clone());
                continue;
            };
            // Records that came before the pause are dropped.
            if let Some(Err(KafkaError::MessageConsumptionFatal(code))) = joined.poll(POLL) {
                tracing::error!(%code, "the membership in the group has failed; it is begun anew");
                self.publish(|assigned| assigned.clear());
                set(None);
                consumer = None;
            }
        }
        self.publish(|assigned| assigned.clear());
        set(None);
        // The end of the last reference leaves the group.
        drop(consumer);
    }

    fn publish(&self, change: impl FnOnce(&mut Partitions)) {
        self.assigned.send_if_modified(|assigned| {
            let mut partitions = Partitions::clone(assigned);
            change(&mut partitions);
            let changed = partitions != **assigned;
            *assigned = Arc::new(partitions);
            changed
        });
    }

    fn known(&self, list: &TopicPartitionList) -> Vec<(String, u32)> {
        let elements = list.elements();
        let known = elements.iter().filter_map(|element| {
            let topic = self.topics.get(element.topic())?;
            Some((topic.clone(), u32::try_from(element.partition()).ok()?))
        });
        known.collect()
    }

    /// Offsets to commit, of the partitions that are this member's.
    fn offsets(&self, next: &[(String, u32, u64)]) -> KafkaResult<TopicPartitionList> {
        let assigned = Arc::clone(&self.assigned.borrow());
        let mut list = TopicPartitionList::new();
        for (topic, partition, next) in next {
            let physical = self.topics.iter().find(|(_, known)| *known == topic);
            let ours = assigned.contains(&(topic.clone(), *partition));
            if let Some((physical, _)) = physical.filter(|_| ours) {
                let offset = Offset::Offset(i64::try_from(*next).unwrap_or(i64::MAX));
                list.add_partition_offset(physical, partition.cast_signed(), offset)?;
            }
        }
        Ok(list)
    }
}

impl ClientContext for Group {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.trouble.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.trouble.error(error, reason);
    }
}

impl ConsumerContext for Group {
    /// What is taken away is known before another member can have it.
    fn pre_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            let revoked = self.known(list);
            tracing::info!(partitions = revoked.len(), "the group takes partitions away");
            self.publish(|assigned| revoked.iter().for_each(|partition| _ = assigned.remove(partition)));
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            if let Err(error) = consumer.pause(list) {
                tracing::debug!(%error, "what the group gave can't be paused");
            }
            let given = self.known(list);
            tracing::info!(partitions = given.len(), "the group gives partitions");
            self.publish(|assigned| assigned.extend(given));
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "the group was not told how far its partitions are");
        }
    }
}
