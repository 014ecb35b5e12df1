//! Real data through the core and found again in the lake, to the last RSVP.

use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
};
use tests::{Client, Home, figures};

/// A folder of the real data, which is no part of the repository: in `$BILTEN_SHARED`, or beside the clone.
fn real(folder: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("BILTEN_SHARED").map_or_else(beside, PathBuf::from);
    let path = shared.join("data").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "CI=true, but the real data is missing: {}",
        path.display()
    );
    let _ = writeln!(std::io::stderr(), "left out: this test needs {}", path.display());
    None
}

#[derive(Deserialize)]
struct Rsvp {
    event_id: String,
    member_id: String,
    guests: i64,
    response: String,
    created: i64,
    mtime: i64,
}

/// What has to be found, counted here by nothing but one sentence: a "yes" is an order with a ticket for the
/// member and one for each guest, and a "no" later than the RSVP is a cancellation.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    paid: i64,
    cancelled: i64,
    tickets: i64,
    events: i64,
    people: i64,
    /// The sum of all times at which an order was placed, in milliseconds: one wrong time changes it.
    placed_ms: i128,
    cancelled_ms: i128,
}

impl Expected {
    fn read(folder: &Path) -> Self {
        let mut expected = Self::default();
        let (mut events, mut people) = (HashSet::new(), HashSet::new());
        let mut rows = csv::Reader::from_path(folder.join("rsvps.csv")).unwrap();
        for row in rows.deserialize() {
            let rsvp: Rsvp = row.unwrap();
            let cancelled = rsvp.response == "no" && rsvp.mtime > rsvp.created;
            if rsvp.response != "yes" && !cancelled {
                continue;
            }
            expected.placed_ms += i128::from(rsvp.created);
            events.insert(rsvp.event_id);
            people.insert(rsvp.member_id);
            if cancelled {
                expected.cancelled += 1;
                expected.cancelled_ms += i128::from(rsvp.mtime);
            } else {
                expected.paid += 1;
                expected.tickets += 1 + rsvp.guests;
            }
        }
        Self {
            events: events.len() as i64,
            people: people.len() as i64,
            ..expected
        }
    }

    fn found(client: &Client) -> Self {
        let sum = |column: &str| {
            let ms =
                format!("select sum(cast({column} as bigint) / 1000) as ms from orders where {column} is not null");
            i128::from(client.count(&ms))
        };
        Self {
            paid: client.count("select count(*) from orders where status = 'paid'"),
            cancelled: client.count("select count(*) from orders where status = 'cancelled'"),
            tickets: client.count("select count(*) from tickets where status = 'valid'"),
            events: client.count("select count(distinct event_id) from orders"),
            people: client
                .count("select count(distinct p.source) from orders o join people p on p.person_id = o.person_id"),
            placed_ms: sum("placed_at"),
            cancelled_ms: sum("cancelled_at"),
        }
    }
}

/// Imports a folder, with an audit again and again while it runs, and once more after it.
fn import_audited(home: &Home, client: &Client, kind: &str, folder: &Path) {
    let said = File::create(home.beside("import.log")).unwrap();
    let mut import = home.command(&["import", kind, folder.to_str().unwrap()]);
    let mut import = import.stdout(Stdio::null()).stderr(said).spawn().unwrap();
    let mut audits = 0;
    loop {
        let report = client.post("/v1/audit", &json!({})).expect(200);
        assert_eq!(report["clean"], true, "audit {audits}: {report:#}");
        audits += 1;
        if let Some(status) = import.try_wait().unwrap() {
            let said = std::fs::read_to_string(home.beside("import.log")).unwrap();
            assert!(status.success(), "{kind}: {status}: {said}");
            break;
        }
    }
    assert!(audits > 1);
    assert_eq!(client.post("/v1/audit", &json!({})).expect(200)["clean"], true);
}

fn committed(client: &Client) -> Value {
    client.get("/v1/status").expect(200)["committed_seq"].clone()
}

fn every_rsvp_is_found(folder: &str) {
    let Some(folder) = real(folder) else { return };
    let home = Home::new();
    let server = home.serve();
    let client = server.admin();
    import_audited(&home, &client, "meetup", &folder);
    assert_eq!(Expected::found(&client), Expected::read(&folder));

    let before = committed(&client);
    home.output(&["import", "meetup", folder.to_str().unwrap()]);
    assert_eq!(committed(&client), before, "the second import changed something");
    let agreed = figures::agree_with_the_core(&home, &server);
    assert!(
        agreed["tickets_sold"] > 1_000 && agreed["repeat_rate"] > 10,
        "{agreed:?}"
    );
    server.stop();
}

#[test]
fn every_rsvp_of_montana_is_found_in_the_lake() {
    every_rsvp_is_found("meetup-montana");
}

#[test]
fn every_rsvp_of_houston_is_found_in_the_lake() {
    every_rsvp_is_found("meetup-houston");
}

#[test]
fn the_catalogue_of_rladies_is_found_in_the_lake() {
    let Some(folder) = real("rladies") else { return };
    let home = Home::new();
    let server = home.serve();
    let client = server.admin();
    import_audited(&home, &client, "rladies", &folder);
    assert_eq!(client.count("select count(*) from events"), 5_227);
    let languages = client.count("select count(distinct language) from events");
    assert!(languages >= 5, "{languages} languages");
    let before = committed(&client);
    home.output(&["import", "rladies", folder.to_str().unwrap()]);
    assert_eq!(committed(&client), before, "the second import changed something");
    server.stop();
}
