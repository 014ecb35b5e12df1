//! Outgoing webhooks, taken by a real HTTP server: signed, in order, again after a failure, and never where they must
//! not go.

use crate::shared::until;
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::BTreeSet;
use tests::{Buyer, Client, Home, Received, Receiver, Show, now_micros, token};

fn endpoint(owner: &Client, show: &Show, url: &str, change_types: &[&str]) -> Value {
    let input = json!({ "url": url, "change_types": change_types });
    owner.post(&show.path("webhook-endpoints"), &input).expect(201)
}

fn deliveries(owner: &Client, endpoint: &Value, query: &str) -> Vec<Value> {
    let id = endpoint["webhook_endpoint_id"].as_str().unwrap();
    let page = owner
        .get(&format!("/v1/webhook-endpoints/{id}/deliveries?limit=200&{query}"))
        .expect(200);
    page["items"].as_array().unwrap().clone()
}

/// As the libraries of Standard Webhooks do it.
fn is_signed(received: &Received, secret: &str) -> bool {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let (id, timestamp) = (received.header("webhook-id"), received.header("webhook-timestamp"));
    let age = now_micros() / 1_000_000 - timestamp.parse::<i64>().unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{timestamp}.{}", received.body).as_bytes());
    let wanted = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let mut signatures = received.header("webhook-signature").split(' ');
    signatures.any(|signature| signature == wanted) && (0..300).contains(&age)
}

#[track_caller]
fn assert_in_order(receiver: &Receiver, all: &Value, other: &Value) {
    let got = receiver.received("/ok");
    let secret = all["secret"].as_str().unwrap();
    assert!(got.iter().all(|one| is_signed(one, secret)), "{got:?}");
    assert!(
        !is_signed(&got[0], other["secret"].as_str().unwrap()),
        "each endpoint has its own secret"
    );
    let bodies: Vec<Value> = got.iter().map(|one| serde_json::from_str(&one.body).unwrap()).collect();
    let seqs: Vec<i64> = bodies.iter().map(|body| body["seq"].as_i64().unwrap()).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    let types: BTreeSet<&str> = bodies.iter().map(|body| body["type"].as_str().unwrap()).collect();
    assert!(
        types.is_superset(&["order.paid", "ticket.issued", "person.registered"].into()),
        "{types:?}"
    );
    assert!(
        got.iter().all(|one| !one.body.contains("example.org")),
        "no addresses of people"
    );
}

#[test]
fn changes_arrive_signed_and_in_order_and_what_fails_comes_again() {
    let (home, receiver) = (Home::new(), Receiver::new());
    let server = home.serve_with(|command| command.env("BILTEN_WEBHOOKS_ALLOW_PRIVATE", "true"));
    let admin = server.admin();
    let show = Show::open(&admin, None, 700);
    let owner = server.bearer(&token(&admin, &show.organizer_id, "owner"));
    let all = endpoint(&owner, &show, &receiver.url("/ok"), &[]);
    let flaky = endpoint(&owner, &show, &receiver.url("/flaky"), &["order.paid"]);
    let slow = endpoint(&owner, &show, &receiver.url("/slow"), &["order.paid"]);
    let redirect = endpoint(&owner, &show, &receiver.url("/redirect"), &["order.paid"]);
    let gone = endpoint(&owner, &show, &receiver.url("/gone"), &["order.paid"]);
    let buyer = Buyer {
        client: server.public(),
        show: &show,
    };
    buyer.buy(2);
    let made = "select count(*) from order_changes where change_type = 'order.paid'";
    crate::shared::eventually_counts(&admin, made, 1);
    until("all is delivered", || {
        let all = deliveries(&owner, &all, "");
        all.iter().any(|one| one["change_type"] == "order.paid") && all.iter().all(|one| one["status"] == "delivered")
    });
    assert_in_order(&receiver, &all, &flaky);
    until("the flaky one takes it at the second attempt", || {
        deliveries(&owner, &flaky, "status=delivered").len() == 1
    });
    let twice = receiver.received("/flaky");
    assert_eq!(twice.len(), 2);
    assert_eq!(twice[0].header("webhook-id"), twice[1].header("webhook-id"));
    assert!(
        twice
            .iter()
            .all(|one| is_signed(one, flaky["secret"].as_str().unwrap()))
    );
    until("a redirect is a failure", || {
        let waiting = deliveries(&owner, &redirect, "status=waiting");
        waiting.first().is_some_and(|one| one["response_status"] == 302)
    });
    assert!(receiver.received("/trap").is_empty(), "and is not followed");
    until("410 turns the endpoint off", || {
        let path = format!(
            "/v1/webhook-endpoints/{}",
            gone["webhook_endpoint_id"].as_str().unwrap()
        );
        owner.get(&path).expect(200)["active"] == false
    });
    until("who is too slow has failed", || {
        let waiting = deliveries(&owner, &slow, "status=waiting");
        waiting
            .first()
            .is_some_and(|one| one["reason"] == "there was no answer in time")
    });

    let paid = deliveries(&owner, &flaky, "").remove(0);
    let again = format!(
        "/v1/webhook-deliveries/{}/send-again",
        paid["webhook_delivery_id"].as_str().unwrap()
    );
    owner.post(&again, &json!({})).expect(200);
    until("it is sent once more by hand", || {
        receiver.received("/flaky").len() == 3
    });
}

#[test]
fn after_a_rotation_both_secrets_sign() {
    let (home, receiver) = (Home::new(), Receiver::new());
    let server = home.serve_with(|command| command.env("BILTEN_WEBHOOKS_ALLOW_PRIVATE", "true"));
    let admin = server.admin();
    let show = Show::open(&admin, None, 700);
    let manager = server.bearer(&token(&admin, &show.organizer_id, "manager"));
    let made = endpoint(&admin, &show, &receiver.url("/ok"), &["order.paid"]);
    let rotate = format!(
        "/v1/webhook-endpoints/{}/rotate-secret",
        made["webhook_endpoint_id"].as_str().unwrap()
    );
    manager.post(&rotate, &json!({})).problem(403, "forbidden");
    let rotated = admin.post(&rotate, &json!({})).expect(200);
    assert_ne!(rotated["secret"], made["secret"]);
    let buyer = Buyer {
        client: server.public(),
        show: &show,
    };
    buyer.buy(1);
    until("the purchase is told", || !receiver.received("/ok").is_empty());
    let told = receiver.received("/ok").remove(0);
    for secret in [&made["secret"], &rotated["secret"]] {
        assert!(is_signed(&told, secret.as_str().unwrap()), "{told:?}");
    }
    server.stop();
}

#[test]
fn a_delivery_that_a_crash_interrupts_is_made_afterwards() {
    let (home, receiver) = (Home::new(), Receiver::new());
    let serve = || home.serve_with(|command| command.env("BILTEN_WEBHOOKS_ALLOW_PRIVATE", "true"));
    let server = serve();
    let admin = server.admin();
    let show = Show::open(&admin, None, 700);
    endpoint(&admin, &show, &receiver.url("/ok"), &["order.paid"]);
    let buyer = Buyer {
        client: server.public(),
        show: &show,
    };
    for _ in 0..20 {
        buyer.buy(1);
    }
    server.kill_9();
    let server = serve();
    let ids = || -> BTreeSet<String> {
        let received = receiver.received("/ok");
        received.iter().map(|one| one.header("webhook-id").to_owned()).collect()
    };
    until("every purchase is told", || ids().len() == 20);
    let changes: BTreeSet<String> = receiver.received("/ok").into_iter().map(|one| one.body).collect();
    assert_eq!(changes.len(), 20, "a repeat has the id and the body of the first");
    server.stop();
}

#[test]
fn an_endpoint_is_public_https_and_its_owners_alone() {
    let shared = crate::shared::server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let owner = shared.server.bearer(&token(&admin, &show.organizer_id, "owner"));
    for url in [
        "http://hooks.example.org/",
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest",
        "https://user:pass@hooks.example.org/",
    ] {
        let refused = owner.post(&show.path("webhook-endpoints"), &json!({ "url": url }));
        assert_eq!(refused.problem(422, "invalid_field")["pointer"], "/url", "{url}");
    }
    let made = endpoint(&owner, &show, "https://hooks.example.org/s3cret-path", &["order.paid"]);
    let path = format!(
        "/v1/webhook-endpoints/{}",
        made["webhook_endpoint_id"].as_str().unwrap()
    );
    assert!(owner.get(&path).expect(200).get("secret").is_none(), "it is shown once");
    let manager = shared.server.bearer(&token(&admin, &show.organizer_id, "manager"));
    manager.get(&path).problem(403, "forbidden");
    let other = Show::open(&admin, None, 700);
    let stranger = shared.server.bearer(&token(&admin, &other.organizer_id, "owner"));
    stranger.get(&path).problem(404, "not_found");
    let count = format!(
        "select count(*) from webhook_endpoints where organizer_id = '{}'",
        show.organizer_id
    );
    crate::shared::eventually_counts(&owner, &count, 1);
    let rows = owner.sql("select * from webhook_endpoint_changes");
    assert!(
        !json!(rows).to_string().contains("s3cret-path"),
        "the lake has the host alone: {rows:?}"
    );
}
