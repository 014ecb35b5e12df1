//! Against a server that speaks Stripe's shapes: it takes forms, remembers idempotency keys, and signs its events.

use super::*;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use domain::{
    EventId, OrderId, OrganizerId, PaymentId, RefundId,
    changes::Refund,
    order::{PaymentStatus, RefundReason, RefundStatus},
};
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use transactional::{StoreOptions, Stored};

const KEY: &str = "sk_test_key";
const SECRET: &str = "whsec_test";

#[derive(Default)]
struct Books {
    /// What was asked under each idempotency key, and answered.
    answers: HashMap<String, (String, Value)>,
    asked: Vec<HashMap<String, String>>,
    /// The newest first, as Stripe tells them.
    events: Vec<Value>,
    /// Answered instead, once.
    trouble: Option<(u16, Value)>,
    keys: Vec<String>,
}

type Shared = Arc<Mutex<Books>>;
type Answer = (StatusCode, Json<Value>);

fn answer(books: &Shared, headers: &HeaderMap, body: &Bytes, make: impl Fn(usize) -> Value) -> Answer {
    let mut books = books.lock().unwrap();
    if headers["authorization"] != format!("Bearer {KEY}") {
        return (
            StatusCode::UNAUTHORIZED,
            Json(json!({ "error": { "message": "Invalid API Key" } })),
        );
    }
    if let Some((status, body)) = books.trouble.take() {
        return (StatusCode::from_u16(status).unwrap(), Json(body));
    }
    let (key, form) = (headers["idempotency-key"].to_str().unwrap().to_owned(), form(body));
    let text = String::from_utf8(body.to_vec()).unwrap();
    books.keys.push(key.clone());
    if let Some((asked, answered)) = books.answers.get(&key) {
        assert_eq!(*asked, text, "Stripe refuses another request under the same key");
        return (StatusCode::OK, Json(answered.clone()));
    }
    let answered = make(books.asked.len());
    books.asked.push(form);
    books.answers.insert(key, (text, answered.clone()));
    (StatusCode::OK, Json(answered))
}

fn form(body: &[u8]) -> HashMap<String, String> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

async fn sessions(State(books): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    answer(
        &books,
        &headers,
        &body,
        |n| json!({ "id": format!("cs_{n}"), "object": "checkout.session", "url": format!("https://checkout.example/{n}") }),
    )
}

async fn refunds(State(books): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    answer(
        &books,
        &headers,
        &body,
        |n| json!({ "id": format!("re_{n}"), "object": "refund", "status": "pending" }),
    )
}

async fn events(State(books): State<Shared>, RawQuery(query): RawQuery) -> Json<Value> {
    let query: Vec<(String, String)> = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    let value = |name: &str| {
        query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    assert_eq!(query.iter().filter(|(key, _)| key == "types[]").count(), EVENTS.len());
    let number = |name: &str| value(name).unwrap().parse::<i64>().unwrap();
    let books = books.lock().unwrap();
    let mut found: Vec<Value> = books
        .events
        .iter()
        .filter(|event| (number("created[gte]")..number("created[lt]")).contains(&event["created"].as_i64().unwrap()))
        .cloned()
        .collect();
    if let Some(after) = value("starting_after") {
        let place = found.iter().position(|event| event["id"] == after).unwrap();
        found.drain(..=place);
    }
    let limit = number("limit") as usize;
    let has_more = found.len() > limit;
    found.truncate(limit);
    Json(json!({ "object": "list", "data": found, "has_more": has_more }))
}

async fn stripe() -> (Stripe, Shared) {
    let books = Shared::default();
    let router = Router::new()
        .route("/v1/checkout/sessions", post(sessions))
        .route("/v1/refunds", post(refunds))
        .route("/v1/events", get(events))
        .with_state(books.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let options = StripeOptions {
        stripe_secret_key: Some(KEY.into()),
        stripe_webhook_secret: Some(SECRET.into()),
        stripe_return_url: None,
        stripe_api_url: format!("http://{address}/"),
    };
    (Stripe::new(&options).unwrap().unwrap(), books)
}

fn payment() -> Payment {
    let payment_id = PaymentId::new();
    Payment {
        payment_id,
        order_id: OrderId::new(),
        event_id: EventId::new(),
        provider: "stripe".into(),
        provider_ref: payment_id.to_string(),
        status: PaymentStatus::Pending,
        amount_minor: 1_250,
        currency: "JPY".parse().unwrap(),
        platform_fee_minor: 0,
    }
}

fn due(payment: &Payment, payment_ref: Option<&str>) -> DueRefund {
    let stored = |value| Stored {
        organizer_id: OrganizerId::new(),
        version: 1,
        value,
    };
    let refund = Refund {
        refund_id: RefundId::new(),
        payment_id: payment.payment_id,
        order_id: payment.order_id,
        event_id: payment.event_id,
        provider: "stripe".into(),
        status: RefundStatus::Pending,
        reason: RefundReason::Staff,
        amount_minor: 250,
        currency: payment.currency,
    };
    DueRefund {
        refund: Stored {
            organizer_id: OrganizerId::new(),
            version: 1,
            value: refund,
        },
        payment: stored(payment.clone()),
        payment_ref: payment_ref.map(str::to_owned),
        method: "stripe".into(),
        tries: 0,
    }
}

fn event(kind: &str, object: Value) -> Value {
    json!({ "id": format!("evt_{kind}"), "object": "event", "type": kind, "created": 1_000, "data": { "object": object } })
}

fn sign(time: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("t={time},v1=00ff,v1={hex},v0=dead")
}

fn now() -> i64 {
    Timestamp::now().as_micros() / 1_000_000
}

fn verified(stripe: &Stripe, event: &Value) -> Result<Option<Report>> {
    let body = serde_json::to_vec(event).unwrap();
    stripe.verify(Some(&sign(now(), &body)), &body)
}

const BACK: &str = "https://shop.example/order#id/secret";

#[tokio::test]
async fn a_payment_is_asked_for_once_and_paid_at_stripes_page() {
    let (stripe, books) = stripe().await;
    let payment = payment();
    let first = stripe.start(&payment, "stripe", BACK).await.unwrap();
    assert_eq!(first, NextStep::Redirect("https://checkout.example/0".into()));
    assert_eq!(
        stripe.start(&payment, "stripe", BACK).await.unwrap(),
        first,
        "after a crash"
    );
    let books = books.lock().unwrap();
    let asked = &books.asked[0];
    assert_eq!(books.asked.len(), 1);
    assert_eq!(asked["line_items[0][price_data][unit_amount]"], "1250");
    assert_eq!(asked["line_items[0][price_data][currency]"], "jpy");
    assert_eq!(
        asked["payment_intent_data[metadata][payment_id]"],
        payment.payment_id.to_string()
    );
    assert_eq!(
        (asked["success_url"].as_str(), asked["cancel_url"].as_str()),
        (BACK, BACK)
    );
}

#[tokio::test]
async fn trouble_is_told_apart_from_refusal() {
    let (stripe, books) = stripe().await;
    let trouble = |status: u16| {
        books.lock().unwrap().trouble = Some((status, json!({ "error": { "message": "Charge already refunded" } })));
    };
    let payment = payment();
    for status in [429, 500, 503, 409] {
        trouble(status);
        let error = stripe.start(&payment, "stripe", BACK).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{status}: {error:?}");
        trouble(status);
        assert!(stripe.refund(&due(&payment, Some("pi_1"))).await.is_err(), "{status}");
    }
    trouble(400);
    let due = due(&payment, Some("pi_1"));
    let Ok(RefundAnswer::Reported(report)) = stripe.refund(&due).await else {
        panic!("a refusal is an answer")
    };
    assert_eq!(report.outcome, ReportedOutcome::RefundFailed);
    assert_eq!(report.subject_ref, Some(due.refund.refund_id.to_string()));
}

#[tokio::test]
async fn a_refund_is_asked_for_by_stripes_id_of_the_payment_once() {
    let (stripe, books) = stripe().await;
    let payment = payment();
    assert!(
        stripe.refund(&due(&payment, None)).await.is_err(),
        "it is not known yet"
    );
    let due = due(&payment, Some("pi_7"));
    for _ in 0..2 {
        let Ok(RefundAnswer::Accepted(id)) = stripe.refund(&due).await else {
            panic!("it is accepted")
        };
        assert_eq!(id, "re_0");
    }
    let books = books.lock().unwrap();
    assert_eq!(books.asked.len(), 1);
    assert_eq!(
        (
            books.asked[0]["payment_intent"].as_str(),
            books.asked[0]["amount"].as_str()
        ),
        ("pi_7", "250")
    );
    assert_eq!(books.keys, vec![due.refund.refund_id.to_string(); 2]);
}

#[tokio::test]
async fn events_are_read_as_what_they_say_of_a_payment() {
    let (stripe, _) = stripe().await;
    let told = |kind: &str, object: Value| verified(&stripe, &event(kind, object)).unwrap();
    let ours = json!({ "payment_id": "p1", "refund_id": "r1" });
    let paid = told(
        "payment_intent.succeeded",
        json!({ "id": "pi_1", "amount": 9, "amount_received": 1250, "currency": "eur", "metadata": ours }),
    );
    let paid = paid.unwrap();
    assert_eq!(paid.ext_id, "evt_payment_intent.succeeded");
    assert_eq!(
        (paid.provider_ref.as_deref(), paid.external_ref.as_deref()),
        (Some("p1"), Some("pi_1"))
    );
    assert_eq!(paid.amount, Money::new(1_250, "EUR".parse().unwrap()));
    let refund = |status: &str, metadata: &Value| {
        told(
            "refund.updated",
            json!({ "id": "re_1", "payment_intent": "pi_1", "amount": 5, "currency": "eur", "status": status,
                    "metadata": metadata }),
        )
    };
    let known = refund("succeeded", &ours).unwrap();
    assert_eq!(
        (known.outcome, known.subject_ref.as_deref()),
        (ReportedOutcome::Refunded, Some("r1"))
    );
    let external = refund("failed", &json!({})).unwrap();
    assert_eq!(
        (external.outcome, external.subject_ref.as_deref()),
        (ReportedOutcome::RefundFailed, Some("re_1"))
    );
    assert_eq!(external.provider_ref, None);
    assert_eq!(refund("pending", &ours), None);
    let dispute = |status: &str| {
        let object =
            json!({ "id": "dp_1", "payment_intent": "pi_1", "amount": 5, "currency": "eur", "status": status });
        told("charge.dispute.closed", object).map(|report| report.outcome)
    };
    assert_eq!(dispute("won"), Some(ReportedOutcome::DisputeWon));
    assert_eq!(dispute("lost"), Some(ReportedOutcome::DisputeLost));
    assert_eq!(dispute("under_review"), None);
    assert_eq!(
        told("customer.created", json!({ "id": "cus_1" })),
        None,
        "of nothing here"
    );
    let broken = event("payment_intent.succeeded", json!({ "id": "pi_1", "currency": "eur" }));
    assert_eq!(verified(&stripe, &broken).unwrap_err().code(), "invalid", "no amount");
}

#[tokio::test]
async fn only_what_stripe_signed_in_these_minutes_is_believed() {
    let (stripe, _) = stripe().await;
    let body = serde_json::to_vec(&event("customer.created", json!({}))).unwrap();
    let code = |signature: Option<&str>, body: &[u8]| {
        stripe
            .verify(signature, body)
            .err()
            .map(|error| error.code().to_owned())
    };
    assert_eq!(code(Some(&sign(now(), &body)), &body), None);
    let bad = Some("bad_signature".to_owned());
    assert_eq!(
        code(Some(&sign(now() - 301, &body)), &body),
        bad,
        "an old one played again"
    );
    assert_eq!(code(Some(&sign(now() + 400, &body)), &body), bad);
    assert_eq!(code(Some(&sign(now(), b"{}")), &body), bad, "of another body");
    let renewed = sign(now() - 301, &body).replace(&format!("t={}", now() - 301), &format!("t={}", now()));
    assert_eq!(code(Some(&renewed), &body), bad, "the time is signed too");
    for garbage in ["", "t=1", "v1=00", "t=x,v1=zz", "t=,v1=", "====", "t=1,v1=é"] {
        assert_eq!(code(Some(garbage), &body), bad, "{garbage}");
    }
    assert_eq!(code(None, &body), bad);
}

#[tokio::test]
async fn the_days_events_are_read_page_by_page_and_told_as_they_happened() {
    let (stripe, books) = stripe().await;
    let count = PAGE + 3;
    let made = (0..count).rev().map(|n| {
        json!({ "id": format!("evt_{n}"), "type": "payment_intent.succeeded", "created": 1_000 + n as i64,
                "data": { "object": { "id": "pi", "amount_received": n, "currency": "eur", "metadata": {} } } })
    });
    books.lock().unwrap().events = made.collect();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("core.db").display());
    let store = Store::open(&url, StoreOptions::default()).await.unwrap();
    let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
    let all = stripe.reports(&store, at(0), at(10_000)).await.unwrap();
    let amounts: Vec<i64> = all.iter().map(|report| report.amount.amount_minor).collect();
    assert_eq!(amounts, (0..count as i64).collect::<Vec<_>>());
    assert_eq!(stripe.reports(&store, at(1_001), at(1_003)).await.unwrap().len(), 2);
}
