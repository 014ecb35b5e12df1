//! Dashboards in a browser: every page of an organizer with sales, as a manager sees it, and what a guest is shown.

use crate::vitest;
use serde_json::{Value, json};
use std::fs;
use tests::{Buyer, Client, Home, Server, Show, interaction, load::eventually};

/// A page that nobody but this folder has.
const OWN: &str = "title: Ours
about: A page in a folder.
order: 80
panels:
  - id: tickets
    title: Tickets
    kind: line
    metrics: [tickets_sold]
    grain: day
";

/// Two events of one organizer. Tickets of the first are sold, and some have looked at its page.
fn events(server: &Server, admin: &Client) -> (String, Value) {
    let first = Show::open(admin, None, 1_250);
    let second = Show::open_for(admin, first.organizer_id.clone(), None, 2_000);
    let [buyer, other] = [&first, &second].map(|show| Buyer {
        client: server.public(),
        show,
    });
    for quantity in [1, 2, 4] {
        buyer.buy(quantity);
    }
    other.buy(1);
    for _ in 0..5 {
        let seen = interaction(&first.organizer_id, Some(&first.event_id));
        buyer.client.post("/v1/interactions", &seen).expect(200);
    }
    let told = [&first, &second]
        .map(|show| json!({ "id": show.event_id, "title": "Late Quartet", "ticket_type": show.ticket_type_id }));
    (first.organizer_id, json!(told))
}

fn manager(admin: &Client, organizer: &str) -> Value {
    let (email, password) = ("grace@example.org", "correct horse");
    let user = json!({ "email": email, "name": "Grace", "password": password });
    admin.post("/v1/users", &user).expect(201);
    let member = json!({ "email": email, "role": "manager" });
    let members = format!("/v1/organizers/{organizer}/members");
    admin.post(&members, &member).expect(201);
    json!({ "email": email, "password": password })
}

#[test]
fn dashboards_are_live_and_keep_nobody_out() {
    let home = Home::new();
    let folder = home.beside("dashboards");
    fs::create_dir_all(folder.join("pages")).unwrap();
    fs::write(folder.join("pages/ours.yml"), OWN).unwrap();
    let server = home.serve_with(|command| command.arg("--dashboards").arg(&folder));
    let admin = server.admin();
    let (organizer, events) = events(&server, &admin);
    let world = json!({
        "url": format!("http://{}", server.address()),
        "admin": server.admin_token(),
        "staff": manager(&admin, &organizer),
        "organizer": organizer,
        "events": events,
        "own": { "name": "ours", "title": "Ours" },
    });
    vitest(
        "islands",
        "vitest.pages.config.ts",
        ("BILTEN_WORLD", &world.to_string()),
    );
    eventually("the lake has caught up", || {
        (admin.get("/v1/status").expect(200)["behind"] == 0).then_some(())
    });
    server.stop();
}
