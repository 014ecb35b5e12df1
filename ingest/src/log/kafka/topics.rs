//! Finds the topics, and creates those that are missing.

use super::{
    reader::blocking,
    settings::{MESSAGE_LIMIT, Settings},
    trouble::{Trouble, client},
};
use crate::{LogError, LogOptions, Retention};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    consumer::{BaseConsumer, Consumer},
    error::RDKafkaErrorCode as Code,
};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

const ASK_TIME: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(100);
const DAY: Duration = Duration::from_secs(24 * 3600);

type Admin = AdminClient<Trouble>;
type Asker = Arc<BaseConsumer<Trouble>>;

/// How many partitions each topic has.
pub(super) async fn ensure(
    settings: &Settings,
    options: &LogOptions,
    consumer: &Asker,
    trouble: &Trouble,
    within: Duration,
) -> Result<Vec<(String, i32)>, LogError> {
    let deadline = Instant::now() + within;
    let admin: Admin = settings
        .admin()
        .create_with_context(trouble.clone())
        .map_err(|error| client(&error))?;
    let mut counts = Vec::new();
    for (name, wanted) in &options.topics {
        let physical = settings.topic(name);
        let wanted = i32::try_from(*wanted).unwrap_or(i32::MAX);
        let count = match count(consumer, &physical, trouble, deadline).await? {
            Some(count) => {
                keeps(&admin, &physical, (count, wanted), options.retention).await;
                count
            }
            None => {
                create(&admin, settings, &physical, wanted, options.retention, trouble).await?;
                created(consumer, &physical, trouble, deadline).await?
            }
        };
        counts.push((name.clone(), count));
    }
    let _ = blocking(move || drop(admin)).await;
    trouble.over();
    Ok(counts)
}

/// How many partitions the topic has, if it is there and all of them can be used.
async fn count(consumer: &Asker, topic: &str, trouble: &Trouble, deadline: Instant) -> Result<Option<i32>, LogError> {
    let mut told = false;
    loop {
        let (asker, asked) = (Arc::clone(consumer), topic.to_owned());
        let error = match blocking(move || ask(&asker, &asked)).await? {
            Ok(Found::Count(count)) => return Ok(Some(count)),
            Ok(Found::Missing) => return Ok(None),
            Ok(Found::Refused(code)) => return Err(trouble.explain_code(&format!("opening topic {topic}"), code)),
            Ok(Found::NotReady) => trouble.out_of_time(&format!("waiting for topic {topic}")),
            Err(error) => trouble.explain("asking for topics", &error),
        };
        if let Some(hopeless) = trouble.hopeless() {
            return Err(hopeless);
        }
        if Instant::now() >= deadline {
            return Err(error);
        }
        if !told {
            tracing::warn!(%error, "waiting for Kafka");
            told = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

enum Found {
    Count(i32),
    Missing,
    /// A partition has no leader at the moment.
    NotReady,
    Refused(Code),
}

fn ask(consumer: &BaseConsumer<Trouble>, topic: &str) -> rdkafka::error::KafkaResult<Found> {
    // Errors of the connection come as events, which someone has to take.
    consumer.poll(Duration::ZERO);
    let metadata = consumer.fetch_metadata(Some(topic), ASK_TIME);
    consumer.poll(Duration::ZERO);
    let metadata = metadata?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Ok(Found::Missing);
    };
    Ok(match found.error().map(Code::from) {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Found::Missing,
        Some(Code::LeaderNotAvailable) => Found::NotReady,
        Some(code) => Found::Refused(code),
        None if found.partitions().is_empty() => Found::Missing,
        None if found.partitions().iter().any(|partition| partition.leader() < 0) => Found::NotReady,
        None => Found::Count(found.partitions().len() as i32),
    })
}

async fn created(consumer: &Asker, topic: &str, trouble: &Trouble, deadline: Instant) -> Result<i32, LogError> {
    // Not every broker knows of it at once.
    while Instant::now() < deadline {
        if let Some(count) = count(consumer, topic, trouble, deadline).await? {
            return Ok(count);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(trouble.out_of_time(&format!("waiting for the new topic {topic}")))
}

async fn create(
    admin: &Admin,
    settings: &Settings,
    topic: &str,
    partitions: i32,
    retention: Retention,
    trouble: &Trouble,
) -> Result<(), LogError> {
    let confirm = if settings.replication >= 3 { "2" } else { "1" };
    let (age, bytes) = limits(retention);
    // Whole files leave, so that a record stays as long as its file is written to and `age` after that.
    let segment = (retention.age / 7).clamp(DAY / 24, DAY).as_millis().to_string();
    let largest = MESSAGE_LIMIT.to_string();
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(settings.replication))
        .set("cleanup.policy", "delete")
        .set("retention.ms", &age)
        .set("retention.bytes", &bytes)
        .set("segment.ms", &segment)
        .set("max.message.bytes", &largest)
        .set("min.insync.replicas", confirm)
        .set("message.timestamp.type", "LogAppendTime");
    let what = format!("creating topic {topic} with replication={}", settings.replication);
    let options = AdminOptions::new()
        .request_timeout(Some(2 * ASK_TIME))
        .operation_timeout(Some(2 * ASK_TIME));
    let results = admin.create_topics(&[new], &options).await;
    for result in results.map_err(|error| match error {
        rdkafka::error::KafkaError::AdminOp(code) => trouble.explain_code(&what, code),
        error => trouble.explain(&what, &error),
    })? {
        match result {
            Ok(_) => tracing::info!(topic, partitions, replication = settings.replication, "created a topic"),
            // Another process was faster.
            Err((_, Code::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(trouble.explain_code(&what, code)),
        }
    }
    Ok(())
}

fn limits(retention: Retention) -> (String, String) {
    let most = i64::MAX.unsigned_abs();
    (
        retention.age.as_millis().min(u128::from(most)).to_string(),
        retention.bytes.min(most).to_string(),
    )
}

/// Tells in what a topic that is there differs from what it would be created with.
async fn keeps(admin: &Admin, topic: &str, (found, wanted): (i32, i32), retention: Retention) {
    if found != wanted {
        tracing::warn!(
            topic,
            found,
            wanted,
            "the topic keeps the number of partitions it was created with"
        );
    }
    let options = AdminOptions::new().request_timeout(Some(ASK_TIME));
    let described = admin
        .describe_configs(&[ResourceSpecifier::Topic(topic)], &options)
        .await;
    // To know it, a permission is needed that nothing else asks for.
    let Ok(Some(Ok(config))) = described.map(|all| all.into_iter().next()) else {
        return;
    };
    let config: HashMap<_, _> = config.entry_map();
    let (age, bytes) = limits(retention);
    let compacted = ("cleanup.policy", "delete".to_owned());
    for (name, wanted) in [("retention.ms", age), ("retention.bytes", bytes), compacted] {
        let found = config.get(name).and_then(|entry| entry.value.as_deref());
        if found.is_some_and(|found| found != wanted) {
            tracing::warn!(topic, setting = name, found, wanted, "the topic keeps its own setting");
        }
    }
}
