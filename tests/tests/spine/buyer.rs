//! What the pages of a buyer ask the API for.

use crate::shared::server;
use serde_json::{Value, json};
use tests::{Buyer, Show, event, iso, now_micros};

const PRICE: i64 = 1_250;
const HOUR: i64 = 3_600_000_000;

#[test]
fn the_secret_of_an_order_may_come_in_a_header_that_no_log_has() {
    let shared = server();
    let show = Show::open(&shared.server.admin(), Some(10), PRICE);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let (purchase, other) = (buyer.buy(1), buyer.buy(1));
    let with = |secret: &str| shared.server.public().with("bilten-secret", secret);
    let bare = format!("/v1/orders/{}", purchase.order_id);
    let known = with(&purchase.secret);
    assert_eq!(known.get(&bare).expect(200)["order_id"], purchase.order_id.as_str());
    with(&other.secret).get(&bare).problem(404, "not_found");
    with(&other.secret)
        .get(&format!("{bare}/tickets"))
        .problem(404, "not_found");
    let link = known.post(&format!("{bare}/link"), &json!({}));
    assert_eq!(link.status, 202);
    with(&other.secret)
        .post(&format!("{bare}/cancel"), &json!({}))
        .problem(404, "not_found");
    known
        .post(&format!("{bare}/cancel"), &json!({}))
        .problem(409, "not_refundable");
}

#[test]
fn a_tickets_code_is_drawn_for_its_buyer_alone() {
    let shared = server();
    let show = Show::open(&shared.server.admin(), Some(10), PRICE);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let (purchase, other) = (buyer.buy(1), buyer.buy(1));
    let ticket = |purchase: &tests::Purchase| -> String {
        let tickets = buyer.client.get(&purchase.path("/tickets")).expect(200);
        tickets[0]["ticket_id"].as_str().unwrap().to_owned()
    };
    let (own, others) = (ticket(&purchase), ticket(&other));
    let drawing = |id: &str| buyer.client.get(&purchase.path(&format!("/tickets/{id}/qr.svg")));
    let drawn = drawing(&own);
    assert_eq!(
        (drawn.status, drawn.header("content-type")),
        (200, Some("image/svg+xml"))
    );
    assert_eq!(drawn.header("cache-control"), Some("no-store"));
    assert!(drawn.text().contains("<svg"), "{}", drawn.text());
    drawing(&others).problem(404, "not_found");
    let strange = format!("/v1/orders/{}/tickets/{own}/qr.svg", purchase.order_id);
    buyer.client.get(&strange).problem(404, "not_found");
}

#[test]
fn an_order_tells_where_and_when_it_is_for_and_what_a_cancellation_brings_back() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, Some(10), PRICE);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let purchase = buyer.buy(2);
    let order = || buyer.client.get(&purchase.path("")).expect(200);
    let before = order();
    assert_eq!(before["event"]["timezone"], "Europe/Vienna");
    assert_eq!(before["ticket_types"][0]["name"], "Regular");
    assert_eq!(
        (&before["venue"], &before["organizer_name"], &before["payment_method"]),
        (&Value::Null, &json!("Jazz im Hof"), &json!("test_ok"))
    );
    assert_eq!(
        before["cancellation"],
        Value::Null,
        "the event has no time to cancel until"
    );

    let mut details = event("Late Quartet");
    details["refundable_until"] = json!(iso(now_micros() + HOUR));
    admin
        .put(&format!("/v1/events/{}", show.event_id), &details)
        .expect(200);
    let manager = admin.post(
        &format!("/v1/orders/{}/refunds", purchase.order_id),
        &json!({ "amount": { "amount_minor": 500, "currency": "EUR" } }),
    );
    manager.expect(201);
    let left = json!({ "amount_minor": 2 * PRICE - 500, "currency": "EUR" });
    assert_eq!(order()["cancellation"], left);
    buyer.client.post(&purchase.path("/cancel"), &json!({})).expect(200);
    let after = order();
    assert_eq!(after["cancellation"], Value::Null);
    assert_eq!(after["refunds"][1]["amount"], left);
}

#[test]
fn a_place_in_a_waiting_list_tells_what_is_offered_and_to_whom() {
    let shared = server();
    let show = Show::open(&shared.server.admin(), Some(1), PRICE);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let entry = json!({
        "ticket_type_id": show.ticket_type_id, "quantity": 1, "email": "grace.waits@example.org", "name": "Grace",
    });
    let entry = buyer.client.post(&show.of_event("waiting-list"), &entry).expect(201);
    let path = format!("/v1/waiting-list/{}", entry["waiting_entry_id"].as_str().unwrap());
    buyer.client.get(&path).problem(404, "not_found");
    let holder = shared
        .server
        .public()
        .with("bilten-secret", entry["secret"].as_str().unwrap());
    let shown = holder.get(&path).expect(200);
    assert_eq!(
        (
            &shown["status"],
            &shown["email"],
            &shown["name"],
            &shown["hold"]["amount"]
        ),
        (
            &json!("offered"),
            &json!("grace.waits@example.org"),
            &json!("Grace"),
            &json!({ "amount_minor": PRICE, "currency": "EUR" })
        )
    );
    assert_eq!(shown["event"]["title"], "Late Quartet");
    holder.delete(&path).expect(200);
    assert_eq!(holder.get(&path).expect(200)["status"], "left");
}
