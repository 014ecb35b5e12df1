//! What PostgreSQL's clients and Flight's take for granted: lists as values, transactions that fail, limits of their
//! own, and words for what is not done here.

use super::world;
use crate::shared::until;
use serde_json::{Value, json};
use std::net::TcpStream;
use tests::{
    Home, Show,
    sql::{Asker, DOORS, Door, message, send},
    token,
};

#[test]
fn lists_are_values_by_every_door() {
    let home = Home::new();
    let server = home.serve_tools();
    world(&server, [700, 1_250], [2, 3]);
    let asker = server.asker(server.admin_token());
    let statuses = json!(["paid", "no, \"such\" {status}", null]);
    let asked = [
        ("status = any($1)", statuses.clone(), 5),
        ("status = any($1::text[])", statuses.clone(), 5),
        ("status = any($1)", json!(["cancelled"]), 0),
        ("not (status = any($1::text[]))", json!(["paid"]), 0),
        ("status <> all($1)", json!(["cancelled"]), 5),
        ("total_minor = any($1::bigint[])", json!([700, 3_750]), 2),
        ("total_minor = any($1)", json!([1_400]), 1),
    ];
    for door in DOORS {
        let word = match door {
            Door::Text => "%s",
            Door::Binary => "%b",
            _ => "$1",
        };
        let questions = asked.iter().map(|(condition, list, _)| {
            let condition = condition.replace("$1", word);
            json!([format!("select count(*) as n from orders where {condition}"), [list]])
        });
        for ((condition, list, count), answer) in asked.iter().zip(asker.ask(door, &questions.collect())) {
            assert_eq!(
                answer["rows"],
                json!([{ "n": count }]),
                "{door:?}: {condition} {list}: {answer}"
            );
        }
    }
    for door in [Door::Text, Door::Binary] {
        let literal = "select count(*) as n from orders where status = any('{paid,\"x y\"}'::text[])";
        assert_eq!(asker.ask(door, &json!([literal]))[0]["rows"], json!([{ "n": 5 }]));
        let text = asker.ask(
            door,
            &json!(["select count(*) from orders where status = any(status::text[])"]),
        );
        assert!(
            text[0]["error"].as_str().unwrap().contains("string_to_array"),
            "{text:?}"
        );
    }
    server.stop();
}

#[track_caller]
fn codes(asker: &Asker, statements: &[&str]) -> Vec<String> {
    let answers = asker.ask(Door::Text, &json!(statements));
    let code = |answer: &Value| match answer["code"].as_str() {
        Some(code) => code.to_owned(),
        None => answer["rows"].to_string(),
    };
    answers.iter().map(code).collect()
}

#[test]
fn a_transaction_that_failed_takes_nothing_but_its_end() {
    let home = Home::new();
    let server = home.serve_tools();
    let asker = server.asker(server.admin_token());
    let one = "select 1 as one";
    let said = codes(
        &asker,
        &[
            "begin",
            "savepoint a",
            "select nope",
            one,
            "set statement_timeout = 1",
            "rollback to savepoint a",
            one,
            "select nope",
            "commit",
            one,
        ],
    );
    let rows = r#"[{"one":1}]"#;
    assert_eq!(
        said,
        ["[]", "[]", "42703", "25P02", "25P02", "[]", rows, "42703", "[]", rows]
    );
    // The same by the simple protocol, in which one message may hold several.
    let mut stream = asker.bare();
    let mut ask = |sql: &str| {
        send(&mut stream, b'Q', &[sql.as_bytes(), &[0]].concat());
        let mut said = String::new();
        loop {
            let (kind, body) = message(&mut stream);
            let text = String::from_utf8_lossy(&body);
            match kind {
                b'C' => said += &format!("{} ", text.trim_end_matches('\0')),
                b'E' => {
                    said += &format!(
                        "{} ",
                        ["25P02", "42703"]
                            .into_iter()
                            .find(|code| text.contains(code))
                            .unwrap_or("?")
                    )
                }
                b'I' => said += "empty ",
                b'Z' => return said + &text,
                _ => {}
            }
        }
    };
    assert_eq!(ask("begin; select nope"), "BEGIN 42703 E");
    assert_eq!(ask("select 1"), "25P02 E");
    assert_eq!(ask("rollback to a; select 1"), "ROLLBACK SELECT 1 T");
    assert_eq!(ask("select nope"), "42703 E");
    assert_eq!(ask("commit"), "ROLLBACK I");
    assert_eq!(ask("begin; select 1; commit"), "BEGIN SELECT 1 COMMIT I");
    assert_eq!(ask("-- nothing"), "empty I");
    assert_eq!(ask(";"), "empty I");
    server.stop();
}

#[test]
fn a_client_has_a_limit_of_its_own_and_hears_what_is_not_done() {
    let home = Home::new();
    let server = home.serve_tools();
    let asker = server.asker(server.admin_token());
    let long = "with recursive n as (select 1 as i union all select i + 1 from n where i < 1000) \
                select count(*) from n a, n b, n c where a.i + b.i + c.i > 0";
    let said = codes(
        &asker,
        &[
            "set statement_timeout = '300ms'",
            "show statement_timeout",
            long,
            "reset statement_timeout",
            "show statement_timeout",
            "show nope",
            "set search_path = marts",
            "set search_path = '$user', public",
            "set search_path = ''",
            "copy orders to stdout",
            "declare c cursor for select 1",
            "listen news",
        ],
    );
    let told = [
        "[]",
        r#"[{"statement_timeout":"300ms"}]"#,
        "57014",
        "[]",
        r#"[{"statement_timeout":"0"}]"#,
        "42704",
        "22023",
        "[]",
        "[]",
        "0A000",
        "0A000",
        "0A000",
    ];
    assert_eq!(said, told);
    let mut psql = asker.psql();
    let output = psql
        .env("PGOPTIONS", "-c statement_timeout=300")
        .args(["--command", long])
        .output();
    let error = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(error.contains("statement_timeout"), "{error}");
    server.stop();
}

#[test]
fn nobody_is_taken_for_everybody_by_a_wrong_name() {
    let home = Home::new();
    let server = home.serve_tools();
    let mut asker = server.asker(server.admin_token());
    asker.organizer = Some("nope".to_owned());
    let error = String::from_utf8(asker.ask_psql("select 1").stderr).unwrap();
    assert!(error.contains("there is no database \"nope\""), "{error}");
    asker.organizer = Some("ada@example.org".to_owned());
    assert!(asker.ask_psql("select 1").status.success(), "named like the user");
    server.stop();
}

#[test]
fn those_who_say_nothing_keep_nobody_out() {
    let home = Home::new();
    let server = home.serve_tools();
    let asker = server.asker(server.admin_token());
    for address in [server.postgres().unwrap(), server.flight().unwrap()] {
        let silent: Vec<_> = (0..300).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert!(asker.ask_psql("select 1").status.success());
        let answer = asker.ask(Door::Flight, &json!(["select 1 as one"])).remove(0);
        assert_eq!(answer["rows"], json!([{ "one": 1 }]));
        drop(silent);
    }
    server.stop();
}

#[test]
fn one_organizers_connections_leave_room_for_others() {
    let home = Home::new();
    let server = home.serve_tools();
    let admin = server.admin();
    let asker = |show: Show| server.asker(&token(&admin, &show.organizer_id, "analyst"));
    let [greedy, other] = [
        asker(Show::open(&admin, None, 700)),
        asker(Show::open(&admin, None, 700)),
    ];
    let open: Vec<_> = (0..200).map_while(|_| greedy.try_bare().ok()).collect();
    assert!((100..150).contains(&open.len()), "{}", open.len());
    let refused = greedy.try_bare().unwrap_err();
    assert!(refused.contains("too many connections"), "{refused}");
    for asker in [&other, &server.asker(server.admin_token())] {
        assert!(asker.ask_psql("select 1").status.success());
    }
    drop(open);
    until("there is room again", || greedy.try_bare().is_ok());
    server.stop();
}

/// Statements, a value, and the rows; none where it is enough that there are some or none.
const SENT: &[(&str, &str, Option<&str>)] = &[
    // SQLAlchemy's, when it connects, and asyncpg's, when a connection goes back to its pool.
    (
        "select typname as name, oid, typarray as array_oid, oid::regtype::text as regtype, typdelim as delimiter \
         from pg_type t where t.oid = to_regtype(%s) order by t.oid",
        "hstore",
        Some("[]"),
    ),
    (
        "select t.oid from pg_type t where t.oid = to_regtype(%s)",
        "numeric",
        Some(r#"[{"oid":1700}]"#),
    ),
    ("select pg_advisory_unlock_all() where %s <> ''", "-", None),
    (
        "select current_setting(%s) as zone",
        "TimeZone",
        Some(r#"[{"zone":"UTC"}]"#),
    ),
    (
        "select count(*) as n from orders where status like %s escape '/'",
        "p/aid",
        Some(r#"[{"n":2}]"#),
    ),
    (
        "select count(*) as n from orders where %s like 'a/_b//%%' escape '/' and not 'axb' like 'a/_b' escape '/'",
        "a_b/%",
        Some(r#"[{"n":2}]"#),
    ),
    (
        "select c.relname as name from pg_class c where c.oid = %s::regclass",
        "lake.orders",
        Some(r#"[{"name":"orders"}]"#),
    ),
    (
        "select %s::date as day",
        "2026-01-02",
        Some(r#"[{"day":"2026-01-02"}]"#),
    ),
    (
        "select %s::uuid as id",
        "0194fdc2-fa2f-4cc0-81d3-ff12045b73c8",
        Some(r#"[{"id":"0194fdc2-fa2f-4cc0-81d3-ff12045b73c8"}]"#),
    ),
    // JDBC's getTypeInfo
    (
        "select t.typname, t.oid from pg_catalog.pg_type t join pg_catalog.pg_namespace n on (t.typnamespace = n.oid) \
         where n.nspname != %s and (t.typrelid = 0 or (select c.relkind = 'c' from pg_catalog.pg_class c \
         where c.oid = t.typrelid))",
        "pg_toast",
        None,
    ),
];

#[test]
fn what_clients_send_before_and_between_is_understood() {
    let home = Home::new();
    let server = home.serve_tools();
    world(&server, [700, 1_250], [1, 1]);
    let asker = server.asker(server.admin_token());
    let asked = SENT.iter().map(|(sql, value, _)| json!([sql, [value]])).collect();
    for ((sql, _, wanted), answer) in SENT.iter().zip(asker.ask(Door::Text, &asked)) {
        match wanted {
            Some(wanted) => assert_eq!(answer["rows"].to_string(), *wanted, "{sql}: {answer}"),
            None => assert!(answer["rows"].is_array(), "{sql}: {answer}"),
        }
    }
    for command in [
        r"\dC",
        r"\dy",
        r"\dc",
        r"\dL",
        r"\do",
        r"\dO",
        r"\ddp",
        r"\dF",
        r"\des",
        r"\dAc",
        r"\drds",
        r"\dconfig",
    ] {
        let output = asker.ask_psql(command);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && !error.contains("ERROR"),
            "{command}: {error}"
        );
    }
    server.stop();
}

#[test]
fn flight_takes_question_marks_and_counts_values() {
    let home = Home::new();
    let server = home.serve_tools();
    world(&server, [700, 1_250], [1, 1]);
    let asker = server.asker(server.admin_token());
    let asked = json!([
        [
            "select count(*) as n from orders where status = ? and total_minor > ?",
            ["paid", 1_000]
        ],
        ["select $1::int as a", [1, 2]],
        ["select $1::int as a, $2::int as b", [1]],
        "delete from orders",
    ]);
    let answers = asker.ask(Door::Flight, &asked);
    assert_eq!(answers[0]["rows"], json!([{ "n": 1 }]), "{}", answers[0]);
    assert!(
        answers[1]["error"]
            .as_str()
            .unwrap()
            .contains("1 places for values and 2 came"),
        "{}",
        answers[1]
    );
    assert!(
        answers[2]["error"]
            .as_str()
            .unwrap()
            .contains("2 places for values and 1 came"),
        "{}",
        answers[2]
    );
    assert!(
        answers[3]["error"].as_str().unwrap().contains("can only read"),
        "{}",
        answers[3]
    );
    server.stop();
}
