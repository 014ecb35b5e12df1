//! What a `kafka://` URL says, and the settings of each of Kafka's clients that follow from it.

use crate::{LogError, log::RECORD_LIMIT};
use rdkafka::{ClientConfig, error::KafkaError, types::RDKafkaConfRes};
use std::fmt;

/// The largest message: a record at its limit, and what Kafka adds to it.
pub(super) const MESSAGE_LIMIT: usize = RECORD_LIMIT + (64 << 10);

/// The group id under which a log reads. It never joins that group: it only has to have a name.
const READER: &str = "bilten-reader";

/// What holds for every client unless the URL says otherwise. A broker that comes back is found within a second, and
/// one that doesn't answer is given up after ten.
const COMMON: &[(&str, &str)] = &[
    ("client.id", "bilten"),
    ("reconnect.backoff.ms", "50"),
    ("reconnect.backoff.max.ms", "1000"),
    ("socket.connection.setup.timeout.ms", "5000"),
    ("socket.keepalive.enable", "true"),
    ("socket.nagle.disable", "true"),
    ("socket.timeout.ms", "10000"),
    ("topic.metadata.refresh.fast.interval.ms", "100"),
    ("topic.metadata.refresh.interval.ms", "30000"),
    ("log.connection.close", "false"),
];

/// A command waits for its append, so that batches are formed of what is there, and not by waiting.
const PRODUCER: &[(&str, &str)] = &[
    ("compression.type", "zstd"),
    ("linger.ms", "1"),
    ("request.timeout.ms", "10000"),
    ("queue.buffering.max.kbytes", "262144"),
    ("queue.buffering.max.messages", "0"),
];

/// The promises of [`crate::EventLog::append`] rest on these. Messages have no time limit of their own: were each to
/// run out by itself, one could be missing while those behind it arrive.
const PRODUCER_DECIDED: &[(&str, &str)] = &[
    ("enable.idempotence", "true"),
    ("enable.gapless.guarantee", "true"),
    ("acks", "all"),
    ("message.timeout.ms", "0"),
    ("delivery.report.only.error", "false"),
];

/// What is fetched ahead of a partition's reader is bounded, and is fetched again soon after some of it was taken.
const CONSUMER: &[(&str, &str)] = &[
    ("queued.max.messages.kbytes", "16384"),
    ("fetch.queue.backoff.ms", "20"),
    ("fetch.error.backoff.ms", "100"),
    // A broker answers one request of a connection after the other: a question about offsets waits behind this.
    ("fetch.wait.max.ms", "20"),
];

const CONSUMER_DECIDED: &[(&str, &str)] = &[
    ("allow.auto.create.topics", "false"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
];

/// A member that was killed has lost its partitions after the session's time, and one that hangs after the interval.
const MEMBER: &[(&str, &str)] = &[
    ("session.timeout.ms", "6000"),
    ("heartbeat.interval.ms", "1500"),
    ("max.poll.interval.ms", "30000"),
    ("auto.offset.reset", "latest"),
    ("partition.assignment.strategy", "cooperative-sticky"),
];

/// Settings that this program decides besides those above.
const NOT_YOURS: &[&str] = &[
    "bootstrap.servers",
    "metadata.broker.list",
    "request.required.acks",
    "delivery.timeout.ms",
    "message.max.bytes",
    "transactional.id",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "auto.offset.reset",
    "partition.assignment.strategy",
    "enable.partition.eof",
];

const HOW: &str = "kafka://HOST:PORT[,HOST:PORT…][?topic_prefix=…&replication=…&security.protocol=…]";

#[derive(Clone)]
pub(super) struct Settings {
    servers: String,
    /// Stands before the name of each topic and group.
    pub(super) topic_prefix: String,
    /// Copies of each new topic. One is for a single broker; in production three, of which two have to confirm.
    pub(super) replication: i32,
    /// What is passed on to librdkafka as it is.
    passed: Vec<(String, String)>,
}

/// Passwords are among what is passed on.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("servers", &self.servers)
            .field("topic_prefix", &self.topic_prefix)
            .field("replication", &self.replication)
            .field("passed", &self.passed.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

impl Settings {
    /// Reads what comes after `kafka://`.
    pub(super) fn parse(rest: &str) -> Result<Self, LogError> {
        let (servers, query) = rest.split_once('?').unwrap_or((rest, ""));
        let servers = servers.trim_end_matches('/');
        if servers.contains('@') {
            return Err(problem(
                "user@host",
                "is not how to log in: set sasl.username and sasl.password",
            ));
        }
        if servers
            .split(',')
            .any(|server| server.is_empty() || server.contains('/'))
        {
            return Err(problem("host", format!("is missing or is a path: write {HOW}")));
        }
        let mut settings = Self {
            servers: servers.to_owned(),
            topic_prefix: String::new(),
            replication: 1,
            passed: Vec::new(),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value).ok_or_else(|| problem(name, "has a value that is no percent-encoded UTF-8"))?;
            settings.set(name, value)?;
        }
        settings.check()?;
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), LogError> {
        let decided = [PRODUCER_DECIDED, CONSUMER_DECIDED].concat();
        match name {
            "topic_prefix" => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                if !value.chars().all(allowed) || value.len() > 200 {
                    return Err(problem(
                        name,
                        "may hold letters, digits, dots, dashes and underscores, at most 200",
                    ));
                }
                self.topic_prefix = value;
            }
            "replication" => {
                let number = value.parse().ok().filter(|number| (1..=100).contains(number));
                self.replication = number.ok_or_else(|| problem(name, "is no whole number from 1"))?;
            }
            _ if NOT_YOURS.contains(&name) || decided.iter().any(|(known, _)| *known == name) => {
                return Err(problem(name, "can't be chosen: the promises of the log depend on it"));
            }
            _ if name.contains('.') => self.passed.push((name.to_owned(), value)),
            _ => return Err(problem(name, "is unknown")),
        }
        Ok(())
    }

    /// Has librdkafka look at every name and value, before anything connects.
    fn check(&self) -> Result<(), LogError> {
        for config in [self.producer(), self.reader(), self.member("group")] {
            config.create_native_config().map_err(|error| match error {
                KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, _, name, _) => {
                    problem(&name, "is unknown to Kafka's client")
                }
                // Its description repeats the value, which may be a password.
                KafkaError::ClientConfig(_, _, name, _) => problem(&name, "has a value that Kafka's client refuses"),
                error => LogError::Client {
                    reason: error.to_string(),
                },
            })?;
        }
        Ok(())
    }

    pub(super) fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.topic_prefix)
    }

    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.client(&[COMMON, PRODUCER], PRODUCER_DECIDED);
        config.set("message.max.bytes", MESSAGE_LIMIT.to_string());
        config
    }

    /// A consumer that is told what to read.
    pub(super) fn reader(&self) -> ClientConfig {
        let mut config = self.client(&[COMMON, CONSUMER], CONSUMER_DECIDED);
        config.set("group.id", self.topic(READER));
        config.set("auto.offset.reset", "error");
        config
    }

    /// A consumer that reads nothing, and learns from its group which partitions are its own.
    pub(super) fn member(&self, group: &str) -> ClientConfig {
        let mut config = self.client(&[COMMON, MEMBER], CONSUMER_DECIDED);
        config.set("group.id", self.topic(group));
        config
    }

    pub(super) fn admin(&self) -> ClientConfig {
        self.client(&[COMMON], &[])
    }

    fn client(&self, defaults: &[&[(&str, &str)]], decided: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in defaults.iter().copied().flatten() {
            config.set(*name, *value);
        }
        for (name, value) in &self.passed {
            config.set(name, value);
        }
        for (name, value) in decided {
            config.set(*name, *value);
        }
        config.set("bootstrap.servers", &self.servers);
        config
    }
}

fn problem(name: &str, problem: impl Into<String>) -> LogError {
    LogError::Setting {
        name: name.to_owned(),
        problem: problem.into(),
    }
}

/// Percent-decoding. A plus stays a plus, since passwords have them.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (hex, after) = rest.split_at_checked(2)?;
        let hex = std::str::from_utf8(hex).ok()?;
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_servers_topics_and_settings() {
        let settings = Settings::parse(
            "one:9092,two:9093?topic_prefix=test.&replication=3&security.protocol=SASL_SSL&sasl.mechanism=PLAIN\
             &sasl.username=u&sasl.password=a%26b%3D%C5%82+%25&linger.ms=4",
        )
        .unwrap();
        assert_eq!(
            (settings.topic("changes").as_str(), settings.replication),
            ("test.changes", 3)
        );
        let producer = settings.producer();
        assert_eq!(producer.get("bootstrap.servers"), Some("one:9092,two:9093"));
        assert_eq!(
            producer.get("sasl.password"),
            Some("a&b=ł+%"),
            "decoded, and a plus is a plus"
        );
        assert_eq!(producer.get("linger.ms"), Some("4"), "the URL wins over a default");
        assert_eq!(producer.get("acks"), Some("all"));
        assert_eq!(settings.member("sink").get("group.id"), Some("test.sink"));
        assert!(!format!("{settings:?}").contains("a&b"), "{settings:?}");
    }

    #[test]
    fn what_a_url_gets_wrong_is_named_and_no_password_is_told() {
        for (rest, named) in [
            ("", "host"),
            (",h:1", "host"),
            ("h:1/topic", "host"),
            ("u:secret@h:1", "sasl.username"),
            ("h:1?replication=0&sasl.password=secret", "replication"),
            ("h:1?topic_prefix=a%20b", "topic_prefix"),
            ("h:1?topics=4", "topics"),
            ("h:1?sasl.pasword=secret", "sasl.pasword"),
            ("h:1?socket.timeout.ms=secret", "socket.timeout.ms"),
            ("h:1?security.protocol=secret", "security.protocol"),
            ("h:1?sasl.password=%secret", "sasl.password"),
            ("h:1?acks=1", "acks"),
            ("h:1?group.id=secret", "group.id"),
            ("h:1?auto.offset.reset=latest", "auto.offset.reset"),
        ] {
            let error = Settings::parse(rest).map(|_| rest).unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(said.contains(named), "{rest}: {said}");
            assert!(!said.contains("secret"), "{rest}: {said}");
            assert!(!error.is_transient());
        }
    }
}
