//! Links to dashboards and saved questions over HTTP.

use crate::shared::{server, until};
use serde_json::{Value, json};
use tests::{Client, Show, token};

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
    let share = json!({ "page": "money", "state": "range=30d&filter.channel=online", "may_embed": true });
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

    let own = format!("/v1/dashboard-shares/{id}");
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

    let later = json!({ "expires_at": made["expires_at"], "may_embed": false });
    assert_eq!(marketer.put(&own, &later).expect(200)["may_embed"], false);
    assert_eq!(marketer.delete(&own).status, 204);
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
    owner.put(&own, &question("Ours", true)).expect(200);
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
