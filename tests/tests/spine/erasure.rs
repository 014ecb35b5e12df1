//! A person is erased: afterwards no byte of the data folder knows who it was, and everything else is as before.

use crate::shared::{eventually, eventually_counts, server};
use serde_json::{Value, json};
use tests::{
    Home, Show,
    erasure::{OTHERS, She, TwoBuyers, assert_reports, buy, person, two_buyers},
    python::Found,
    token, uuid7,
};

/// The files below the test's folder in which each text stands.
fn find(home: &Home, texts: &[&str]) -> Found {
    let found = Found::below(&home.beside(""), texts);
    assert!(found.files > 30 && found.parquet > 5, "{found:?}");
    found
}

#[track_caller]
fn assert_forgotten(home: &Home, she: &She) {
    let found = find(home, &[&she.personal()[..], &[&she.page]].concat());
    for text in she.personal() {
        assert!(found.places(text).is_empty(), "{text} stands there still: {found:?}");
    }
    let may_stand = |file: &str| {
        ["home/log/interactions/", "replayed/interactions/"]
            .iter()
            .any(|place| file.starts_with(place))
    };
    let pages = found.places(&she.page);
    assert!(
        pages.iter().all(|file| may_stand(file)),
        "only the log has her pages, up to its retention, and a lake that is built from it: {pages:?}"
    );
}

/// Two buyers, everything of theirs in files, and the folder.
fn in_files(she: &She) -> (Home, TwoBuyers) {
    let home = Home::new();
    let server = home.serve();
    let buyers = two_buyers(&server.admin(), &server.admin(), &server.public(), she);
    server.stop();
    (home, buyers)
}

#[test]
fn no_byte_of_the_data_folder_knows_an_erased_person() {
    let she = She::new();
    let (home, buyers) = in_files(&she);
    let before = find(&home, &[&she.personal()[..], &OTHERS].concat());
    for text in she.personal().into_iter().chain(OTHERS) {
        let files = before.places(text);
        assert!(
            text == she.phones[0] || files.contains(&"home/core.db"),
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

    let organizer = &buyers.show.organizer_id;
    let server = home.serve();
    let (admin, public) = (server.admin(), server.public());
    let erased = home.output(&["erase", &she.email, "--organizer", organizer, "--grace", "0s"]);
    let erased: Value = serde_json::from_str(&erased).unwrap();
    assert_eq!(
        (&erased["state"], &erased["person_id"]),
        (&json!("finished"), &json!(buyers.she)),
        "{erased}"
    );
    assert_reports(&erased, &she);
    assert_forgotten(&home, &she);
    buyers.assert_others_stay(&admin);
    assert_eq!(admin.count("select count(*) from interactions"), 5);

    let path = format!("/v1/people/{}/erasure", buyers.she);
    let again = admin.post(&path, &json!({})).expect(202);
    assert_eq!(again, erased, "a second request answers the first erasure");
    let nobody = home.run(&["erase", &she.email, "--organizer", organizer]);
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("no such person"));
    drop((admin, public));
    server.stop();
    assert_forgotten(&home, &she);

    // All of the log again, into a lake that knows nothing: the erased come without data.
    let replayed = format!("file://{}", home.beside("replayed").display());
    let server = home.serve_with(|command| command.env("LAKE_URL", &replayed));
    eventually_counts(&server.admin(), "select count(*) from orders where status = 'paid'", 3);
    buyers.assert_others_stay(&server.admin());
    assert_forgotten(&home, &she);

    buy(&server.public(), &buyers.show, &she.email, "Somebody", None);
    let new = person(&server.admin(), &she.email);
    assert_ne!(new, buyers.she, "who comes back is a new person");
    server.stop();
}

#[test]
fn an_erasure_goes_on_after_a_crash() {
    let she = She::new();
    let (home, buyers) = in_files(&she);
    let server = home.serve();
    let asked = server
        .admin()
        .post(
            &format!("/v1/people/{}/erasure", buyers.she),
            &json!({ "grace_seconds": 3 }),
        )
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
    buyers.assert_others_stay(&server.admin());
    server.stop();
    assert_forgotten(&home, &she);
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
