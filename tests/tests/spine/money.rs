//! Money over HTTP: refunds, the buyer's own cancellation, disputes, the ledger and payouts, the day's reconciliation,
//! and Stripe in the place of the test provider.

use crate::shared::{eventually, eventually_counts, server, until};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};
use tests::{Buyer, Client, Home, Purchase, Show, event, iso, now_micros, order_body, scan, token};

const PRICE: i64 = 2_500;

fn eur(amount_minor: i64) -> Value {
    json!({ "amount_minor": amount_minor, "currency": "EUR" })
}

/// The test provider says something of a payment beside its end.
#[track_caller]
fn tell(buyer: &Buyer, purchase: &Purchase, outcome: &str, subject: &str, amount: i64) -> String {
    let payment = &purchase.payment;
    let (header, signature, body) = buyer.show.signed(&json!({
        "provider": "test", "ext_id": format!("{}:{outcome}:{subject}", purchase.order_id), "outcome": outcome,
        "provider_ref": payment["provider_ref"], "subject_ref": subject, "amount": eur(amount),
    }));
    let request = buyer.client.request("POST", "/v1/webhooks/payments/test");
    let answer = request.header(header, &signature).body("application/json", body).send();
    answer.expect(200)["result"].as_str().unwrap().to_owned()
}

#[test]
fn refunds_go_back_in_parts_and_the_lake_shows_them() {
    let shared = server();
    let (admin, show) = (
        shared.server.admin(),
        Show::open(&shared.server.admin(), Some(10), PRICE),
    );
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let purchase = buyer.buy(2);
    let path = format!("/v1/orders/{}/refunds", purchase.order_id);
    let manager = shared.server.bearer(&token(&admin, &show.organizer_id, "manager"));
    let door = shared.server.bearer(&token(&admin, &show.organizer_id, "door"));
    door.post(&path, &json!({ "amount": eur(1) })).problem(403, "forbidden");
    buyer
        .client
        .post(&path, &json!({ "amount": eur(1) }))
        .problem(401, "unauthenticated");

    let once = || {
        manager
            .request("POST", &path)
            .idempotent("refund-1")
            .json(&json!({ "amount": eur(700) }))
            .send()
    };
    let first = once().expect(201);
    assert_eq!(
        (&first["status"], &first["amount"], &first["reason"]),
        (&json!("pending"), &eur(700), &json!("staff"))
    );
    assert_eq!(
        once().expect(201)["refund_id"],
        first["refund_id"],
        "the same answer, and no second refund"
    );
    let tickets = buyer.client.get(&purchase.path("/tickets")).expect(200);
    let back = json!({ "tickets": [tickets[0]["ticket_id"]] });
    assert_eq!(manager.post(&path, &back).expect(201)["amount"], eur(PRICE));
    manager.post(&path, &back).problem(422, "ticket_unknown");
    manager
        .post(&path, &json!({ "amount": eur(PRICE - 699) }))
        .problem(409, "refund_too_large");
    refuse_wrong_refunds(&manager, &path);
    manager.post(&path, &json!({ "amount": eur(PRICE - 700) })).expect(201);
    let void = json!({ "tickets": [tickets[1]["ticket_id"]] });
    assert_eq!(
        manager.post(&path, &void).status,
        204,
        "there is no money left to go back"
    );

    let order = eventually("the provider has paid all of it back", || {
        let order = buyer.client.get(&purchase.path("")).expect(200);
        let refunds = order["refunds"].as_array().unwrap().clone();
        (refunds.len() == 3 && refunds.iter().all(|refund| refund["status"] == "succeeded")).then_some(order)
    });
    assert_eq!(
        (&order["status"], &order["refunded"]),
        (&json!("cancelled"), &eur(2 * PRICE))
    );
    let sql = format!(
        "select coalesce(sum(amount_minor), 0) from refunds where order_id = '{}' and status = 'succeeded'",
        purchase.order_id
    );
    eventually_counts(&admin, &sql, 2 * PRICE);
    assert_eq!(admin.post("/v1/audit", &json!({})).expect(200)["clean"], true);
}

#[track_caller]
fn refuse_wrong_refunds(manager: &Client, path: &str) {
    for wrong in [
        json!({}),
        json!({ "amount": eur(1), "tickets": [] }),
        json!({ "amount": { "amount_minor": 1 } }),
    ] {
        let status = manager.post(path, &wrong).status;
        assert!([400, 422].contains(&status), "{wrong}: {status}");
    }
    let other = json!({ "amount": { "amount_minor": 1, "currency": "USD" } });
    manager.post(path, &other).problem(422, "invalid");
    for nothing in [0, -5] {
        let problem = manager
            .post(path, &json!({ "amount": eur(nothing) }))
            .problem(422, "invalid");
        assert_eq!(problem["pointer"], "/amount/amount_minor");
    }
}

#[test]
fn a_buyer_cancels_with_the_orders_secret_while_the_event_allows_it() {
    let shared = server();
    let (admin, show) = (
        shared.server.admin(),
        Show::open(&shared.server.admin(), Some(10), PRICE),
    );
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let (first, second) = (buyer.buy(1), buyer.buy(1));
    let cancel = |purchase: &Purchase| buyer.client.post(&purchase.path("/cancel"), &json!({}));
    cancel(&first).problem(409, "not_refundable");
    let mut details = event("Late Quartet");
    details["refundable_until"] = json!(iso(now_micros() + 3_600_000_000));
    admin
        .put(&format!("/v1/events/{}", show.event_id), &details)
        .expect(200);
    let wrong = format!("/v1/orders/{}/cancel?secret={}", first.order_id, second.secret);
    buyer.client.post(&wrong, &json!({})).problem(404, "not_found");
    let nobody = format!("/v1/orders/{}/cancel", first.order_id);
    buyer.client.post(&nobody, &json!({})).problem(404, "not_found");
    let cancelled = cancel(&first).expect(200);
    assert_eq!(
        (&cancelled["status"], &cancelled["refunded"]),
        (&json!("cancelled"), &eur(PRICE))
    );
    cancel(&first).problem(409, "order_closed");
    let code = buyer.codes(&second).remove(0);
    assert_eq!(
        admin.post(&show.redeem_path(), &scan(&code)).expect(200)["verdict"],
        "accepted"
    );
    cancel(&second).problem(409, "ticket_used");
}

#[test]
fn a_dispute_and_a_payout_stand_in_the_ledger() {
    let shared = server();
    let (admin, show) = (
        shared.server.admin(),
        Show::open(&shared.server.admin(), Some(10), PRICE),
    );
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let owner = shared.server.bearer(&token(&admin, &show.organizer_id, "owner"));
    let fee = json!({ "platform_fee_bps": 500 });
    owner.put(&show.path("platform-fee"), &fee).problem(403, "forbidden");
    admin
        .put(&show.path("platform-fee"), &json!({ "platform_fee_bps": 10_001 }))
        .problem(422, "invalid");
    admin.put(&show.path("platform-fee"), &fee).expect(200);
    let purchase = buyer.buy(2);
    let owed = || owner.get(&show.path("balances")).expect(200)[0]["owed"].clone();
    let told = || {
        let rows = owner
            .post("/v1/metrics/query", &json!({ "metrics": ["owed"] }))
            .expect(200);
        rows[0]["owed"] == owed()["amount_minor"]
    };
    assert_eq!(owed(), eur(4_750));
    until("the metric is the balance", told);
    assert_eq!(tell(&buyer, &purchase, "dispute_opened", "d1", 5_000), "dispute_opened");
    assert_eq!(tell(&buyer, &purchase, "dispute_opened", "d1", 5_000), "repeated");
    assert_eq!(owner.get(&show.path("disputes")).expect(200)[0]["status"], "open");
    assert_eq!(tell(&buyer, &purchase, "dispute_lost", "d1", 5_000), "dispute_lost");
    assert_eq!(
        owed(),
        eur(-250),
        "the organizer bears it, and the platform keeps its fee"
    );
    until("the metric is the balance after a lost dispute", told);
    let payout = json!({ "currency": "EUR", "reference": "SEPA 7" });
    admin.post(&show.path("payouts"), &payout).problem(409, "nothing_owed");
    buyer.buy(1);
    owner.post(&show.path("payouts"), &payout).problem(403, "forbidden");
    assert_eq!(
        admin.post(&show.path("payouts"), &payout).expect(201)["amount"],
        eur(2_375 - 250)
    );
    assert_eq!(owed(), eur(0));
    assert_eq!(owner.get(&show.path("payouts")).expect(200)[0]["reference"], "SEPA 7");
    let first = owner.get(&format!("{}?limit=3", show.path("ledger"))).expect(200);
    let kinds = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&first), ["payout", "payment", "dispute_lost"]);
    let next = format!(
        "{}?cursor={}",
        show.path("ledger"),
        first["next_cursor"].as_str().unwrap()
    );
    assert_eq!(kinds(&owner.get(&next).expect(200)), ["dispute", "payment"]);
}

#[test]
fn a_day_is_reconciled_when_it_is_over() {
    let shared = server();
    let admin = shared.server.admin();
    let path = "/v1/reconciliations";
    let show = Show::open(&admin, None, 0);
    let owner = shared.server.bearer(&token(&admin, &show.organizer_id, "owner"));
    owner.get(path).problem(403, "forbidden");
    let today = iso(now_micros())[..10].to_owned();
    admin.post(path, &json!({ "day": today })).problem(422, "invalid");
    admin.post(path, &json!({ "day": "yesterday" })).problem(422, "invalid");
    let done = admin.post(path, &json!({ "day": "2026-01-01" })).expect(200);
    assert_eq!((&done["reports"], &done["differences"]), (&json!(0), &json!([])));
    let listed = admin.get(path).expect(200);
    assert!(listed.as_array().unwrap().contains(&done), "{listed}");
}

/// A server that answers as Stripe does to a payment and a refund, and keeps what it was asked.
fn stripe() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let heard = asked.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let heard = heard.clone();
            std::thread::spawn(move || while answer(&client, &heard).is_some() {});
        }
    });
    (address, asked)
}

fn answer(mut client: &TcpStream, heard: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(client);
    let (mut request, mut line, mut length) = (String::new(), String::new(), 0);
    while reader.read_line(&mut line).ok()? > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
        request += &std::mem::take(&mut line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = if request.starts_with("POST /v1/checkout/sessions ") {
        json!({ "id": "cs_1", "url": "https://checkout.stripe.example/cs_1" })
    } else {
        json!({ "id": "re_1", "status": "pending" })
    };
    heard.lock().unwrap().push(request + &String::from_utf8(body).ok()?);
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    client.write_all((head + &answer).as_bytes()).ok()
}

#[test]
fn stripe_is_asked_for_money_and_for_refunds_and_its_signed_events_are_believed() {
    let (address, asked) = stripe();
    let home = Home::new();
    let server = home.serve_with(|command| {
        command
            .env("STRIPE_SECRET_KEY", "sk_test_1")
            .env("STRIPE_WEBHOOK_SECRET", "whsec_1")
            .env("STRIPE_API_URL", format!("http://{address}"))
    });
    let (admin, public) = (server.admin(), server.public());
    let show = Show::open(&admin, Some(5), PRICE);
    let hold = public.post("/v1/holds", &show.hold_body(1)).expect(201);
    public
        .post("/v1/orders", &order_body(&hold, "test_ok"))
        .problem(422, "invalid_field");
    let order = public.post("/v1/orders", &order_body(&hold, "stripe")).expect(201);
    assert_eq!(order["payment_url"], "https://checkout.stripe.example/cs_1");
    let purchase = Purchase::of(&order);
    let payment_id = purchase.payment["payment_id"].as_str().unwrap().to_owned();
    let tell = |kind: &str, object: Value| {
        let told = json!({ "id": format!("evt_{kind}"), "type": kind, "data": { "object": object } }).to_string();
        let time = now_micros() / 1_000_000;
        let mut mac = Hmac::<Sha256>::new_from_slice(b"whsec_1").unwrap();
        mac.update(format!("{time}.{told}").as_bytes());
        let hex: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let request = public.request("POST", "/v1/webhooks/payments/stripe");
        let request = request.header("stripe-signature", &format!("t={time},v1={hex}"));
        request.body("application/json", told).send().expect(200)["result"].clone()
    };
    let ours = json!({ "payment_id": payment_id });
    let paid = json!({ "id": "pi_1", "amount_received": PRICE, "currency": "eur", "metadata": ours });
    assert_eq!(tell("payment_intent.succeeded", paid.clone()), "succeeded");
    assert_eq!(tell("payment_intent.succeeded", paid), "repeated");
    assert_eq!(public.get(&purchase.path("")).expect(200)["status"], "paid");
    let path = format!("/v1/orders/{}/refunds", purchase.order_id);
    let refund = admin.post(&path, &json!({ "amount": eur(900) })).expect(201);
    let request = eventually("Stripe is asked for the refund", || {
        asked
            .lock()
            .unwrap()
            .iter()
            .find(|request| request.starts_with("POST /v1/refunds "))
            .cloned()
    });
    assert!(
        request.contains("payment_intent=pi_1") && request.contains("amount=900"),
        "{request}"
    );
    assert!(
        request.to_lowercase().contains("authorization: bearer sk_test_1"),
        "{request}"
    );
    let done = json!({ "id": "re_1", "payment_intent": "pi_1", "amount": 900, "currency": "eur", "status": "succeeded",
                       "metadata": { "refund_id": refund["refund_id"] } });
    assert_eq!(tell("refund.updated", done), "refunded");
    let dispute = json!({ "id": "dp_1", "payment_intent": "pi_1", "amount": 1_600, "currency": "eur" });
    assert_eq!(tell("charge.dispute.created", dispute), "dispute_opened");
    assert_eq!(tell("customer.created", json!({ "id": "cus_1" })), "ignored");
    assert_eq!(admin.get(&path).expect(200)[0]["status"], "succeeded");
    assert!(!server.log().contains("sk_test_1") && !server.log().contains("whsec_1"));
    eventually_counts(&admin, "select count(*) from disputes where status = 'open'", 1);
    assert_eq!(admin.post("/v1/audit", &json!({})).expect(200)["clean"], true);
    server.stop();
}
