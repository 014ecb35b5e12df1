//! A person is erased: afterwards no byte of the data folder knows who it was, and everything else is as before.

use crate::{
    readers::python,
    shared::{eventually, eventually_counts, server},
};
use serde_json::{Value, json};
use std::process::Command;
use tests::{Client, Home, Purchase, Show, interaction, token, uuid7};

const EMAIL: &str = "zdzislawa.qx71@forget.example.org";
const NAME: &str = "Zdzisława Qx-Żółkiewska";
const PHONES: [&str; 2] = ["+48-601-771-004", "+48-602-882-115"];
/// In the addresses of pages that she looked at.
const PAGE: &str = "late-quartet-qx71-gallery";
const OTHERS: [&str; 2] = ["balthasar.vk93@stay.example.org", "Balthasar Vk-Ebert"];

/// The files below the test's folder in which each text stands, compressed values included.
fn find(home: &Home, texts: &[&str]) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/find_text.py");
    let output = Command::new(python())
        .arg(script)
        .arg(home.beside(""))
        .args(texts)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let looked: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        looked["files"].as_i64() > Some(30) && looked["parquet"].as_i64() > Some(5),
        "{looked}"
    );
    looked["found"].clone()
}

fn hers() -> [&'static str; 4] {
    [EMAIL, NAME, PHONES[0], PHONES[1]]
}

#[track_caller]
fn assert_forgotten(home: &Home) {
    let found = find(home, &[&hers()[..], &[PAGE]].concat());
    for text in hers() {
        assert_eq!(found[text], json!([]), "{text} stands there still");
    }
    let pages = found[PAGE].as_array().unwrap();
    let may_stand = |file: &str| {
        ["home/log/interactions/", "replayed/interactions/"]
            .iter()
            .any(|place| file.starts_with(place))
    };
    assert!(
        pages.iter().all(|file| may_stand(file.as_str().unwrap())),
        "only the log has her pages, up to its retention, and a lake that is built from it: {pages:?}"
    );
}

#[track_caller]
fn buy(client: &Client, show: &Show, email: &str, name: &str, phone: Option<&str>) -> Purchase {
    let hold = client.post("/v1/holds", &show.hold_body(2)).expect(201);
    let body = json!({
        "hold_id": hold["hold_id"], "payment_method": "test_ok",
        "buyer": { "email": email, "name": name, "phone": phone },
    });
    let request = client.request("POST", "/v1/orders").json(&body).idempotent(&uuid7());
    Purchase::of(&request.send().expect(201))
}

fn look_at(client: &Client, show: &Show, person: &str, page: &str) {
    let seen: Vec<Value> = (0..5)
        .map(|n| {
            let mut seen = interaction(&show.organizer_id, Some(&show.event_id));
            seen["person_id"] = json!(person);
            seen["url"] = json!(format!("https://shop.example.org/{page}/{n}"));
            seen
        })
        .collect();
    assert_eq!(client.post("/v1/interactions", &json!(seen)).expect(200)["accepted"], 5);
}

fn person(admin: &Client, email: &str) -> String {
    let sql = format!("select person_id from people where email = '{email}'");
    let rows = eventually("the person is in the lake", || {
        Some(admin.sql(&sql)).filter(|rows| !rows.is_empty())
    });
    rows[0]["person_id"].as_str().unwrap().to_owned()
}

/// A show with two buyers, she and another, everything of theirs in files: the folder, the show, and the two.
fn two_buyers() -> (Home, Show, String, String) {
    let home = Home::new();
    let server = home.serve();
    let (admin, public) = (server.admin(), server.public());
    let show = Show::open(&admin, None, 1_250);
    for phone in PHONES {
        buy(&public, &show, EMAIL, NAME, Some(phone));
    }
    buy(&public, &show, OTHERS[0], OTHERS[1], None);
    let (she, other) = (person(&admin, EMAIL), person(&admin, OTHERS[0]));
    look_at(&public, &show, &she, PAGE);
    look_at(&public, &show, &other, "another-page");
    eventually_counts(&admin, "select count(*) from interactions", 10);
    server.stop();
    (home, show, she, other)
}

fn assert_others_stay(admin: &Client, she: &str, other: &str) {
    let nulls = format!(
        "select count(*) from person_changes where person_id = '{she}' and email is null and name is null and phone is null"
    );
    assert_eq!(admin.count(&nulls), 3, "registered, updated, erased");
    let known = format!("select email, name from people where person_id = '{other}'");
    assert_eq!(admin.sql(&known), [json!({ "email": OTHERS[0], "name": OTHERS[1] })]);
    let orders = format!("select sum(total_minor) from orders where person_id = '{she}' and status = 'paid'");
    assert_eq!(admin.count(&orders), 5_000, "the money adds up");
    assert_eq!(admin.post("/v1/audit", &json!({})).expect(200)["clean"], true);
}

#[track_caller]
fn assert_reports(erased: &Value) {
    let core = &erased["report"]["core"];
    assert_eq!(core["people"]["emptied"], json!(["email", "name", "phone"]), "{erased}");
    assert_eq!(core["idempotency_keys"]["rows"], 2, "{erased}");
    assert_eq!(core["person_keys"]["rows"], 1, "{erased}");
    let tables = erased["report"]["lake"]["tables"].as_array().unwrap();
    let table = |name: &str| tables.iter().find(|table| table["table"] == name).unwrap();
    assert_eq!(table("person_changes")["rows_emptied"], 2, "{erased}");
    assert_eq!(table("interactions")["rows_deleted"], 5, "{erased}");
    assert!(table("person_changes")["bytes_deleted"].as_i64() > Some(0), "{erased}");
    assert!(
        erased["report"]["remains"]
            .as_array()
            .is_some_and(|remains| remains.len() > 3)
    );
    for text in hers() {
        assert!(!erased.to_string().contains(text), "{erased}");
    }
}

#[test]
fn no_byte_of_the_data_folder_knows_an_erased_person() {
    let (home, show, she, other) = two_buyers();
    let before = find(&home, &[&hers()[..], &[PAGE], &OTHERS].concat());
    for text in hers().into_iter().chain(OTHERS) {
        let files: Vec<&str> = before[text]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        // The core knows the newer of her numbers alone.
        assert!(
            text == PHONES[0] || files.contains(&"home/core.db"),
            "{text}: {files:?}"
        );
        assert!(
            files.iter().any(|file| file.starts_with("home/lake/person_changes/")),
            "{text}: {files:?}"
        );
        assert!(
            !files
                .iter()
                .any(|file| file.contains("/log/") || file.contains("_delta_log")),
            "{text}: {files:?}"
        );
    }

    let server = home.serve();
    let (admin, public) = (server.admin(), server.public());
    let erased = home.output(&["erase", EMAIL, "--organizer", &show.organizer_id, "--grace", "0s"]);
    let erased: Value = serde_json::from_str(&erased).unwrap();
    assert_eq!(
        (&erased["state"], &erased["person_id"]),
        (&json!("finished"), &json!(she)),
        "{erased}"
    );
    assert_reports(&erased);
    assert_forgotten(&home);
    assert_others_stay(&admin, &she, &other);
    assert_eq!(admin.count("select count(*) from interactions"), 5);

    let again = admin.post(&format!("/v1/people/{she}/erasure"), &json!({})).expect(202);
    assert_eq!(again, erased, "a second request answers the first erasure");
    let nobody = home.run(&["erase", EMAIL, "--organizer", &show.organizer_id]);
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("no such person"));
    drop((admin, public));
    server.stop();
    assert_forgotten(&home);

    // All of the log again, into a lake that knows nothing: the erased come without data.
    let replayed = format!("file://{}", home.beside("replayed").display());
    let server = home.serve_with(|command| command.env("LAKE_URL", &replayed));
    eventually_counts(&server.admin(), "select count(*) from orders where status = 'paid'", 3);
    assert_others_stay(&server.admin(), &she, &other);
    assert_forgotten(&home);

    buy(&server.public(), &show, EMAIL, "Somebody", None);
    assert_ne!(person(&server.admin(), EMAIL), she, "who comes back is a new person");
    server.stop();
}

#[test]
fn an_erasure_goes_on_after_a_crash() {
    let (home, _, she, other) = two_buyers();
    let server = home.serve();
    let asked = server
        .admin()
        .post(&format!("/v1/people/{she}/erasure"), &json!({ "grace_seconds": 3 }))
        .expect(202);
    let path = format!("/v1/erasures/{}", asked["erasure_id"].as_str().unwrap());
    let state = |server: &tests::Server| server.admin().get(&path).expect(200)["state"].clone();
    assert_ne!(state(&server), "finished", "{asked}");
    eventually("the core is done", || {
        (state(&server) == "erased_in_core").then_some(())
    });
    server.kill_9();
    let server = home.serve();
    eventually("it is finished", || (state(&server) == "finished").then_some(()));
    assert_others_stay(&server.admin(), &she, &other);
    server.stop();
    assert_forgotten(&home);
}

#[test]
fn only_an_owner_erases_and_only_whom_there_is() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 0);
    buy(&shared.server.public(), &show, "ada.erase@example.org", "Ada", None);
    let she = person(&admin, "ada.erase@example.org");
    let path = format!("/v1/people/{she}/erasure");
    let by_email = show.path("erasures");
    let bearer = |organizer: &str, role: &str| shared.server.bearer(&token(&admin, organizer, role));
    let manager = bearer(&show.organizer_id, "manager");
    manager.post(&path, &json!({})).problem(403, "forbidden");
    let stranger = bearer(&Show::open(&admin, None, 0).organizer_id, "owner");
    stranger.post(&path, &json!({})).problem(404, "not_found");
    let owner = bearer(&show.organizer_id, "owner");
    owner
        .post(&format!("/v1/people/{}/erasure", uuid7()), &json!({}))
        .problem(404, "not_found");
    owner
        .post(&by_email, &json!({ "email": "nobody@example.org" }))
        .problem(404, "not_found");
    owner
        .post(&path, &json!({ "grace_seconds": 100_000 }))
        .problem(422, "invalid_field");
    let ask = || {
        owner
            .request("POST", &path)
            .idempotent("erase-once")
            .json(&json!({ "grace_seconds": 0 }))
    };
    let first = ask().send().expect(202);
    assert_eq!(ask().send().expect(202)["erasure_id"], first["erasure_id"]);
    assert_eq!(
        first["requested_by"].as_str().map(|by| by.starts_with("token:")),
        Some(true),
        "{first}"
    );
    let shown = format!("/v1/erasures/{}", first["erasure_id"].as_str().unwrap());
    stranger.get(&shown).problem(404, "not_found");
    owner.get(&shown).expect(200);
}
