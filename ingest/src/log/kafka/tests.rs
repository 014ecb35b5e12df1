use super::*;
use crate::{
    CHANGES, HeadersBuilder, INTERACTIONS,
    log::{Partitions, Retention, contract},
    partition_for,
};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    message::{Header, Headers as _, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use std::{collections::BTreeSet, time::Instant};
use tokio::time::sleep;

mod faults;
mod log_in;

/// A log on the tests' server, with topics of its own.
struct World {
    server: String,
    prefix: String,
}

impl World {
    /// None where tests are to do without servers.
    fn new() -> Option<Self> {
        let server = of_services("BILTEN_TEST_KAFKA")?;
        let prefix = format!("test-{:016x}-", rand::random::<u64>());
        Some(Self { server, prefix })
    }

    fn url(&self) -> String {
        format!("kafka://{}?topic_prefix={}", self.server, self.prefix)
    }

    async fn open(&self) -> Arc<dyn EventLog> {
        crate::log::open(&self.url(), LogOptions::default()).await.unwrap()
    }

    fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.server);
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    async fn settings(&self, name: &str) -> HashMap<String, String> {
        let topic = self.topic(name);
        let asked = [ResourceSpecifier::Topic(&topic)];
        let described = self.admin().describe_configs(&asked, &AdminOptions::new()).await;
        let config = described.unwrap().remove(0).unwrap();
        let entries = config.entries.into_iter();
        entries.filter_map(|entry| Some((entry.name, entry.value?))).collect()
    }

    /// Has Kafka let go of records, as retention would.
    async fn delete_below(&self, name: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic(name), partition, Offset::Offset(offset))
            .unwrap();
        let deleted = self.admin().delete_records(&list, &AdminOptions::new()).await.unwrap();
        assert!(deleted.elements().iter().all(|element| element.error().is_ok()));
    }

    async fn end(self) {
        let topics = [CHANGES, INTERACTIONS].map(|name| self.topic(name));
        let names = topics.each_ref().map(String::as_str);
        self.admin().delete_topics(&names, &AdminOptions::new()).await.unwrap();
    }
}

/// What `tests/services` says of its servers; None where tests are to do without them.
fn of_services(name: &str) -> Option<String> {
    let Ok(value) = std::env::var(name) else {
        assert_eq!(
            std::env::var("BILTEN_EMBEDDED").as_deref(),
            Ok("1"),
            "{name} is not set: run `make test`, or start the servers of tests/services and take the variables of its `env`"
        );
        println!("left out: no Kafka, as BILTEN_EMBEDDED=1 asks for");
        return None;
    };
    Some(value)
}

fn record(value: impl Into<bytes::Bytes>) -> Record {
    Record {
        value: value.into(),
        ..Record::default()
    }
}

async fn read_exactly(log: &dyn EventLog, from: u64, count: usize) -> Vec<LogRecord> {
    let mut all: Vec<LogRecord> = Vec::new();
    while all.len() < count {
        let next = all.last().map_or(from, |last| last.offset + 1);
        let read = log.read(CHANGES, 0, next, 1 << 20).await.unwrap();
        assert!(!read.is_empty(), "the log ends at {next}");
        all.extend(read);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_on_kafka_holds_the_contract() {
    let Some(world) = World::new() else { return };
    contract::holds(async || world.open().await).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_group_never_have_the_same_partition() {
    let Some(world) = World::new() else { return };
    let (one, other) = (world.open().await, world.open().await);
    let of = |topic: &str, count| {
        (0..count)
            .map(move |number| (topic.to_owned(), number))
            .collect::<Partitions>()
    };
    let all = &of(CHANGES, 4) | &of(INTERACTIONS, 2);
    let first = one.join("sinks").await.unwrap();
    contract::until_they_have(&all, &[&*first]).await;
    let second = other.join("sinks").await.unwrap();
    contract::until_they_have(&all, &[&*first, &*second]).await;
    let had = [&first, &second].map(|member| Arc::clone(&member.assigned().borrow()));
    assert!(had[0].is_disjoint(&had[1]), "{had:?}");
    assert!(had.iter().all(|part| part.len() == 3), "{had:?}");
    // The group's offsets are for tools that show lag.
    second
        .record(
            &had[1]
                .iter()
                .map(|(topic, n)| (topic.clone(), *n, 7))
                .collect::<Vec<_>>(),
        )
        .await;
    let until = Instant::now() + Duration::from_secs(10);
    while committed(&world, "sinks", &had[1]).await != vec![Offset::Offset(7); 3] {
        assert!(Instant::now() < until, "the group was not told");
        sleep(Duration::from_millis(50)).await;
    }
    // A log that is dropped takes its members along.
    drop(first);
    contract::until_they_have(&all, &[&*second]).await;
    second.leave().await;
    one.close().await;
    other.close().await;
    world.end().await;
}

async fn committed(world: &World, group: &str, partitions: &BTreeSet<(String, u32)>) -> Vec<Offset> {
    let mut config = world.client();
    config.set("group.id", world.topic(group));
    let mut list = TopicPartitionList::new();
    for (topic, number) in partitions {
        list.add_partition(&world.topic(topic), *number as i32);
    }
    let ask = move || {
        let consumer: BaseConsumer = config.create().unwrap();
        let found = consumer.committed_offsets(list, Duration::from_secs(5)).unwrap();
        found.elements().iter().map(|element| element.offset()).collect()
    };
    blocking(ask).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_the_partition_that_kafkas_own_clients_choose() {
    let Some(world) = World::new() else { return };
    let log = world.open().await;
    let mut config = world.client();
    // What Java's clients do.
    config.set("partitioner", "murmur2_random");
    let other: FutureProducer = config.create().unwrap();
    let topic = world.topic(CHANGES);
    for n in 0..40 {
        let key = format!("{n}:0192f0c1-{n:04x}");
        let record = FutureRecord::to(&topic).key(&key).payload("x");
        let sent = other.send(record, Duration::from_secs(10)).await.unwrap();
        assert_eq!(sent.partition as u32, partition_for(key.as_bytes(), 4), "{key}");
    }
    log.close().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_a_cloudevents_message_to_everyone() {
    let Some(world) = World::new() else { return };
    let log = world.open().await;
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", "1"),
        ("ce_type", "Ł"),
        ("empty", ""),
    ];
    let mut builder = HeadersBuilder::default();
    headers.iter().for_each(|(name, value)| _ = builder.push(name, value));
    let record = Record {
        key: "k".into(),
        headers: builder.build(),
        value: "{}".into(),
    };
    let before = domain::Timestamp::now();
    let offset = log.append(CHANGES, 0, vec![record.clone()]).await.unwrap();
    let read = log.read(CHANGES, 0, offset, 1).await.unwrap();
    assert_eq!(read[0].record, record);
    assert!(read[0].appended_at.as_millis() >= before.as_millis(), "{read:?}");

    let mut config = world.client();
    config.set("group.id", "anyone");
    let topic = world.topic(CHANGES);
    let look = move || {
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&topic, 0, Offset::Offset(offset as i64))
            .unwrap();
        consumer.assign(&list).unwrap();
        let message = loop {
            if let Some(message) = consumer.poll(Duration::from_secs(10)) {
                break message.unwrap().detach();
            }
        };
        let found = message.headers().unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.key.to_owned(), one.value.unwrap().to_vec()))
            .collect();
        (
            found,
            message.key().unwrap().to_vec(),
            message.payload().unwrap().to_vec(),
        )
    };
    let (found, key, payload) = blocking(look).await.unwrap();
    let expected: Vec<_> = headers
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
        .into();
    assert_eq!((found, &key[..], &payload[..]), (expected, &b"k"[..], &b"{}"[..]));
    log.close().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_clients_write_is_readable() {
    let Some(world) = World::new() else { return };
    let log = world.open().await;
    let topic = world.topic(CHANGES);
    let other: FutureProducer = world.client().create().unwrap();
    let garbage = OwnedHeaders::new()
        .insert(Header {
            key: "trace",
            value: Some(&[0xff, 0, 0xfe][..]),
        })
        .insert(Header {
            key: &"n".repeat(300),
            value: Some(&b"x"[..]),
        })
        .insert(Header::<&[u8]> {
            key: "null",
            value: None,
        })
        .insert(Header {
            key: "ce_id",
            value: Some(&b"1"[..]),
        });
    let plain = FutureRecord::<[u8], [u8]>::to(&topic).partition(0);
    let binary = FutureRecord::<[u8], [u8]>::to(&topic)
        .partition(0)
        .headers(garbage)
        .key(&[0xff])
        .payload(&[0xfe]);
    for record in [plain, binary] {
        other.send(record, Duration::from_secs(10)).await.unwrap();
    }
    let read = read_exactly(&*log, 0, 2).await;
    assert_eq!(read[0].record, Record::default());
    assert_eq!(
        (&read[1].record.key[..], &read[1].record.value[..]),
        (&[0xff][..], &[0xfe][..])
    );
    let headers = &read[1].record.headers;
    assert_eq!(headers.get("ce_id"), Some("1"));
    assert_eq!(headers.get("null"), Some(""));
    assert_eq!(headers.iter().count(), 3, "the name of 300 bytes is left out");
    log.close().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_created_as_stated_and_keeps_its_partitions() {
    let Some(world) = World::new() else { return };
    let day = Duration::from_secs(24 * 3600);
    let retention = Retention {
        age: 3 * day,
        bytes: 123_456_789,
    };
    let options = |partitions| LogOptions {
        topics: vec![(CHANGES.to_owned(), partitions), (INTERACTIONS.to_owned(), 1)],
        retention,
        ..LogOptions::default()
    };
    let log = crate::log::open(&world.url(), options(3)).await.unwrap();
    assert_eq!(
        (log.partitions(CHANGES).unwrap(), log.partitions(INTERACTIONS).unwrap()),
        (3, 1)
    );
    let settings = world.settings(CHANGES).await;
    for (name, expected) in [
        ("cleanup.policy", "delete"),
        ("retention.ms", "259200000"),
        ("retention.bytes", "123456789"),
        ("segment.ms", "37028571"),
        ("max.message.bytes", "1114112"),
        ("min.insync.replicas", "1"),
    ] {
        assert_eq!(settings[name], expected, "{name}");
    }
    log.close().await;
    let log = crate::log::open(&world.url(), options(5)).await.unwrap();
    assert_eq!(log.partitions(CHANGES).unwrap(), 3);
    log.close().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_copies_than_brokers_are_refused_and_said() {
    let Some(world) = World::new() else { return };
    let url = format!("{}&replication=50", world.url());
    let error = crate::log::open(&url, LogOptions::default()).await.unwrap_err();
    assert!(
        !error.is_transient() && error.to_string().contains("replication=50"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_refused_append_has_no_gap() {
    let Some(world) = World::new() else { return };
    let topic = world.topic(CHANGES);
    let small = NewTopic::new(&topic, 4, TopicReplication::Fixed(1)).set("max.message.bytes", "100000");
    world
        .admin()
        .create_topics(&[small], &AdminOptions::new())
        .await
        .unwrap();
    let log = world.open().await;
    let before = record("before");
    log.append(CHANGES, 0, vec![before.clone()]).await.unwrap();
    // Several batches, of which only the one in the middle doesn't become small enough.
    let mut records: Vec<Record> = (0..25).map(|n| record(vec![n; 200_000])).collect();
    let noise: Vec<u8> = (0..900_000).map(|_| rand::random()).collect();
    records[12] = record(noise);
    let refused = log.append(CHANGES, 0, records.clone()).await.unwrap_err();
    assert!(!refused.is_transient(), "{refused}");
    let after = record("after");
    let offset = log.append(CHANGES, 0, vec![after.clone()]).await.unwrap();
    let found = read_exactly(&*log, 0, offset as usize + 1).await;
    let mut found: Vec<Record> = found.into_iter().map(|read| read.record).collect();
    assert!(found.pop() == Some(after) && found.remove(0) == before);
    assert!(
        found.len() <= 12 && found == records[..found.len()],
        "{} records",
        found.len()
    );
    log.close().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_retention_took_are_an_error_that_says_where_to_go_on() {
    let Some(world) = World::new() else { return };
    let log = world.open().await;
    let values = (0..10).map(|n| record(format!("{n}")));
    log.append(CHANGES, 0, values.collect()).await.unwrap();
    assert_eq!(read_exactly(&*log, 0, 1).await[0].record, record("0"));
    world.delete_below(CHANGES, 0, 6).await;
    let gone = log.read(CHANGES, 0, 2, 1).await;
    assert!(
        matches!(
            gone,
            Err(LogError::OffsetOutOfRange {
                asked: 2,
                start: 6,
                end: 10,
                ..
            })
        ),
        "{gone:?}"
    );
    assert_eq!(log.start_offset(CHANGES, 0).await.unwrap(), 6);
    assert_eq!(log.retain(CHANGES, 0, 10).await.unwrap(), 6);
    assert_eq!(read_exactly(&*log, 6, 4).await[3].record, record("9"));
    world.delete_below(CHANGES, 0, 10).await;
    assert_eq!(log.last(CHANGES, 0).await.unwrap(), None);
    log.append(CHANGES, 0, vec![record("10")]).await.unwrap();
    assert_eq!(log.last(CHANGES, 0).await.unwrap().unwrap().record, record("10"));
    log.close().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_nobody_reads_is_paused_and_goes_on_where_it_was() {
    let Some(world) = World::new() else { return };
    let log = KafkaLog::open(world.url().trim_start_matches("kafka://"), LogOptions::default())
        .await
        .unwrap();
    let records: Vec<Record> = (0..200).map(|n| record(vec![n; 100_000])).collect();
    for some in records.chunks(50) {
        log.append(CHANGES, 0, some.to_vec()).await.unwrap();
    }
    let mut read = Vec::new();
    for round in 0..2 {
        let next = read.last().map_or(0, |last: &LogRecord| last.offset + 1);
        read.extend(log.read(CHANGES, 0, next, 1_000_000).await.unwrap());
        let partition = log.partition(CHANGES, 0).unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while !partition.cursor.lock().await.is_paused() {
            assert!(Instant::now() < until, "not paused in round {round}");
            sleep(Duration::from_millis(50)).await;
        }
    }
    let next = read.last().unwrap().offset + 1;
    read.extend(read_exactly(&log, next, 200 - read.len()).await);
    let found: Vec<Record> = read.into_iter().map(|read| read.record).collect();
    assert!(found == records, "all records, in order, once");
    log.close().await;
    world.end().await;
}
