//! The API's description: complete, consistent in itself, and true.

use crate::shared::server;
use serde_json::Value;
use std::collections::BTreeSet;

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
