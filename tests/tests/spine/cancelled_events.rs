//! An event that does not take place: everybody gets their money back, once, whatever happens to the program meanwhile.

use crate::shared::{eventually, eventually_counts, server, until};
use serde_json::json;
use std::time::Duration;
use tests::{Buyer, Home, Show, token};

const PRICE: i64 = 2_500;
const ORDERS: i64 = 150;

#[test]
fn a_kill_in_the_middle_of_an_events_refunds_refunds_nobody_twice() {
    let home = Home::new();
    let mut running = home.serve();
    let show = Show::open(&running.admin(), None, PRICE);
    let buyer = Buyer {
        client: running.public(),
        show: &show,
    };
    for _ in 0..ORDERS {
        buyer.buy(1);
    }
    let path = show.of_event("refunds");
    running.admin().get(&path).problem(404, "not_found");
    running
        .admin()
        .post(&path, &json!({}))
        .problem(409, "event_not_cancelled");
    running.admin().post(&show.of_event("cancel"), &json!({})).expect(200);
    let asked = running.admin().post(&path, &json!({})).expect(202);
    assert_eq!(asked["orders_left"], ORDERS);
    let left = |server: &tests::Server| server.admin().get(&path).expect(200)["orders_left"].as_i64().unwrap();
    until("the first of them are refunded", || left(&running) < ORDERS);
    running.kill_9();
    running = home.serve();
    eventually("all of them are refunded", || {
        let progress = running.admin().get(&path).expect(200);
        (progress["finished_at"].is_string() && progress["orders_left"] == 0).then_some(())
    });
    assert_eq!(running.admin().post(&path, &json!({})).expect(202)["orders_left"], 0);
    let admin = running.admin();
    eventually_counts(
        &admin,
        "select count(*) from refunds where status = 'succeeded'",
        ORDERS,
    );
    assert_eq!(admin.count("select count(distinct order_id) from refunds"), ORDERS);
    assert_eq!(
        admin.count("select sum(amount_minor) from refunds where reason = 'event_cancelled'"),
        ORDERS * PRICE
    );
    assert_eq!(admin.count("select count(*) from tickets where status = 'valid'"), 0);
    assert_eq!(admin.post("/v1/audit", &json!({})).expect(200)["clean"], true);
    // Every order has a mail with its link, and one that says that the event is cancelled.
    let mails = || std::fs::read_dir(home.path().join("mail")).map_or(0, |folder| folder.flatten().count() as i64);
    until("the buyers are told", || mails() >= 2 * ORDERS);
    running.stop();
}

#[test]
fn sales_of_another_event_go_on_while_one_is_refunded() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, PRICE);
    let other = Show::open_for(&admin, show.organizer_id.clone(), None, PRICE);
    let (buyer, others) = (
        Buyer {
            client: shared.server.public(),
            show: &show,
        },
        Buyer {
            client: shared.server.public(),
            show: &other,
        },
    );
    for _ in 0..60 {
        buyer.buy(1);
    }
    let path = show.of_event("refunds");
    let manager = shared.server.bearer(&token(&admin, &show.organizer_id, "manager"));
    let analyst = shared.server.bearer(&token(&admin, &show.organizer_id, "analyst"));
    manager.post(&show.of_event("cancel"), &json!({})).expect(200);
    analyst.post(&path, &json!({})).problem(403, "forbidden");
    let once = || {
        manager
            .request("POST", &path)
            .idempotent("all-back")
            .json(&json!({}))
            .send()
    };
    let first = once().expect(202);
    assert_eq!(first["orders_left"], 60);
    assert_eq!(once().expect(202), first, "the same answer again");
    let mut sold = 0;
    while manager.get(&path).expect(200)["finished_at"].is_null() {
        others.buy(1);
        sold += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(sold > 0, "nothing was sold meanwhile");
    let log = format!("{}?change_type=event.refunds_requested", show.of_event("audit-log"));
    let told = eventually("the log tells who asked", || {
        manager.get(&log).expect(200)["items"]
            .get(0)
            .map(|entry| entry["sentence"].clone())
    });
    assert_eq!(
        told,
        "a manager (API token) gave all buyers their money back for event Late Quartet"
    );
}
