//! The scanner page at the doors of a real server.

use crate::vitest;
use serde_json::{Value, json};
use tests::{Buyer, Client, Home, Server, Show};

/// A show whose doors have two devices, and some tickets for it.
fn door(server: &Server, admin: &Client) -> Value {
    let mut show = Show::open(admin, None, 900);
    let list = json!({ "name": "Side door", "reentry": true });
    let list = admin.post(&show.of_event("check-in-lists"), &list).expect(201);
    show.check_in_list_id = list["check_in_list_id"].as_str().unwrap().to_owned();
    let buyer = Buyer {
        client: server.public(),
        show: &show,
    };
    let device = |name: &str| {
        let device = admin.post(&show.path("devices"), &json!({ "name": name })).expect(201);
        json!({ "id": device["device_id"], "token": device["secret"] })
    };
    json!({
        "list": show.check_in_list_id,
        "name": "Side door",
        "devices": [device("Phone 1"), device("Phone 2")],
        "codes": buyer.codes(&buyer.buy(3)),
    })
}

#[test]
fn the_scanner_lets_people_in_with_and_without_a_network() {
    let home = Home::new();
    let server = home.serve();
    let admin = server.admin();
    let doors: serde_json::Map<String, Value> = ["online", "offline", "conflict", "revoked", "looks"]
        .map(|name| (name.to_owned(), door(&server, &admin)))
        .into_iter()
        .collect();
    let world = json!({
        "url": format!("http://{}", server.address()),
        "admin": server.admin_token(),
        "doors": doors,
    });
    vitest(
        "scanner",
        "vitest.browser.config.ts",
        ("BILTEN_WORLD", &world.to_string()),
    );

    let conflicts = |name: &str| {
        let list = doors[name]["list"].as_str().unwrap();
        admin.count(&format!(
            "select count(*) from check_in_changes where change_type = 'check_in.conflict' and check_in_list_id = '{list}'"
        ))
    };
    tests::load::eventually("the lake has caught up", || {
        (admin.get("/v1/status").expect(200)["behind"] == 0).then_some(())
    });
    assert_eq!((conflicts("conflict"), conflicts("offline")), (1, 0));
    server.stop();
}
