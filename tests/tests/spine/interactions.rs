//! What people do on pages: taken in batches, each item answered for itself, each counted once.

use crate::shared::{eventually_counts, server};
use serde_json::{Value, json};
use tests::{Show, gzip, interaction, uuid7};

fn ndjson(items: &[Value]) -> String {
    items.iter().map(|item| format!("{item}\n")).collect()
}

#[test]
fn a_batch_comes_in_as_json_as_ndjson_and_packed() {
    let shared = server();
    let (admin, public) = (shared.server.admin(), shared.server.public());
    let show = Show::open(&admin, None, 700);
    let batch = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|_| interaction(&show.organizer_id, Some(&show.event_id)))
            .collect()
    };
    let send = |content_type: &str, body: Vec<u8>| {
        public
            .request("POST", "/v1/interactions")
            .body(content_type, body)
            .send()
            .expect(200)
    };
    assert_eq!(send("application/json", batch(1)[0].to_string().into())["accepted"], 1);
    assert_eq!(
        send("application/json", json!(batch(3)).to_string().into())["accepted"],
        3
    );
    assert_eq!(
        send("application/x-ndjson", ndjson(&batch(500)).into())["accepted"],
        500
    );
    let packed = gzip(ndjson(&batch(500)).as_bytes());
    let request = public
        .request("POST", "/v1/interactions")
        .header("content-encoding", "gzip");
    let answer = request.body("application/x-ndjson", packed).send().expect(200);
    assert_eq!(answer["accepted"], 500);
    let seen = format!(
        "select count(*) from interactions where organizer_id = '{}'",
        show.organizer_id
    );
    eventually_counts(&admin, &seen, 1004);
    let row = admin.sql(&format!(
        "select kind, event_id, utm_source, properties from interactions where organizer_id = '{}' limit 1",
        show.organizer_id
    ));
    assert_eq!(
        (&row[0]["kind"], &row[0]["utm_source"]),
        (&json!("event_view"), &json!("newsletter"))
    );
    assert_eq!(row[0]["event_id"], show.event_id.as_str());
}

#[test]
fn an_item_that_is_wrong_is_named_and_the_others_are_taken() {
    let shared = server();
    let (admin, public) = (shared.server.admin(), shared.server.public());
    let show = Show::open(&admin, None, 700);
    let good = || interaction(&show.organizer_id, None);
    let with = |field: &str, value: Value| {
        let mut item = good();
        item[field] = value;
        item
    };
    let repeated = good();
    let lines = [
        good().to_string(),
        "{ not json".to_owned(),
        with("kind", json!("dance")).to_string(),
        with("interaction_id", json!("7")).to_string(),
        with("colour", json!("red")).to_string(),
        with("occurred_at", json!("yesterday")).to_string(),
        repeated.to_string(),
        repeated.to_string(),
        good().to_string(),
    ];
    let body = lines.join("\n");
    let answer = public
        .request("POST", "/v1/interactions")
        .body("application/x-ndjson", body)
        .send();
    let answer = answer.expect(200);
    assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(3), &json!([7])));
    let refused = answer["rejected"].as_array().unwrap();
    let named: Vec<(i64, &str)> = refused
        .iter()
        .map(|item| (item["index"].as_i64().unwrap(), item["field"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(
        named.iter().map(|(index, _)| *index).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5],
        "{answer}"
    );
    assert_eq!(
        (named[1].1, named[2].1, named[4].1),
        ("kind", "interaction_id", "occurred_at"),
        "{answer}"
    );
    assert!(refused[3]["message"].as_str().unwrap().contains("colour"), "{answer}");
    let seen = format!(
        "select count(*) from interactions where organizer_id = '{}'",
        show.organizer_id
    );
    eventually_counts(&admin, &seen, 3);
}

#[test]
fn a_batch_sent_again_counts_once() {
    let shared = server();
    let (admin, public) = (shared.server.admin(), shared.server.public());
    let show = Show::open(&admin, None, 700);
    let batch: Vec<Value> = (0..100).map(|_| interaction(&show.organizer_id, None)).collect();
    for _ in 0..3 {
        let answer = public
            .request("POST", "/v1/interactions")
            .body("application/x-ndjson", ndjson(&batch))
            .send();
        let answer = answer.expect(200);
        assert_eq!(answer["rejected"], json!([]), "{answer}");
    }
    let of_mine = format!("from interactions where organizer_id = '{}'", show.organizer_id);
    eventually_counts(&admin, &format!("select count(distinct interaction_id) {of_mine}"), 100);
    assert_eq!(admin.count(&format!("select count(*) {of_mine}")), 100);
}

#[test]
fn without_consent_nobody_is_followed() {
    let shared = server();
    let (admin, public) = (shared.server.admin(), shared.server.public());
    let show = Show::open(&admin, None, 700);
    let mut item = interaction(&show.organizer_id, None);
    item["visitor_id"] = json!("my-own-name");
    item["person_id"] = json!(uuid7());
    item["consent"] = json!({ "analytics": false });
    assert_eq!(public.post("/v1/interactions", &item).expect(200)["accepted"], 1);
    let of_mine = format!("from interactions where organizer_id = '{}'", show.organizer_id);
    eventually_counts(&admin, &format!("select count(*) {of_mine}"), 1);
    let row = admin.sql(&format!("select visitor_id, person_id {of_mine}")).remove(0);
    assert_ne!(row["visitor_id"], "my-own-name");
    assert!(row["person_id"].is_null(), "{row}");
}
