//! A small world: an organizer with an event on sale, staff with tokens, and buyers. Each step is one request, as any
//! program outside would make it.

use crate::{Client, Response};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{InteractionId, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

const HOUR: i64 = 3_600_000_000;

/// An organizer, its published event with one pool and one ticket type, and a check-in list.
#[derive(Clone, Debug)]
pub struct Show {
    pub organizer_id: String,
    pub event_id: String,
    pub pool_id: String,
    pub ticket_type_id: String,
    pub check_in_list_id: String,
    /// What the payment provider signs its reports with.
    webhook: Webhook,
}

#[derive(Clone, Debug)]
struct Webhook {
    header: String,
    secret: Vec<u8>,
}

/// Somebody at the shop.
#[derive(Debug)]
pub struct Buyer<'s> {
    pub client: Client,
    pub show: &'s Show,
}

/// An order as its buyer knows it.
#[derive(Clone, Debug)]
pub struct Purchase {
    pub order_id: String,
    pub secret: String,
    pub payment: Value,
}

impl Show {
    /// Opens a show with room for so many, at this price. `None`: without limit.
    #[track_caller]
    pub fn open(admin: &Client, capacity: Option<i64>, amount_minor: i64) -> Self {
        let organizer_id = id(&admin.post("/v1/organizers", &organizer()), "id");
        Self::open_for(admin, organizer_id, capacity, amount_minor)
    }

    /// Another show of an organizer that is there.
    #[track_caller]
    pub fn open_for(admin: &Client, organizer_id: String, capacity: Option<i64>, amount_minor: i64) -> Self {
        let event_id = id(
            &admin.post(&format!("/v1/organizers/{organizer_id}/events"), &event("Late Quartet")),
            "event_id",
        );
        let of_event = |what: &str| format!("/v1/events/{event_id}/{what}");
        let pool = json!({ "name": "House", "capacity": capacity });
        let pool_id = id(&admin.post(&of_event("pools"), &pool), "pool_id");
        let ticket_type = ticket_type(&pool_id, amount_minor);
        let ticket_type_id = id(&admin.post(&of_event("ticket-types"), &ticket_type), "ticket_type_id");
        let list = json!({ "name": "Main entrance" });
        let check_in_list_id = id(&admin.post(&of_event("check-in-lists"), &list), "check_in_list_id");
        admin.post(&of_event("publish"), &json!({})).expect(200);
        let webhook = Webhook::of(admin);
        Self {
            organizer_id,
            event_id,
            pool_id,
            ticket_type_id,
            check_in_list_id,
            webhook,
        }
    }

    pub fn path(&self, what: &str) -> String {
        format!("/v1/organizers/{}/{what}", self.organizer_id)
    }

    pub fn of_event(&self, what: &str) -> String {
        format!("/v1/events/{}/{what}", self.event_id)
    }

    pub fn hold_body(&self, quantity: i64) -> Value {
        let line = json!({ "ticket_type_id": self.ticket_type_id, "quantity": quantity });
        json!({ "event_id": self.event_id, "lines": [line] })
    }

    /// The provider's report on a payment, signed: header, its value, body.
    pub fn report(&self, payment: &Value, outcome: &str) -> (&str, String, String) {
        self.signed(&report_body(payment, outcome))
    }

    /// Any report of the provider, signed.
    pub fn signed(&self, report: &Value) -> (&str, String, String) {
        let body = report.to_string();
        (&self.webhook.header, self.webhook.sign(body.as_bytes()), body)
    }

    pub fn redeem_path(&self) -> String {
        format!("/v1/check-in-lists/{}/redeem", self.check_in_list_id)
    }
}

impl Webhook {
    fn of(admin: &Client) -> Self {
        let provider = admin.get("/v1/payment-providers/test").expect(200);
        let hex = provider["secret_hex"].as_str().unwrap().as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let header = provider["signature_header"].as_str().unwrap().to_owned();
        Self {
            header,
            secret: hex.chunks(2).map(byte).collect(),
        }
    }

    fn sign(&self, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).unwrap();
        mac.update(body);
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

/// What the test provider sends.
fn report_body(payment: &Value, outcome: &str) -> Value {
    json!({
        "provider": payment["provider"],
        "ext_id": format!("{}:{outcome}", payment["payment_id"].as_str().unwrap()),
        "provider_ref": payment["provider_ref"],
        "outcome": outcome,
        "amount": payment["amount"],
    })
}

impl Buyer<'_> {
    /// Holds, checks out and pays: a purchase as any shop does it, with the provider's report sent at once.
    #[track_caller]
    pub fn buy(&self, quantity: i64) -> Purchase {
        let purchase = self.order(quantity, "test_manual");
        let paid = self.pay(&purchase).expect(200);
        assert_eq!(paid["result"], "succeeded");
        purchase
    }

    #[track_caller]
    pub fn order(&self, quantity: i64, method: &str) -> Purchase {
        let hold = self
            .client
            .post("/v1/holds", &self.show.hold_body(quantity))
            .expect(201);
        let order = self.client.post("/v1/orders", &order_body(&hold, method)).expect(201);
        Purchase::of(&order)
    }

    #[track_caller]
    pub fn pay(&self, purchase: &Purchase) -> Response {
        self.tell(purchase, "succeeded")
    }

    /// What the provider says of a purchase's payment.
    #[track_caller]
    pub fn tell(&self, purchase: &Purchase, outcome: &str) -> Response {
        let (header, signature, body) = self.show.report(&purchase.payment, outcome);
        let request = self.client.request("POST", "/v1/webhooks/payments/test");
        request.header(header, &signature).body("application/json", body).send()
    }

    /// The codes of the purchase's tickets.
    #[track_caller]
    pub fn codes(&self, purchase: &Purchase) -> Vec<String> {
        let tickets = self.client.get(&purchase.path("/tickets")).expect(200);
        let codes = tickets
            .as_array()
            .unwrap()
            .iter()
            .map(|ticket| ticket["code"].as_str().unwrap().to_owned());
        codes.collect()
    }

    #[track_caller]
    pub fn status(&self, purchase: &Purchase) -> String {
        self.client.get(&purchase.path("")).expect(200)["status"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

impl Purchase {
    #[track_caller]
    pub fn of(order: &Value) -> Self {
        let text = |name: &str| {
            order[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name} in {order}"))
                .to_owned()
        };
        Self {
            order_id: text("order_id"),
            secret: text("secret"),
            payment: order["payments"][0].clone(),
        }
    }

    pub fn path(&self, what: &str) -> String {
        format!("/v1/orders/{}{what}?secret={}", self.order_id, self.secret)
    }
}

pub fn order_body(hold: &Value, method: &str) -> Value {
    json!({
        "hold_id": hold["hold_id"],
        "buyer": { "email": format!("ada.{}@example.org", next()), "name": "Ada Lovelace" },
        "payment_method": method,
    })
}

pub fn organizer() -> Value {
    json!({
        "slug": format!("o-{}-{}", std::process::id(), next()),
        "name": "Jazz im Hof", "currency": "EUR", "timezone": "Europe/Vienna", "city": "Vienna", "country": "AT",
    })
}

pub fn event(title: &str) -> Value {
    let now = now_micros();
    json!({
        "title": title, "starts_at": iso(now + 24 * HOUR), "ends_at": iso(now + 27 * HOUR),
        "timezone": "Europe/Vienna", "currency": "EUR", "category": "concert", "language": "de",
    })
}

pub fn ticket_type(pool_id: &str, amount_minor: i64) -> Value {
    json!({ "name": "Regular", "pools": [pool_id], "prices": [{ "amount_minor": amount_minor }], "max_per_order": 10 })
}

/// A token of this role with this organizer.
#[track_caller]
pub fn token(admin: &Client, organizer_id: &str, role: &str) -> String {
    let body = json!({ "name": format!("a {role}"), "role": role });
    let created = admin
        .post(&format!("/v1/organizers/{organizer_id}/api-tokens"), &body)
        .expect(201);
    created["secret"].as_str().unwrap().to_owned()
}

/// A scan at a door, with a nonce of its own.
pub fn scan(code: &str) -> Value {
    json!({ "code": code, "nonce": uuid7(), "gate": "north" })
}

/// A page view.
pub fn interaction(organizer_id: &str, event_id: Option<&str>) -> Value {
    json!({
        "interaction_id": uuid7(), "kind": "event_view", "organizer_id": organizer_id, "event_id": event_id,
        "visitor_id": format!("v{}", next() % 1000), "session_id": format!("s{}", next() % 3000),
        "occurred_at": iso(now_micros()), "url": "https://shop.example.org/late-quartet", "utm_source": "newsletter",
        "properties": { "position": 3 }, "consent": { "analytics": true },
    })
}

/// The id in an answer that has to be 201.
#[track_caller]
fn id(created: &Response, name: &str) -> String {
    let body = created.expect(201);
    body[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {body}"))
        .to_owned()
}

/// A number that this process has not used.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub fn uuid7() -> String {
    InteractionId::new().to_string()
}

pub fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

pub fn iso(micros: i64) -> String {
    Timestamp::from_micros(micros).to_string()
}
