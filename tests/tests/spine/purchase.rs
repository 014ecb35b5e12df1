//! Hold, check out, pay, get tickets: by the book, and with all that a payment provider does to a shop.

use crate::shared::{eventually, eventually_counts, server};
use serde_json::json;
use tests::{Buyer, Purchase, Show, event, order_body, ticket_type, token};

#[test]
fn a_purchase_gives_tickets_and_the_lake_shows_it() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, Some(10), 2_500);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };

    let hold = buyer.client.post("/v1/holds", &show.hold_body(3)).expect(201);
    assert_eq!(hold["status"], "active");
    assert_eq!(hold["amount"], json!({ "amount_minor": 7_500, "currency": "EUR" }));
    let order = buyer
        .client
        .post("/v1/orders", &order_body(&hold, "test_manual"))
        .expect(201);
    assert_eq!(order["status"], "pending");
    assert_eq!(order["total"]["amount_minor"], 7_500);
    let purchase = Purchase::of(&order);
    assert_eq!(buyer.client.get(&purchase.path("/tickets")).expect(200), json!([]));

    assert_eq!(buyer.pay(&purchase).expect(200)["result"], "succeeded");
    assert_eq!(buyer.status(&purchase), "paid");
    assert_eq!(buyer.codes(&purchase).len(), 3);
    let offer = &buyer.client.get(&format!("/v1/events/{}", show.event_id)).expect(200)["ticket_types"][0];
    assert_eq!(offer["available"], 7);

    let id = &purchase.order_id;
    let tickets = format!("select count(*) from tickets where order_id = '{id}' and status = 'valid'");
    eventually_counts(&admin, &tickets, 3);
    let rows = admin.sql(&format!(
        "select status, total_minor, currency, quantity from orders where order_id = '{id}'"
    ));
    assert_eq!(
        rows,
        [json!({ "status": "paid", "total_minor": 7_500, "currency": "EUR", "quantity": 3 })]
    );
    let changes = format!("select change_type from order_changes where order_id = '{id}' order by seq");
    assert_eq!(
        admin.sql(&changes),
        [
            json!({ "change_type": "order.placed" }),
            json!({ "change_type": "order.paid" })
        ]
    );
}

#[test]
fn a_pool_never_sells_more_than_it_holds() {
    let shared = server();
    let show = Show::open(&shared.server.admin(), Some(50), 1_000);
    let sold: usize = std::thread::scope(|scope| {
        let buyers: Vec<_> = (0..8)
            .map(|_| {
                let (show, client) = (&show, shared.server.public());
                scope.spawn(move || {
                    let buyer = Buyer { client, show };
                    let mut sold = 0;
                    loop {
                        let hold = buyer.client.post("/v1/holds", &show.hold_body(1));
                        if hold.status != 201 {
                            hold.problem(422, "sold_out");
                            return sold;
                        }
                        let order = buyer
                            .client
                            .post("/v1/orders", &order_body(&hold.json(), "test_manual"))
                            .expect(201);
                        buyer.pay(&Purchase::of(&order)).expect(200);
                        sold += 1;
                    }
                })
            })
            .collect();
        buyers.into_iter().map(|buyer| buyer.join().unwrap()).sum()
    });
    assert_eq!(sold, 50);
    let pools = shared.server.admin().get(&show.of_event("pools")).expect(200);
    assert_eq!((&pools[0]["sold"], &pools[0]["held"]), (&json!(50), &json!(0)));
}

#[test]
fn two_ticket_types_share_one_pool() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, Some(3), 1_000);
    let second = admin
        .post(&show.of_event("ticket-types"), &ticket_type(&show.pool_id, 500))
        .expect(201);
    let lines = json!([
        { "ticket_type_id": show.ticket_type_id, "quantity": 2 },
        { "ticket_type_id": second["ticket_type_id"], "quantity": 2 },
    ]);
    let public = shared.server.public();
    let body = json!({ "event_id": show.event_id, "lines": lines });
    public.post("/v1/holds", &body).problem(422, "sold_out");
    // Nothing of the refused hold stays: all three can still be had.
    let hold = public.post("/v1/holds", &show.hold_body(3)).expect(201);
    let path = format!("/v1/holds/{}", hold["hold_id"].as_str().unwrap());
    assert_eq!(public.delete(&path).expect(200)["status"], "released");
    assert_eq!(public.get(&path).expect(200)["status"], "released");
    public
        .post("/v1/orders", &order_body(&hold, "test_ok"))
        .problem(422, "hold_expired");
    public.post("/v1/holds", &show.hold_body(3)).expect(201);
}

#[test]
fn every_way_in_which_a_provider_reports_ends_well() {
    let shared = server();
    let show = Show::open(&shared.server.admin(), None, 1_200);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    for (method, wanted) in [
        ("test_ok", "paid"),
        ("test_duplicated", "paid"),
        ("test_reordered", "paid"),
        ("test_declined", "pending"),
    ] {
        let purchase = buyer.order(2, method);
        let settled = |payment: &serde_json::Value| payment["payments"][0]["status"] != "pending";
        let order = eventually(method, || {
            Some(buyer.client.get(&purchase.path("")).expect(200)).filter(settled)
        });
        assert_eq!(order["status"], wanted, "{method}: {order}");
        let tickets = if wanted == "paid" { 2 } else { 0 };
        assert_eq!(buyer.codes(&purchase).len(), tickets, "{method}");
    }
}

#[test]
fn a_report_counts_once_and_only_if_it_is_true() {
    let shared = server();
    let show = Show::open(&shared.server.admin(), None, 1_200);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let purchase = buyer.order(1, "test_manual");

    let (header, signature, body) = show.report(&purchase.payment, "succeeded");
    let send = |signature: &str, body: &str| {
        let request = buyer
            .client
            .request("POST", "/v1/webhooks/payments/test")
            .header(header, signature);
        request.body("application/json", body).send()
    };
    assert_eq!(send(&"0".repeat(43), &body).status, 401);
    assert_eq!(send(&signature, &body.replace("1200", "1")).status, 401);
    let unsigned = buyer
        .client
        .request("POST", "/v1/webhooks/payments/test")
        .body("application/json", body.clone());
    assert_eq!(unsigned.send().status, 401);
    assert_eq!(buyer.status(&purchase), "pending");
    let unknown = buyer
        .client
        .request("POST", "/v1/webhooks/payments/nobody")
        .body("application/json", body.clone());
    unknown.send().problem(404, "not_found");

    let mut cheaper = purchase.clone();
    cheaper.payment["amount"]["amount_minor"] = json!(1);
    assert_eq!(buyer.pay(&cheaper).expect(200)["result"], "mismatch");
    assert_eq!(buyer.status(&purchase), "pending");
    let mut other = purchase.clone();
    other.payment["provider_ref"] = json!("nobody-knows-me");
    assert_eq!(buyer.pay(&other).expect(200)["result"], "unknown_payment");
}

#[test]
fn a_repeated_report_changes_nothing() {
    let shared = server();
    let show = Show::open(&shared.server.admin(), None, 1_200);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let purchase = buyer.buy(2);
    for _ in 0..3 {
        assert_eq!(buyer.pay(&purchase).expect(200)["result"], "repeated");
    }
    assert_eq!(buyer.codes(&purchase).len(), 2);
}

#[test]
fn a_free_order_is_paid_at_once() {
    let shared = server();
    let show = Show::open(&shared.server.admin(), Some(5), 0);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let purchase = buyer.order(2, "test_ok");
    assert_eq!(purchase.payment, serde_json::Value::Null);
    assert_eq!(buyer.status(&purchase), "paid");
    assert_eq!(buyer.codes(&purchase).len(), 2);
}

#[test]
fn a_cancelled_order_gives_its_places_back() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, Some(2), 900);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let purchase = buyer.buy(2);
    buyer
        .client
        .post("/v1/holds", &show.hold_body(1))
        .problem(422, "sold_out");

    let cancel = format!("/v1/orders/{}/cancel", purchase.order_id);
    let door = shared.server.bearer(&token(&admin, &show.organizer_id, "door"));
    door.post(&cancel, &json!({})).problem(403, "forbidden");
    let manager = shared.server.bearer(&token(&admin, &show.organizer_id, "manager"));
    assert_eq!(manager.post(&cancel, &json!({})).expect(200)["status"], "cancelled");
    assert_eq!(manager.post(&cancel, &json!({})).status, 409);
    buyer.client.post("/v1/holds", &show.hold_body(2)).expect(201);
    let id = &purchase.order_id;
    let cancelled = format!("select count(*) from tickets where order_id = '{id}' and status = 'cancelled'");
    eventually_counts(&admin, &cancelled, 2);
}

#[test]
fn a_hold_is_refused_for_what_is_not_on_sale() {
    let shared = server();
    let (admin, public) = (shared.server.admin(), shared.server.public());
    let show = Show::open(&admin, Some(100), 900);
    let lines = |id: &str, quantity: i64| json!({ "event_id": show.event_id, "lines": [{ "ticket_type_id": id, "quantity": quantity }] });
    assert_eq!(public.post("/v1/holds", &lines(&show.ticket_type_id, 11)).status, 422);
    assert_eq!(public.post("/v1/holds", &lines(&show.ticket_type_id, 0)).status, 422);
    assert_eq!(public.post("/v1/holds", &lines(&show.ticket_type_id, -1)).status, 422);
    assert_eq!(
        public.post("/v1/holds", &lines(&show.ticket_type_id, i64::MAX)).status,
        422
    );
    assert_eq!(public.post("/v1/holds", &lines(&tests::uuid7(), 1)).status, 422);
    assert_eq!(
        public
            .post("/v1/holds", &json!({ "event_id": show.event_id, "lines": [] }))
            .status,
        422
    );
    let draft = admin.post(&show.path("events"), &event("A draft")).expect(201);
    let mut body = show.hold_body(1);
    body["event_id"] = draft["event_id"].clone();
    assert_eq!(public.post("/v1/holds", &body).status, 422);

    admin.post(&show.of_event("postpone"), &json!({})).expect(200);
    public.post("/v1/holds", &show.hold_body(1)).problem(422, "not_on_sale");
    admin.post(&show.of_event("publish"), &json!({})).expect(200);
    public.post("/v1/holds", &show.hold_body(1)).expect(201);
}

#[test]
fn an_order_is_seen_by_its_buyer_and_its_organizer_alone() {
    let shared = server();
    let (admin, public) = (shared.server.admin(), shared.server.public());
    let show = Show::open(&admin, None, 900);
    let purchase = Buyer {
        client: shared.server.public(),
        show: &show,
    }
    .buy(1);
    let bare = format!("/v1/orders/{}", purchase.order_id);
    public.get(&bare).problem(404, "not_found");
    public.get(&format!("{bare}?secret=guessed")).problem(404, "not_found");
    public.get(&format!("{bare}/tickets")).problem(404, "not_found");
    let stranger = Show::open(&admin, None, 900);
    let strangers = shared.server.bearer(&token(&admin, &stranger.organizer_id, "owner"));
    strangers.get(&bare).problem(404, "not_found");
    let analyst = shared.server.bearer(&token(&admin, &show.organizer_id, "analyst"));
    analyst.get(&bare).problem(404, "not_found");
    let manager = shared.server.bearer(&token(&admin, &show.organizer_id, "manager"));
    assert_eq!(manager.get(&bare).expect(200)["status"], "paid");
    let listed = manager.get(&show.of_event("orders")).expect(200);
    assert_eq!(listed["items"][0]["order_id"], purchase.order_id.as_str());
}
