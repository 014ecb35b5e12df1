//! A person is erased from an installation on servers: afterwards no byte of any of them knows who it was, but in the
//! places that the report names.

use crate::my_turn;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    thread::sleep,
    time::{Duration, Instant},
};
use tests::{
    cluster::{Cluster, Services},
    erasure::{OTHERS, She, TwoBuyers, assert_reports, two_buyers},
    load::{audit, eventually},
    python::Found,
};

const ROLES: [&str; 5] = ["api", "query", "relay", "sink", "worker"];

/// A table without new rows tells once a minute how far it is, and an erasure waits for all of them.
const FINISHED: Duration = Duration::from_secs(180);

/// PostgreSQL's write-ahead log, up to when its files are written over.
const DATABASE_LOG: &str = "postgres/pg_wal/";

#[test]
fn no_byte_of_any_server_knows_an_erased_person_but_where_the_report_says_so() {
    let _turn = my_turn();
    let Some(services) = Services::find() else { return };
    let mut cluster = Cluster::new(services);
    // In batches that are compressed nothing would be found.
    cluster.backends.event_log_url.push_str("&compression.type=none");
    ROLES.iter().for_each(|role| cluster.add(role, role));
    let (admin, query) = (cluster.server("api").admin(), cluster.server("query").admin());
    let she = She::new();
    let buyers = two_buyers(&admin, &query, &cluster.server("api").public(), &she);
    eventually("all of it is in files", || {
        (query.count("select sum(tail_rows) from system.freshness") == 0).then_some(())
    });
    // From files now, of which the process keeps copies.
    query.sql("select email, name, phone from person_changes");
    // What the server does by itself from time to time: samples of each column's values go into its catalog.
    cluster.psql("analyze");
    cluster.psql("checkpoint");
    let key = cluster.psql(&format!(
        "select key from person_keys where person_id = '{}'",
        buyers.she
    ));
    let hers = [&she.personal()[..], &[&key]].concat();
    let before = find(&cluster, &[&hers[..], &OTHERS, &[&she.page]].concat());
    tell("before", &before, &she, &key);
    assert_stands(&before, &she, &key);

    let erased = erase(&cluster, &buyers);
    assert_reports(&erased, &she);
    let began = Instant::now();
    eventually("a process that answers queries has the new files", || {
        let known = "select count(*) as known from person_changes where email is not null or name is not null";
        let answer = query.post("/v1/sql", &json!({ "sql": known }));
        // Without a grace the files are gone before the process has looked for others.
        (answer.status == 200 && answer.json()[0]["known"] == 1).then_some(())
    });
    eprintln!("queries knew her for {:?} longer", began.elapsed());
    buyers.assert_others_stay(&query);
    assert_eq!(query.count("select count(*) from interactions"), 5);
    assert!(!erased.to_string().contains(&key), "{erased}");
    // The files of tables that were rewritten are there, empty, up to the next checkpoint.
    cluster.psql("checkpoint");
    let after = eventually("caches have dropped their copies", || {
        let after = find(&cluster, &[&hers[..], &[&she.page]].concat());
        let cached = she.personal().iter().any(|text| stands(&after, text, "home of "));
        (!cached).then_some(after)
    });
    tell("after", &after, &she, &key);
    assert_forgotten(&after, &hers);
    let pages = &after[&she.page];
    assert!(
        pages
            .iter()
            .all(|place| place.starts_with("kafka/") && place.contains(".interactions-")),
        "only the log has her pages, up to its retention: {pages:?}"
    );
    let remains = erased["report"]["remains"].as_array().unwrap();
    let named = |place: &str| remains.iter().find(|remains| remains["where"] == place).unwrap();
    assert!(named("database").to_string().contains("write-ahead log"), "{erased}");
    assert!(
        named("log, topic interactions").to_string().contains("pages"),
        "{erased}"
    );
    audit(&query);
    cluster.stop();
}

/// Texts and the places where they stand: in a server's folder, or in a process's.
type Places = BTreeMap<String, Vec<String>>;

fn find(cluster: &Cluster, texts: &[&str]) -> Places {
    let servers = Found::below(&cluster.services.folder, texts);
    assert!(servers.files > 500 && servers.parquet > 5, "{servers:?}");
    let mut places = Places::new();
    for text in texts {
        let found = servers.places(text).into_iter().map(str::to_owned);
        places.insert((*text).to_owned(), found.collect());
    }
    for role in ROLES {
        let home = Found::below(&cluster.home(role).beside(""), texts);
        for text in texts {
            let found = home
                .places(text)
                .into_iter()
                .map(|file| format!("home of {role}/{file}"));
            places.get_mut(*text).unwrap().extend(found);
        }
    }
    places
}

fn stands(places: &Places, text: &str, below: &str) -> bool {
    places[text].iter().any(|place| place.starts_with(below))
}

/// The search finds what there is to find, and what is not to be there at any time is not there.
fn assert_stands(before: &Places, she: &She, key: &str) {
    for text in she.personal().into_iter().chain([key]).chain(OTHERS) {
        let places = &before[text];
        let in_core = text != she.phones[0];
        assert!(!in_core || stands(before, text, "postgres/base/"), "{text}: {places:?}");
        if text != key {
            assert!(stands(before, text, "s3/"), "{text}: {places:?}");
            assert!(stands(before, text, "home of query/"), "{text}: {places:?}");
        }
        let never = |place: &String| {
            place.starts_with("kafka/")
                || place.contains("_delta_log")
                || place.ends_with(".log") && !place.contains("pg_wal")
        };
        assert!(!places.iter().any(never), "{text}: {places:?}");
    }
    // Of a value that is changed, or that goes over the end of a page, that log has pieces.
    assert!(
        stands(before, &she.email, DATABASE_LOG) || stands(before, &she.name, DATABASE_LOG),
        "{before:?}"
    );
    assert!(stands(before, &she.page, "kafka/"), "{before:?}");
}

fn assert_forgotten(after: &Places, hers: &[&str]) {
    for text in hers {
        let places = &after[*text];
        assert!(
            places.iter().all(|place| place.starts_with(DATABASE_LOG)),
            "{text} stands there still: {places:?}"
        );
    }
}

/// Asks for her erasure and waits for its end.
fn erase(cluster: &Cluster, buyers: &TwoBuyers) -> Value {
    let admin = cluster.server("api").admin();
    let path = format!("/v1/people/{}/erasure", buyers.she);
    let asked = admin.post(&path, &json!({ "grace_seconds": 0 })).expect(202);
    let (path, began) = (
        format!("/v1/erasures/{}", asked["erasure_id"].as_str().unwrap()),
        Instant::now(),
    );
    loop {
        let erasure = admin.get(&path).expect(200);
        if erasure["state"] == "finished" {
            eprintln!("the erasure took {:?}", began.elapsed());
            return erasure;
        }
        assert!(began.elapsed() < FINISHED, "{erasure}");
        sleep(Duration::from_millis(200));
    }
}

/// How many files of each kind of place have something of hers.
fn tell(when: &str, places: &Places, she: &She, key: &str) {
    let texts = [
        ("e-mail address", &*she.email),
        ("name", &she.name),
        ("first number", &she.phones[0]),
        ("second number", &she.phones[1]),
        ("key", key),
        ("page", &she.page),
    ];
    for (what, text) in texts {
        let mut kinds = BTreeMap::<&str, u64>::new();
        for place in &places[text] {
            let end = place.match_indices('/').nth(1).map_or(place.len(), |(end, _)| end);
            *kinds.entry(&place[..end]).or_default() += 1;
        }
        eprintln!("{when}: {what}: {kinds:?}");
    }
}
