//! What staff do before a sale: organizers, members, venues, events and what can be bought there.

use crate::shared::{eventually_counts, server};
use serde_json::{Value, json};
use tests::{Show, event, organizer, ticket_type, token};

#[test]
fn an_organizer_has_a_name_of_its_own() {
    let shared = server();
    let admin = shared.server.admin();
    let body = organizer();
    let created = admin.post("/v1/organizers", &body).expect(201);
    let again = admin.post("/v1/organizers", &body);
    assert_eq!(again.status, 409);
    assert_eq!(again.json()["pointer"], "/slug");
    let path = format!("/v1/organizers/{}", created["id"].as_str().unwrap());
    let shown = admin.get(&path).expect(200);
    assert_eq!((&shown["slug"], &shown["version"]), (&body["slug"], &json!(1)));
    admin.get("/v1/organizers/none").problem(400, "invalid_parameter");
    admin
        .get(&format!("/v1/organizers/{}", tests::uuid7()))
        .problem(404, "not_found");
    let listed = admin.get("/v1/organizers?limit=200").expect(200);
    assert!(
        listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|item| item["id"] == created["id"])
    );
}

#[test]
fn an_event_lives_from_draft_to_end() {
    let shared = server();
    let (admin, public) = (shared.server.admin(), shared.server.public());
    let organizer_id = admin.post("/v1/organizers", &organizer()).expect(201)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let venue = json!({ "name": "Stadtsaal", "city": "Vienna", "latitude": 48.2, "longitude": 16.35 });
    let venue = admin
        .post(&format!("/v1/organizers/{organizer_id}/venues"), &venue)
        .expect(201);
    let venue_path = format!("/v1/venues/{}", venue["venue_id"].as_str().unwrap());
    assert_eq!(admin.get(&venue_path).expect(200)["name"], "Stadtsaal");
    let venues = admin.get(&format!("/v1/organizers/{organizer_id}/venues")).expect(200);
    assert_eq!(venues["items"].as_array().map(Vec::len), Some(1));

    let mut details = event("Late Quartet");
    details["venue_id"] = venue["venue_id"].clone();
    let drafted = admin
        .post(&format!("/v1/organizers/{organizer_id}/events"), &details)
        .expect(201);
    assert_eq!(drafted["status"], "draft");
    let path = format!("/v1/events/{}", drafted["event_id"].as_str().unwrap());
    public.get(&path).problem(404, "not_found");
    assert_eq!(admin.get(&path).expect(200)["title"], "Late Quartet");
    details["title"] = json!("Later Quartet");
    assert_eq!(admin.put(&path, &details).expect(200)["version"], 2);

    for (transition, status) in [
        ("publish", "published"),
        ("postpone", "postponed"),
        ("publish", "published"),
        ("end", "ended"),
    ] {
        let changed = admin.post(&format!("{path}/{transition}"), &json!({})).expect(200);
        assert_eq!(changed["status"], status);
    }
    for transition in ["publish", "postpone", "cancel", "end"] {
        assert!(
            (409..=422).contains(&admin.post(&format!("{path}/{transition}"), &json!({})).status),
            "{transition}"
        );
    }
    admin
        .post(&format!("{path}/explode"), &json!({}))
        .problem(404, "not_found");
    let id = drafted["event_id"].as_str().unwrap();
    eventually_counts(
        &admin,
        &format!("select count(*) from event_changes where event_id = '{id}'"),
        6,
    );
}

#[test]
fn the_shop_window_shows_what_is_published() {
    let shared = server();
    let (admin, public) = (shared.server.admin(), shared.server.public());
    let show = Show::open(&admin, Some(5), 700);
    admin.post(&show.path("events"), &event("A draft")).expect(201);
    let mine = format!("organizer_id={}", show.organizer_id);
    let listed = public.get(&format!("/v1/events?{mine}")).expect(200);
    let ids: Vec<&Value> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["event_id"])
        .collect();
    assert_eq!(ids, [&json!(show.event_id)]);
    public
        .get(&format!("/v1/events?{mine}&status=draft"))
        .problem(400, "invalid_parameter");
    public.get("/v1/events?colour=red").problem(400, "invalid_parameter");
    let all = admin.get(&format!("{}?limit=200", show.path("events"))).expect(200);
    assert_eq!(all["items"].as_array().map(Vec::len), Some(2));
    let later = format!("/v1/events?{mine}&starts_from=2100-01-01T00:00:00Z");
    assert_eq!(public.get(&later).expect(200)["items"], json!([]));
    let offer = &public.get(&format!("/v1/events/{}", show.event_id)).expect(200)["ticket_types"][0];
    assert_eq!(
        (&offer["price"]["amount_minor"], &offer["on_sale"]),
        (&json!(700), &json!(true))
    );
}

#[test]
fn a_pool_is_never_made_smaller_than_what_is_taken() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, Some(5), 700);
    shared.server.public().post("/v1/holds", &show.hold_body(3)).expect(201);
    let path = format!("/v1/pools/{}", show.pool_id);
    let resized = |capacity: Value| admin.put(&path, &json!({ "name": "House", "capacity": capacity }));
    let refused = resized(json!(2));
    assert!((409..=422).contains(&refused.status), "{}", refused.text());
    assert_eq!(resized(json!(-1)).status, 422);
    assert_eq!(resized(json!(3)).expect(200)["capacity"], 3);
    shared
        .server
        .public()
        .post("/v1/holds", &show.hold_body(1))
        .problem(422, "sold_out");
    assert_eq!(resized(Value::Null).expect(200)["capacity"], Value::Null);
    shared
        .server
        .public()
        .post("/v1/holds", &show.hold_body(10))
        .expect(201);
}

#[test]
fn a_ticket_type_names_pools_of_its_own_event_and_sane_numbers() {
    let shared = server();
    let admin = shared.server.admin();
    let (show, other) = (Show::open(&admin, Some(5), 700), Show::open(&admin, Some(5), 700));
    let create = |body: &Value| admin.post(&show.of_event("ticket-types"), body);
    assert!((404..=422).contains(&create(&ticket_type(&other.pool_id, 500)).status));
    assert_eq!(create(&ticket_type(&show.pool_id, -500)).status, 422);
    let mut odd = ticket_type(&show.pool_id, 500);
    odd["min_per_order"] = json!(5);
    odd["max_per_order"] = json!(2);
    assert_eq!(create(&odd).status, 422);
    create(&ticket_type(&show.pool_id, 500)).expect(201);
    assert_eq!(
        admin
            .get(&show.of_event("ticket-types"))
            .expect(200)
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

#[test]
fn a_member_logs_in_with_a_password_and_out_again() {
    let shared = server();
    let (admin, public) = (shared.server.admin(), shared.server.public());
    let show = Show::open(&admin, None, 700);
    let email = format!("grace.{}@example.org", tests::uuid7());
    let member = json!({ "email": email, "name": "Grace", "password": "correct horse", "role": "manager" });
    let added = admin.post(&show.path("members"), &member).expect(201);
    let listed = admin.get(&show.path("members")).expect(200);
    assert_eq!(listed["items"][0]["email"], email.as_str());

    public
        .post("/v1/session", &json!({ "email": email, "password": "wrong horse" }))
        .problem(401, "wrong_credentials");
    public
        .post("/v1/session", &json!({ "email": "no@example.org", "password": "x" }))
        .problem(401, "wrong_credentials");
    let answer = public.post("/v1/session", &json!({ "email": email, "password": "correct horse" }));
    let session = answer.expect(200);
    assert_eq!(session["memberships"][0]["role"], "manager");
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("Secure"),
        "{cookie}"
    );
    let browser = public.with("cookie", cookie.split(';').next().unwrap());
    assert_eq!(browser.get("/v1/session").expect(200)["email"], email.as_str());

    let postpone = show.of_event("postpone");
    browser.post(&postpone, &json!({})).problem(403, "csrf");
    let form = browser.with("x-csrf-token", session["csrf_token"].as_str().unwrap());
    form.post(&postpone, &json!({})).expect(200);
    form.post(&show.path("members"), &member).problem(403, "forbidden");
    assert_eq!(form.delete("/v1/session").status, 204);
    browser.get("/v1/session").problem(401, "unauthenticated");

    let membership = format!("{}/{}", show.path("members"), added["membership_id"].as_str().unwrap());
    assert_eq!(admin.delete(&membership).status, 204);
    admin
        .delete(&format!("{}/{}", show.path("members"), tests::uuid7()))
        .problem(404, "not_found");
}

#[test]
fn a_weak_password_and_a_wrong_address_are_refused_with_a_pointer() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let member = |email: &str, password: &str| {
        let body = json!({ "email": email, "name": "G", "password": password, "role": "door" });
        admin.post(&show.path("members"), &body)
    };
    assert_eq!(member("g@example.org", "short").status, 422);
    assert_eq!(
        member("not an address", "long enough").problem(422, "invalid_field")["pointer"],
        "/email"
    );
}

#[test]
fn a_revoked_token_opens_nothing() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let created = admin
        .post(
            &show.path("api-tokens"),
            &json!({ "name": "the shop", "role": "owner" }),
        )
        .expect(201);
    let secret = created["secret"].as_str().unwrap();
    let client = shared.server.bearer(secret);
    let listed = client.get(&show.path("api-tokens"));
    listed.expect(200);
    assert!(!listed.text().contains(secret), "a secret is shown once");
    let path = format!(
        "{}/{}",
        show.path("api-tokens"),
        created["api_token_id"].as_str().unwrap()
    );
    assert_eq!(admin.delete(&path).status, 204);
    crate::shared::eventually("the token is forgotten", || {
        (client.get(&show.path("events")).status == 401).then_some(())
    });
    shared
        .server
        .bearer("bilten_made_up")
        .get(&show.path("events"))
        .problem(401, "unauthenticated");
    assert!(token(&admin, &show.organizer_id, "door").starts_with("bilten_"));
}
