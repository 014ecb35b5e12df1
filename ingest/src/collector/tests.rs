use super::*;
use crate::log::{LogOptions, file::FileLog};
use domain::interaction::Interaction;
use serde_json::{Value, json};
use tempfile::TempDir;
use transactional::{Store, StoreOptions};

struct World {
    _folder: TempDir,
    log: Arc<FileLog>,
    collector: Collector,
}

async fn world() -> World {
    let folder = TempDir::new().unwrap();
    let log = Arc::new(
        FileLog::open(folder.path().join("log"), LogOptions::default())
            .await
            .unwrap(),
    );
    let url = format!("sqlite://{}", folder.path().join("core.db").display());
    let store = Store::open(&url, StoreOptions::default()).await.unwrap();
    World {
        collector: Collector::new(log.clone(), VisitorKeys::new(store)),
        log,
        _folder: folder,
    }
}

impl World {
    async fn send(&self, body: impl Into<Bytes>, format: BatchFormat) -> Answer {
        self.collector.collect(&body.into(), format).await.unwrap()
    }

    async fn send_one(&self, item: &Value) -> Answer {
        self.send(item.to_string(), BatchFormat::Json).await
    }

    /// All that was written.
    async fn written(&self) -> Vec<Interaction> {
        let mut written = Vec::new();
        for partition in 0..2 {
            for read in self.log.read(INTERACTIONS, partition, 0, usize::MAX).await.unwrap() {
                let interaction: Interaction = serde_json::from_slice(&read.record.value).unwrap();
                let key = format!("{}:{}", interaction.organizer_id, interaction.visitor_id);
                assert_eq!(read.record.key, key);
                assert_eq!(partition_for(key.as_bytes(), 2), partition);
                written.push(interaction);
            }
        }
        written
    }
}

fn new_id() -> String {
    domain::InteractionId::new().to_string()
}

fn full() -> Value {
    json!({
        "interaction_id": new_id(), "kind": "event_view", "organizer_id": new_id(), "event_id": new_id(),
        "visitor_id": "visitor \"one\"", "person_id": new_id(), "session_id": "s", "url": "https://ex.org/ü",
        "occurred_at": Timestamp::now().to_string(), "referrer": "", "utm_source": "mail", "utm_medium": null,
        "properties": {"price": 1250, "quote": "\"", "nested": {"a": [1, null]}}, "consent": {"analytics": true},
    })
}

fn minimal() -> Value {
    json!({
        "interaction_id": new_id(), "kind": "page_view", "organizer_id": new_id(), "visitor_id": "v", "session_id": "s",
    })
}

#[tokio::test]
async fn what_is_written_is_the_domains_interaction() {
    let world = world().await;
    let sent = full();
    assert_eq!(world.send_one(&sent).await.accepted, 1);
    let [written] = &world.written().await[..] else {
        panic!()
    };
    let mut back = serde_json::to_value(written).unwrap();
    for (name, value) in sent.as_object().unwrap() {
        match name.as_str() {
            "consent" => {}
            "referrer" => assert_eq!(back["referrer"], Value::Null, "an empty text says as much as none"),
            "occurred_at" => assert_eq!(written.occurred_at.to_string(), value.as_str().unwrap()),
            "properties" => {
                assert_eq!(&serde_json::from_str::<Value>(&written.properties).unwrap(), value);
            }
            _ => assert_eq!(&back[name].take(), value, "{name}"),
        }
    }
    assert!(Timestamp::now().since(written.received_at) < Duration::from_secs(60));
}

#[tokio::test]
async fn without_consent_the_visitor_has_another_name_and_the_person_is_left_out() {
    let world = world().await;
    let mut items = [full(), full(), full()];
    let organizer = new_id();
    for (item, consent) in items
        .iter_mut()
        .zip([json!({"analytics": false}), Value::Null, json!({})])
    {
        item["consent"] = consent;
        item["organizer_id"] = json!(organizer);
    }
    assert_eq!(
        world.send(json!(items).to_string(), BatchFormat::Json).await.accepted,
        3
    );
    let written = world.written().await;
    assert!(written.iter().all(|written| written.person_id.is_none()));
    assert!(
        written.iter().all(|same| same.visitor_id == written[0].visitor_id),
        "one visitor, one name a day"
    );
    assert!(written[0].visitor_id.len() == 32 && !written[0].visitor_id.contains("visitor"));
}

/// Items that are refused, each with the code and the field that it is told.
fn bad_items() -> Vec<(Value, &'static str, Option<&'static str>)> {
    let wrong = |field: &str, value: Value| {
        let mut item = full();
        item[field] = value;
        item
    };
    let mut lacking = full();
    lacking.as_object_mut().unwrap().remove("kind");
    let far = Timestamp::now() + Duration::from_secs(3600);
    let old = Timestamp::now() - Duration::from_secs(31 * 24 * 3600);
    vec![
        (lacking, "missing_field", Some("kind")),
        (wrong("kind", json!("dance")), "unknown_kind", Some("kind")),
        (wrong("kind", json!(7)), "wrong_type", Some("kind")),
        (wrong("kind", Value::Null), "wrong_type", Some("kind")),
        (
            wrong("interaction_id", json!("67e55044-10b1-426f-9247-bb680e5fe0c8")),
            "invalid_id",
            Some("interaction_id"),
        ),
        (
            wrong("event_id", json!("'; drop table events")),
            "invalid_id",
            Some("event_id"),
        ),
        (wrong("visitor_id", json!("")), "empty", Some("visitor_id")),
        (
            wrong("session_id", json!("x".repeat(129))),
            "too_long",
            Some("session_id"),
        ),
        (
            wrong("utm_source", json!("a\u{1f}b")),
            "invalid_text",
            Some("utm_source"),
        ),
        (
            wrong("occurred_at", json!("yesterday")),
            "invalid_time",
            Some("occurred_at"),
        ),
        (
            wrong("occurred_at", json!(far.to_string())),
            "time_out_of_range",
            Some("occurred_at"),
        ),
        (
            wrong("occurred_at", json!(old.to_string())),
            "time_out_of_range",
            Some("occurred_at"),
        ),
        (wrong("properties", json!([1])), "wrong_type", Some("properties")),
        (
            wrong("properties", json!({"a": "x".repeat(PROPERTIES_LIMIT)})),
            "too_long",
            Some("properties"),
        ),
        (
            wrong("consent", json!({"analytics": "yes"})),
            "wrong_type",
            Some("consent"),
        ),
        (wrong("surprise", json!(1)), "unknown_field", None),
        (json!([1]), "wrong_type", None),
        (json!("text"), "wrong_type", None),
    ]
}

#[tokio::test]
async fn each_bad_item_is_told_why_and_costs_no_other() {
    let cases = bad_items();
    let world = world().await;
    let mut lines = vec![minimal().to_string()];
    for (item, ..) in &cases {
        lines.extend([item.to_string(), String::new(), minimal().to_string()]);
    }
    lines.extend(["{\"kind\": ".to_owned(), "\u{0}".to_owned()]);
    let answer = world.send(lines.join("\r\n"), BatchFormat::NdJson).await;
    assert_eq!(answer.accepted, cases.len() + 1);
    let told: Vec<_> = answer.rejected.iter().map(|no| (no.index, no.code, no.field)).collect();
    let mut expected: Vec<_> = cases
        .iter()
        .enumerate()
        .map(|(n, (_, code, field))| (2 * n + 1, *code, *field))
        .collect();
    let end = 2 * cases.len() + 1;
    expected.extend([(end, "invalid_json", None), (end + 1, "invalid_json", None)]);
    assert_eq!(told, expected);
    assert_eq!(world.written().await.len(), cases.len() + 1);
}

#[tokio::test]
async fn an_item_sent_again_is_a_duplicate_in_the_same_request_and_in_a_later_one() {
    let world = world().await;
    let (first, second) = (full(), full());
    let body = json!([first, second, first]).to_string();
    let answer = world.send(body.clone(), BatchFormat::Json).await;
    assert_eq!((answer.accepted, answer.duplicates), (2, vec![2]));
    let answer = world.send(body, BatchFormat::Json).await;
    assert_eq!((answer.accepted, answer.duplicates), (0, vec![0, 1, 2]));
    assert_eq!(world.written().await.len(), 2);
}

#[tokio::test]
async fn an_append_that_failed_is_no_reason_to_call_a_second_attempt_a_duplicate() {
    let world = world().await;
    world.log.close().await;
    let item = full();
    let body = Bytes::from(item.to_string());
    for _ in 0..2 {
        let answer = world.collector.collect(&body, BatchFormat::Json).await;
        assert!(matches!(answer, Err(CollectError::Log(LogError::Closed))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_or_no_json_at_all_is_refused_whole() {
    let world = world().await;
    let many = format!("[{}]", vec!["1"; ITEM_LIMIT + 1].join(","));
    let huge = vec![b' '; BODY_LIMIT + 1];
    for body in [Bytes::from(many), Bytes::from(huge)] {
        let answer = world.collector.collect(&body, BatchFormat::Json).await;
        assert!(matches!(answer, Err(CollectError::TooLarge)), "{answer:?}");
    }
    for body in ["", "[", "{", "[{}", "\u{fffd}", "{} {}"] {
        let answer = world.collector.collect(&Bytes::from(body), BatchFormat::Json).await;
        assert!(matches!(answer, Err(CollectError::Malformed(_))), "{body}: {answer:?}");
    }
    let empty = world.send("\n\n", BatchFormat::NdJson).await;
    assert_eq!(empty, Answer::default());
}

#[tokio::test]
async fn a_request_at_the_limits_is_taken_though_it_grows_on_its_way() {
    let world = world().await;
    // Quotes are escaped when properties become text, which doubles them.
    let properties: Value = (0..1000)
        .map(|n| (format!("{n:x}"), json!(0)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let lines: Vec<String> = (0..900)
        .map(|_| {
            let mut item = full();
            item["properties"] = properties.clone();
            item.to_string()
        })
        .collect();
    let body = lines.join("\n");
    assert!(
        body.len() > BODY_LIMIT * 3 / 4 && body.len() <= BODY_LIMIT,
        "{}",
        body.len()
    );
    assert_eq!(world.send(body, BatchFormat::NdJson).await.accepted, 900);
}
