//! Links to dashboards and saved questions over HTTP.

use crate::shared::{server, until};
use serde_json::{Value, json};
use tests::{Buyer, Client, Show, token};

struct World {
    server: std::sync::Arc<crate::shared::Shared>,
    admin: Client,
    show: Show,
}

impl World {
    fn new() -> Self {
        let server = server();
        let admin = server.server.admin();
        let show = Show::open(&admin, None, 700);
        Self { server, admin, show }
    }

    fn as_a(&self, role: &str) -> Client {
        self.server
            .server
            .bearer(&token(&self.admin, &self.show.organizer_id, role))
    }
}

#[test]
fn a_dashboard_is_shared_by_a_link_that_is_shown_once() {
    let world = World::new();
    let (marketer, shares) = (world.as_a("marketer"), world.show.path("dashboard-shares"));
    let share = json!({ "page": "money", "state": "range=30d&filter.title=Late+Quartet", "may_embed": true });
    let made = marketer.post(&shares, &share).expect(201);
    let (token, id) = (
        made["token"].as_str().unwrap(),
        made["dashboard_share_id"].as_str().unwrap(),
    );
    assert!(token.starts_with("bilten_share_"));
    assert!(made["url"].as_str().unwrap().ends_with(&format!("/shared/{token}")));
    assert_eq!(made["created_by"]["name"], "a marketer");
    let listed = world.as_a("analyst").get(&shares).expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let one = &listed["items"][0];
    assert_eq!(
        (&one["page"], &one["state"], &one["may_embed"]),
        (&made["page"], &made["state"], &made["may_embed"])
    );
    assert!(!listed.to_string().contains(token) && one.get("token").is_none());

    let shown = || world.server.server.public().get(&format!("/shared/{token}"));
    let page = shown();
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .ends_with("frame-ancestors *")
    );
    assert!(
        !page.text().contains("/dashboards/sql"),
        "there is no way to anywhere else"
    );

    let own = format!("/v1/dashboard-shares/{id}");
    let later = json!({ "expires_at": made["expires_at"], "may_embed": false });
    assert_eq!(marketer.put(&own, &later).expect(200)["may_embed"], false);
    assert!(
        shown()
            .header("content-security-policy")
            .unwrap()
            .ends_with("frame-ancestors 'none'")
    );
    assert_eq!(marketer.delete(&own).status, 204);
    let over = shown();
    assert_eq!(
        (over.status, over.header("content-type")),
        (404, Some("text/html; charset=utf-8"))
    );
    assert!(over.text().contains("expired or was revoked"), "{}", over.text());
    marketer.put(&own, &later).problem(409, "share_over");
    assert_eq!(marketer.get(&shares).expect(200)["items"], json!([]));
    let log = format!("{}?entity=dashboard_share", world.show.path("audit-log"));
    let until_day = &made["expires_at"].as_str().unwrap()[..10];
    let sentence = format!("a marketer (API token) shared the dashboard money, open until {until_day}");
    until("the audit log tells of it", || {
        let entries = world.admin.get(&log).expect(200);
        let told = entries["items"].as_array().unwrap();
        told.len() == 3 && told[2]["sentence"] == sentence
    });
}

#[test]
fn who_may_not_share_is_refused_and_what_is_no_link_names_the_field() {
    let world = World::new();
    let (marketer, shares) = (world.as_a("marketer"), world.show.path("dashboard-shares"));
    let share = json!({ "page": "money" });
    let made = marketer.post(&shares, &share).expect(201);
    let own = format!("/v1/dashboard-shares/{}", made["dashboard_share_id"].as_str().unwrap());
    world.as_a("analyst").post(&shares, &share).problem(403, "forbidden");
    world.as_a("analyst").delete(&own).problem(403, "forbidden");
    world.as_a("door").get(&shares).problem(403, "forbidden");
    World::new().as_a("owner").delete(&own).problem(404, "not_found");
    let wrong = |field: &str, value: Value| {
        let mut share = share.clone();
        share[field] = value;
        let problem = marketer.post(&shares, &share);
        assert_eq!(problem.status, 422, "{}", problem.text());
        problem.json()["pointer"].as_str().unwrap().to_owned()
    };
    assert_eq!(wrong("expires_at", json!("2020-01-01T00:00:00Z")), "/expires_at");
    assert_eq!(wrong("expires_at", json!("tomorrow")), "/expires_at");
    assert_eq!(wrong("state", json!("range=30d&x=1")), "/state");
    assert_eq!(wrong("page", json!("Money")), "/page");
    assert_eq!(wrong("page", json!("health")), "/page", "it is the platform's");
    assert_eq!(wrong("page", json!("event")), "/state", "it is about one event");
    let stranger = World::new().show.event_id;
    for event in [stranger.as_str(), "x"] {
        let state = json!(format!("filter.event_id={event}"));
        assert_eq!(wrong("state", state), "/state", "{event} is no event of this organizer");
    }
    let own = json!({ "page": "event", "state": format!("filter.event_id={}", world.show.event_id) });
    marketer.post(&shares, &own).expect(201);
}

#[test]
fn who_has_a_link_sees_its_organizers_figures_alone() {
    let world = World::new();
    let other = Show::open_for(&world.admin, World::new().show.organizer_id, None, 900);
    for (show, quantity) in [(&world.show, 3), (&other, 5)] {
        let client = world.server.server.public();
        Buyer { client, show }.buy(quantity);
    }
    let share = json!({ "page": "overview", "state": "range=7d&compare=none" });
    let made = world
        .admin
        .post(&world.show.path("dashboard-shares"), &share)
        .expect(201);
    let panel = format!("/shared/{}/panels/headline", made["token"].as_str().unwrap());
    let public = world.server.server.public();
    until("the sale shows", || {
        let rows = public.get(&panel).expect(200)["rows"].clone();
        let sold = |row: &Value| row["tickets_sold"] == 3;
        rows.as_array().is_some_and(|rows| rows.iter().any(sold))
    });
    let rows = public
        .get(&format!(
            "{panel}?filter.title=&range=all&organizer_id={}",
            other.organizer_id
        ))
        .expect(200);
    assert!(
        rows["rows"].to_string().contains("2100") && !rows["rows"].to_string().contains("4500"),
        "{rows}"
    );
    public.get(&format!("{panel}x")).problem(404, "not_found");
    public
        .get("/shared/bilten_share_x/panels/headline")
        .problem(404, "not_found");
}

#[test]
fn a_token_of_a_link_opens_nothing_else() {
    let world = World::new();
    let made = world
        .admin
        .post(&world.show.path("dashboard-shares"), &json!({ "page": "money" }))
        .expect(201);
    let stranger = world.server.server.bearer(made["token"].as_str().unwrap());
    stranger
        .get(&world.show.path("dashboard-shares"))
        .problem(401, "unauthenticated");
    stranger
        .post("/v1/sql", &json!({ "sql": "select 1" }))
        .problem(401, "unauthenticated");
}

#[test]
fn a_saved_question_is_private_until_it_is_shared() {
    let world = World::new();
    let (owner, other, questions) = (
        world.as_a("analyst"),
        world.as_a("marketer"),
        world.show.path("saved-questions"),
    );
    let question = |name: &str, shared: bool| json!({ "name": name, "sql": "select 1 as one", "chart": { "kind": "bar", "y": ["one"] }, "shared": shared });
    let made = owner.post(&questions, &question("Mine", false)).expect(201);
    let own = format!("/v1/saved-questions/{}", made["saved_question_id"].as_str().unwrap());
    assert_eq!(
        (&made["mine"], &made["chart"]),
        (&json!(true), &question("", false)["chart"])
    );
    assert_eq!(owner.get(&own).expect(200), made);
    for client in [&other, &world.as_a("owner")] {
        client.get(&own).problem(404, "not_found");
        client.put(&own, &question("Yours", true)).problem(404, "not_found");
        assert_eq!(client.get(&questions).expect(200)["items"], json!([]));
    }
    let mut late = question("Ours", true);
    late["updated_at"] = made["updated_at"].clone();
    owner.put(&own, &late).expect(200);
    let problem = owner.put(&own, &late).problem(409, "changed_meanwhile");
    assert_eq!(problem["pointer"], "/updated_at");
    let seen = other.get(&own).expect(200);
    assert_eq!(
        (&seen["mine"], &seen["name"], &seen["owner"]["name"]),
        (&json!(false), &json!("Ours"), &json!("a analyst"))
    );
    other.put(&own, &question("Theirs", true)).problem(403, "forbidden");
    other.delete(&own).problem(403, "forbidden");
    World::new().as_a("owner").get(&own).problem(404, "not_found");
    assert_eq!(world.as_a("manager").delete(&own).status, 204);
    owner.get(&own).problem(404, "not_found");

    let long = json!({ "name": "x", "sql": "x".repeat((16 << 10) + 1) });
    assert_eq!(owner.post(&questions, &long).problem(422, "invalid")["pointer"], "/sql");
    let chart = json!({ "name": "x", "sql": "select 1", "chart": [1] });
    assert_eq!(
        owner.post(&questions, &chart).problem(422, "invalid_field")["pointer"],
        "/chart"
    );
}
