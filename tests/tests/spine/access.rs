//! Who may do what, and who sees whose data: through the API and through SQL.

use crate::shared::{eventually_counts, server};
use serde_json::json;
use tests::{Buyer, Client, Show, event, interaction, organizer, scan, token};

/// What each route asks of a role: owner, manager, marketer, analyst, door.
const ALLOWED: &[(&str, &str, [bool; 5])] = &[
    ("POST", "/v1/organizers", [false; 5]),
    ("POST", "/v1/imports", [false; 5]),
    ("POST", "/v1/audit", [false; 5]),
    ("GET", "{org}/members", [true, false, false, false, false]),
    ("GET", "{org}/api-tokens", [true, false, false, false, false]),
    ("GET", "{org}/audit-log", [true, true, false, false, false]),
    ("GET", "{org}/webhook-endpoints", [true, false, false, false, false]),
    ("GET", "{event}/exports/orders.csv", [true, true, true, true, false]),
    ("POST", "{org}/events", [true, true, false, false, false]),
    ("POST", "{event}/pools", [true, true, false, false, false]),
    ("GET", "{event}/orders", [true, true, false, false, false]),
    ("GET", "{event}/pools", [true, true, false, false, true]),
    ("POST", "{list}/redeem", [true, true, false, false, true]),
    ("POST", "{list}/scans", [true, true, false, false, true]),
    ("GET", "{list}/check-ins", [true, true, false, false, true]),
    ("GET", "{list}/attendance", [true, true, false, false, true]),
    ("GET", "{list}/download", [true, true, false, false, true]),
    ("GET", "{list}/attendees?search=ada", [true, true, false, false, true]),
    ("POST", "{list}/exit-all", [true, true, false, false, true]),
    ("GET", "{event}/gates", [true, true, false, false, true]),
    ("GET", "{event}/keys", [true, true, false, false, true]),
    ("POST", "{event}/keys/rotate", [true, true, false, false, false]),
    ("GET", "{org}/devices", [true, true, false, false, false]),
    ("POST", "{org}/devices", [true, true, false, false, false]),
    ("POST", "/v1/sql", [true, true, true, true, false]),
    ("GET", "/v1/questions/sales_today", [true, true, true, true, false]),
    ("GET", "/v1/status", [true; 5]),
];

fn send(client: &Client, show: &Show, method: &str, pattern: &str) -> u16 {
    let path = pattern
        .replace("{org}", &format!("/v1/organizers/{}", show.organizer_id))
        .replace("{event}", &format!("/v1/events/{}", show.event_id))
        .replace("{list}", &format!("/v1/check-in-lists/{}", show.check_in_list_id));
    let body = match pattern.rsplit('/').next() {
        Some("organizers") => organizer(),
        Some("events") => event("One more"),
        Some("pools") => json!({ "name": "More", "capacity": 1 }),
        Some("redeem") => scan("no code"),
        Some("scans") => json!({ "scans": [] }),
        Some("devices") => json!({ "name": "Scanner" }),
        Some("sql") => json!({ "sql": "select 1" }),
        _ => json!({}),
    };
    let request = client.request(method, &path);
    if method == "GET" {
        request.send().status
    } else {
        request.json(&body).send().status
    }
}

#[test]
fn a_role_opens_what_it_needs_and_nothing_else() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let roles = ["owner", "manager", "marketer", "analyst", "door"];
    let clients = roles.map(|role| shared.server.bearer(&token(&admin, &show.organizer_id, role)));
    for (method, pattern, allowed) in ALLOWED {
        for ((role, client), allowed) in roles.iter().zip(&clients).zip(allowed) {
            let status = send(client, &show, method, pattern);
            let wanted = if *allowed { 200..300 } else { 403..404 };
            assert!(wanted.contains(&status), "{role}: {method} {pattern} answers {status}");
        }
        let status = send(&shared.server.public(), &show, method, pattern);
        assert_eq!(status, 401, "nobody: {method} {pattern}");
    }
}

#[test]
fn another_organizers_things_do_not_exist() {
    let shared = server();
    let admin = shared.server.admin();
    let (mine, theirs) = (Show::open(&admin, None, 700), Show::open(&admin, None, 700));
    let me = shared.server.bearer(&token(&admin, &mine.organizer_id, "owner"));
    for (method, pattern, _) in ALLOWED.iter().filter(|(_, pattern, _)| pattern.starts_with('{')) {
        assert!(
            (200..300).contains(&send(&me, &mine, method, pattern)),
            "{method} {pattern}"
        );
        assert_eq!(send(&me, &theirs, method, pattern), 404, "{method} {pattern}");
    }
    me.get(&format!("/v1/organizers/{}", theirs.organizer_id))
        .problem(404, "not_found");
    me.put(
        &format!("/v1/pools/{}", theirs.pool_id),
        &json!({ "name": "Mine", "capacity": 1 }),
    )
    .problem(404, "not_found");
    me.post(&theirs.of_event("cancel"), &json!({}))
        .problem(404, "not_found");
    let purchase = Buyer {
        client: shared.server.public(),
        show: &theirs,
    }
    .buy(1);
    me.post(&format!("/v1/orders/{}/cancel", purchase.order_id), &json!({}))
        .problem(404, "not_found");
    let listed = me.get("/v1/organizers").expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
}

/// Every table and view that has an organizer, asked in ways that a filter might forget.
#[test]
fn sql_never_shows_another_organizers_rows() {
    let shared = server();
    let admin = shared.server.admin();
    let (mine, theirs) = (Show::open(&admin, None, 700), Show::open(&admin, None, 900));
    for show in [&mine, &theirs] {
        let buyer = Buyer {
            client: shared.server.public(),
            show,
        };
        let code = buyer.codes(&buyer.buy(2)).remove(0);
        admin.post(&show.redeem_path(), &scan(&code)).expect(200);
        let seen = interaction(&show.organizer_id, Some(&show.event_id));
        assert_eq!(buyer.client.post("/v1/interactions", &seen).expect(200)["accepted"], 1);
    }
    let counted = |id: &str| format!("select count(*) from check_ins where organizer_id = '{id}'");
    for show in [&mine, &theirs] {
        eventually_counts(&admin, &counted(&show.organizer_id), 1);
        let seen = format!(
            "select count(*) from interactions where organizer_id = '{}'",
            show.organizer_id
        );
        eventually_counts(&admin, &seen, 1);
    }
    let me = shared.server.bearer(&token(&admin, &mine.organizer_id, "owner"));
    let tables = me.sql("select table_name from information_schema.tables where table_schema = 'lake'");
    assert!(tables.len() > 20, "{tables:?}");
    for table in &tables {
        let table = table["table_name"].as_str().unwrap();
        let others = me.count(&format!(
            "select count(*) from lake.{table} where organizer_id <> '{}'",
            mine.organizer_id
        ));
        assert_eq!(others, 0, "{table}");
    }
    let theirs = &theirs.organizer_id;
    for sql in [
        format!("select count(*) from orders where organizer_id = '{theirs}' or true and organizer_id = '{theirs}'"),
        format!(
            "select count(*) from (select * from order_changes union all select * from order_changes) where organizer_id = '{theirs}'"
        ),
        format!(
            "with o as (select * from orders) select count(*) from o join tickets t on t.order_id = o.order_id where t.organizer_id = '{theirs}'"
        ),
        format!(
            "select count(*) from orders o where exists (select 1 from tickets t where t.organizer_id = '{theirs}')"
        ),
        "select count(distinct organizer_id) - 1 from orders".to_owned(),
    ] {
        assert_eq!(me.count(&sql), 0, "{sql}");
    }
    assert_eq!(me.count("select count(*) from orders"), 1);
    assert_eq!(me.count("select count(*) from tickets"), 2);
}

#[test]
fn personal_data_is_for_those_who_may_read_orders() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    Buyer {
        client: shared.server.public(),
        show: &show,
    }
    .buy(1);
    let manager = shared.server.bearer(&token(&admin, &show.organizer_id, "manager"));
    eventually_counts(&manager, "select count(*) from people where email like 'ada%'", 1);
    let analyst = shared.server.bearer(&token(&admin, &show.organizer_id, "analyst"));
    assert_eq!(analyst.count("select count(distinct person_id) from orders"), 1);
    for table in ["people", "person_changes"] {
        let refused = analyst.post("/v1/sql", &json!({ "sql": format!("select email from {table}") }));
        assert!([400, 403].contains(&refused.status), "{table}: {}", refused.text());
    }
}

#[test]
fn sql_only_reads() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let owner = shared.server.bearer(&token(&admin, &show.organizer_id, "owner"));
    for sql in [
        "insert into order_changes select * from order_changes",
        "delete from orders",
        "update orders set status = 'paid'",
        "drop table order_changes",
        "create table mine as select 1",
        "create view mine as select 1",
        "create external table passwords stored as csv location '/etc/passwd'",
        "copy (select 1) to '/tmp/bilten-was-here.csv'",
        "set datafusion.execution.batch_size = 1",
        "select * from '/etc/passwd'",
        "select 1; select 2",
        "explain analyze copy (select 1) to '/tmp/bilten-was-here.csv'",
    ] {
        for client in [&owner, &admin] {
            let answer = client.post("/v1/sql", &json!({ "sql": sql }));
            assert!(
                [400, 403].contains(&answer.status),
                "{sql}: {} {}",
                answer.status,
                answer.text()
            );
        }
    }
    assert!(!std::path::Path::new("/tmp/bilten-was-here.csv").exists());
}
