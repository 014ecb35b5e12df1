//! Brokers that fail on demand: librdkafka's own cluster for tests, which speaks Kafka's protocol over TCP.

use super::*;
use rdkafka::{
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

const SOON: Duration = Duration::from_secs(3);

fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    for (name, partitions) in [(CHANGES, 4), (INTERACTIONS, 2)] {
        cluster.create_topic(name, partitions, 1).unwrap();
    }
    cluster
}

async fn open(servers: &str) -> KafkaLog {
    KafkaLog::open_within(servers, LogOptions::default(), SOON, SOON)
        .await
        .unwrap()
}

async fn values(log: &KafkaLog) -> Vec<String> {
    let end = log.end_offset(CHANGES, 0).await.unwrap();
    let read = read_exactly(log, 0, end as usize).await;
    let values = read
        .iter()
        .map(|read| String::from_utf8(read.record.value.to_vec()).unwrap());
    values.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_away_callers_are_told_in_time_and_go_on_when_it_is_back() {
    let cluster = cluster();
    let log = open(&cluster.bootstrap_servers()).await;
    log.append(CHANGES, 0, vec![record("before")]).await.unwrap();
    assert_eq!(values(&log).await, ["before"]);
    cluster.broker_down(1).unwrap();
    let asked = Instant::now();
    let appends = (0..3).map(|n| log.append(CHANGES, n, vec![record("lost"), record("lost too")]));
    for result in futures::future::join_all(appends).await {
        let error = result.unwrap_err();
        assert!(error.is_transient(), "{error}");
    }
    assert!(asked.elapsed() < 2 * SOON, "{:?}", asked.elapsed());
    assert!(log.end_offset(CHANGES, 0).await.unwrap_err().is_transient());
    cluster.broker_up(1).unwrap();
    let back = Instant::now();
    while let Err(error) = log.append(CHANGES, 0, vec![record("after")]).await {
        assert!(
            error.is_transient() && back.elapsed() < Duration::from_secs(10),
            "{error}"
        );
    }
    assert_eq!(
        values(&log).await,
        ["before", "after"],
        "what was given up doesn't come later"
    );
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_goes_on_when_the_broker_is_back() {
    let cluster = cluster();
    let log = open(&cluster.bootstrap_servers()).await;
    log.append(CHANGES, 0, vec![record("before")]).await.unwrap();
    assert_eq!(read_exactly(&log, 0, 1).await[0].record, record("before"));
    cluster.broker_down(1).unwrap();
    sleep(Duration::from_millis(500)).await;
    cluster.broker_up(1).unwrap();
    let writer = open(&cluster.bootstrap_servers()).await;
    let mut appended = log.appended(CHANGES).unwrap();
    appended.mark_unchanged();
    writer.append(CHANGES, 0, vec![record("after")]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), appended.changed())
        .await
        .expect("another process's append wakes a reader")
        .unwrap();
    assert_eq!(read_exactly(&log, 1, 1).await[0].record, record("after"));
    writer.close().await;
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_that_pass_are_not_seen() {
    let cluster = cluster();
    let log = open(&cluster.bootstrap_servers()).await;
    let passing = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
    ];
    cluster.request_errors(RDKafkaApiKey::Produce, &passing);
    log.append(CHANGES, 0, vec![record("1")]).await.unwrap();
    log.append(CHANGES, 0, vec![record("2")]).await.unwrap();
    assert_eq!(values(&log).await, ["1", "2"]);
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_not_reached_says_so_in_time() {
    let asked = Instant::now();
    let none = KafkaLog::open_within("127.0.0.1:1", LogOptions::default(), Duration::from_secs(1), SOON).await;
    let error = none.unwrap_err();
    assert!(
        error.is_transient() && error.to_string().contains("127.0.0.1:1"),
        "{error}"
    );
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_for_logging_in_are_passed_on_and_what_is_wrong_with_them_is_said() {
    let cluster = cluster();
    let servers = cluster.bootstrap_servers();
    let log_in = "sasl.username=u&sasl.password=hunter2";
    for (query, said) in [
        (
            format!("security.protocol=SASL_PLAINTEXT&sasl.mechanism=SECRET&{log_in}"),
            "mechanism",
        ),
        (
            format!("security.protocol=SASL_SSL&sasl.mechanism=PLAIN&{log_in}&ssl.ca.location=/nowhere"),
            "ssl.ca.location",
        ),
        (
            format!("security.protocol=SASL_PLAINTEXT&sasl.mechanism=PLAIN&{log_in}"),
            "SASL",
        ),
    ] {
        let opened = KafkaLog::open_within(&format!("{servers}?{query}"), LogOptions::default(), SOON, SOON).await;
        let error = opened.unwrap_err();
        assert!(error.to_string().contains(said), "{query}: {error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
