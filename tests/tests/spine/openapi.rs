//! The API's description: complete, consistent in itself, and true.

use crate::shared::server;
use serde_json::Value;
use std::collections::BTreeSet;
use tests::{Client, Show};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

fn document() -> Value {
    server().server.public().get("/openapi.json").expect(200)
}

/// (method, path, operation) of every operation.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if METHODS.contains(&method.as_str()) {
                found.push((method.to_uppercase(), path.clone(), operation));
            }
        }
    }
    found
}

#[test]
fn the_description_is_openapi_3_1_and_refers_to_nothing_that_is_not_there() {
    let document = document();
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1")),
        "{}",
        document["openapi"]
    );
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let place = format!("{method} {path}");
        let name = operation["operationId"]
            .as_str()
            .unwrap_or_else(|| panic!("{place} has no operationId"));
        assert!(names.insert(name.to_owned()), "{name} stands twice");
        assert!(
            operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()),
            "{place} has no summary"
        );
        assert!(
            operation["responses"]
                .as_object()
                .is_some_and(|responses| !responses.is_empty()),
            "{place}"
        );
        let declared: BTreeSet<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let in_path: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        assert_eq!(declared, in_path, "{place}");
    }
    let mut stack = vec![&document];
    while let Some(value) = stack.pop() {
        if let Some(reference) = value["$ref"].as_str() {
            let pointer = reference
                .strip_prefix('#')
                .unwrap_or_else(|| panic!("{reference} leads out of the document"));
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        match value {
            Value::Array(items) => stack.extend(items),
            Value::Object(map) => stack.extend(map.values()),
            _ => {}
        }
    }
}

/// What a device's token gets an answer to: its own doors, and what anybody may ask of the process.
const OF_DEVICES: [&str; 15] = [
    "GET /healthz",
    "GET /metrics",
    "GET /readyz",
    "GET /v1/check-in-lists/{check_in_list_id}/attendance",
    "GET /v1/check-in-lists/{check_in_list_id}/attendees",
    "GET /v1/check-in-lists/{check_in_list_id}/check-ins",
    "GET /v1/check-in-lists/{check_in_list_id}/download",
    "GET /v1/events/{event_id}/check-in-lists",
    "GET /v1/events/{event_id}/gates",
    "GET /v1/events/{event_id}/keys",
    "GET /v1/scanner",
    "POST /v1/check-in-lists/{check_in_list_id}/annul",
    "POST /v1/check-in-lists/{check_in_list_id}/exit-all",
    "POST /v1/check-in-lists/{check_in_list_id}/redeem",
    "POST /v1/check-in-lists/{check_in_list_id}/scans",
];

/// The operations on this show's things that answer a device something else than that they are not for it.
fn reached(device: &Client, document: &Value, show: &Show) -> Vec<String> {
    let filled = |path: &str| {
        path.replace("{organizer_id}", &show.organizer_id)
            .replace("{event_id}", &show.event_id)
            .replace("{check_in_list_id}", &show.check_in_list_id)
            .replace("{pool_id}", &show.pool_id)
            .replace("{ticket_type_id}", &show.ticket_type_id)
            .replace("/attendees", "/attendees?search=ada")
            .split(['{', '}'])
            .enumerate()
            .map(|(at, part)| if at % 2 == 0 { part.to_owned() } else { tests::uuid7() })
            .collect::<String>()
    };
    let mut reached = Vec::new();
    for (method, path, _) in operations(document) {
        let body = match path.rsplit('/').next() {
            Some("redeem") => serde_json::json!({ "code": "x", "nonce": "n" }),
            Some("scans") => serde_json::json!({ "scans": [] }),
            Some("annul") => serde_json::json!({ "nonce": "n" }),
            _ => serde_json::json!({}),
        };
        let answer = device.request(&method, &filled(&path)).json(&body).send();
        let unknown_scan = path.ends_with("/annul") && answer.text().contains("accepted scan");
        if ![401, 403, 404].contains(&answer.status) || unknown_scan {
            reached.push(format!("{method} {path}"));
        }
    }
    reached.sort();
    reached
}

#[test]
fn a_devices_token_reaches_its_doors_and_nothing_else() {
    let shared = server();
    let admin = shared.server.admin();
    let document = document();
    let show = Show::open(&admin, None, 900);
    let new = serde_json::json!({ "name": "Phone 1", "event_id": show.event_id });
    let device = admin.post(&show.path("devices"), &new).expect(201);
    let device = shared.server.bearer(device["secret"].as_str().unwrap());
    assert_eq!(reached(&device, &document, &show), OF_DEVICES);
    for other in [
        Show::open_for(&admin, show.organizer_id.clone(), None, 900),
        Show::open(&admin, None, 900),
    ] {
        assert_eq!(
            reached(&device, &document, &other),
            ["GET /healthz", "GET /metrics", "GET /readyz", "GET /v1/scanner"]
        );
    }
}

/// What the description says of a place is asked of the server: no route is described that is not there, and none that
/// needs a log-in is said to be open.
#[test]
fn the_description_is_true_of_every_route() {
    let shared = server();
    let public = shared.server.public();
    let document = document();
    let operations = operations(&document);
    assert!(operations.len() >= 40, "{}", operations.len());
    for (method, path, operation) in operations {
        let filled = path
            .split(['{', '}'])
            .enumerate()
            .map(|(at, part)| match (at % 2, part) {
                (0, part) => part.to_owned(),
                (_, name) if name.ends_with("_id") => tests::uuid7(),
                (_, "provider") => "test".to_owned(),
                (_, "transition") => "publish".to_owned(),
                (_, _) => "none".to_owned(),
            });
        let answer = public
            .request(&method, &filled.collect::<String>())
            .json(&serde_json::json!({}))
            .send();
        let place = format!("{method} {path}: {} {}", answer.status, answer.text());
        assert!(![405, 500, 501].contains(&answer.status), "{place}");
        let open = operation["security"]
            .as_array()
            .is_some_and(|all| all.contains(&serde_json::json!({})));
        // A log-in that fails and a report that nobody signed are answered 401 although anyone may send them.
        let about_itself = path.ends_with("/session") || path.contains("/webhooks/");
        assert!(
            open || answer.status == 401,
            "{place}: needs no log-in, but the description says so"
        );
        assert!(!open || about_itself || answer.status != 401, "{place}: needs a log-in");
        let declared = operation["responses"].as_object().unwrap();
        if answer.status < 300 {
            assert!(
                declared.contains_key(&answer.status.to_string()),
                "{place} is not in the description"
            );
        }
        if answer.status >= 400 {
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json"),
                "{place}"
            );
        }
    }
}
