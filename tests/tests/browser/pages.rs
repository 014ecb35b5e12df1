//! The pages of buyers and of staff, and what the links of mails lead to on them.

use crate::vitest;
use serde_json::{Value, json};
use tests::{Buyer, Client, Home, Purchase, Server, Show, event, iso, load::eventually, now_micros};

const HOUR: i64 = 3_600_000_000;
const PRICE: i64 = 1_250;

/// A show at a venue, with a gate, whose orders their buyers may cancel.
fn show(admin: &Client, capacity: i64) -> Show {
    let show = Show::open(admin, Some(capacity), PRICE);
    let venue = json!({ "name": "Stadtsaal", "city": "Vienna", "country": "AT" });
    let venue = admin.post(&show.path("venues"), &venue).expect(201);
    let mut details = event("Late Quartet");
    details["venue_id"] = venue["venue_id"].clone();
    details["refundable_until"] = json!(iso(now_micros() + 12 * HOUR));
    admin
        .put(&format!("/v1/events/{}", show.event_id), &details)
        .expect(200);
    admin
        .post(&show.of_event("gates"), &json!({ "name": "North" }))
        .expect(201);
    show
}

fn link(purchase: &Purchase) -> Value {
    json!(format!("/order#{}/{}", purchase.order_id, purchase.secret))
}

fn wait_for(buyer: &Buyer<'_>, name: &str) -> (String, Value) {
    let entry = json!({
        "ticket_type_id": buyer.show.ticket_type_id, "quantity": 1, "email": format!("{name}@example.org"), "name": name,
    });
    let entry = buyer
        .client
        .post(&buyer.show.of_event("waiting-list"), &entry)
        .expect(201);
    let (id, secret) = (entry["waiting_entry_id"].as_str(), entry["secret"].as_str());
    let (id, secret) = (id.unwrap(), secret.unwrap());
    let api = format!("/v1/waiting-list/{id}?secret={secret}");
    (api, json!(format!("/waiting#{id}/{secret}")))
}

fn declined(buyer: &Buyer<'_>) -> Purchase {
    let purchase = buyer.order(1, "test_manual");
    buyer.tell(&purchase, "failed").expect(200);
    purchase
}

/// Orders and places in a waiting list in each state that a page shows.
fn links(server: &Server, admin: &Client) -> Value {
    let (large, small) = (show(admin, 50), show(admin, 1));
    let [buyer, late] = [&large, &small].map(|show| Buyer {
        client: server.public(),
        show,
    });
    let cancel = |purchase: &Purchase| buyer.client.post(&purchase.path("/cancel"), &json!({})).expect(200);
    let cancelled = buyer.buy(1);
    cancel(&cancelled);
    let full = late.buy(1);
    let [(_, offered), (_, waiting), (left, gone)] = ["grace", "hedy", "mary"].map(|name| wait_for(&late, name));
    buyer.client.delete(&left).expect(200);
    cancel(&full);
    json!({
        "paid": link(&buyer.buy(2)), "declined": link(&declined(&buyer)), "declined_too": link(&declined(&buyer)),
        "cancellable": link(&buyer.buy(1)), "cancelled": link(&cancelled),
        "offered": offered, "waiting": waiting, "left": gone,
    })
}

/// A manager of an organizer with one show.
fn staff(admin: &Client) -> Value {
    let show = show(admin, 10);
    let (email, password) = ("ada@example.org", "correct horse");
    let user = json!({ "email": email, "name": "Ada", "password": password });
    admin.post("/v1/users", &user).expect(201);
    let member = json!({ "email": email, "role": "manager" });
    admin.post(&show.path("members"), &member).expect(201);
    json!({ "email": email, "password": password, "event": show.event_id })
}

#[test]
fn buyers_and_staff_find_what_they_need_on_their_pages() {
    let home = Home::new();
    let server = home.serve();
    let admin = server.admin();
    let world = json!({
        "url": format!("http://{}", server.address()),
        "admin": server.admin_token(),
        "doors": {},
        "links": links(&server, &admin),
        "staff": staff(&admin),
    });
    vitest(
        "scanner",
        "vitest.pages.config.ts",
        ("BILTEN_WORLD", &world.to_string()),
    );
    eventually("the lake has caught up", || {
        (admin.get("/v1/status").expect(200)["behind"] == 0).then_some(())
    });
    server.stop();
}
