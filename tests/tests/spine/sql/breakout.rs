//! One organizer's token against another organizer's rows, through every door that takes SQL.

use super::world;
use serde_json::{Value, json};
use std::{path::Path, thread, time::Duration};
use tests::{
    Home, Show,
    sql::{Asker, DOORS, Door},
    token,
};

/// A price that nobody else has. It stands in rows, and in what divides by zero only on those rows.
const SECRET: i64 = 31_337;
const OUT: &str = "bilten-broke-out";

/// Statements that may fail or answer, but must not tell anything of the other.
const ATTEMPTS: &[&str] = &[
    "select * from orders",
    "select * from order_changes",
    "table orders",
    "select * from bilten.lake.orders",
    "select * from rejects",
    "select * from events full outer join organizers on true",
    "select organizer_id, count(*) from tickets group by rollup(organizer_id)",
    "select * from lake.people union all select * from lake.people",
    "select * from person_changes",
    "with recursive x as (select order_id from orders union all select o.order_id from orders o join x on o.order_id > x.order_id) select * from x",
    "select (select max(total_minor) from order_changes) as most",
    "select * from orders o, lateral (select * from tickets t where t.order_id = o.order_id) t",
    "select array_agg(organizer_id) from orders",
    "select string_agg(title, ',') from events",
    "select * from marts.sales",
    "select * from marts.benchmark",
    "select * from marts.people",
    "select * from staging.stg_orders",
    "select * from intermediate.int_sale_facts",
    "select * from kept.\"marts/sales\"",
    "select * from \"kept\".\"marts/sales$small\"",
    "with orders as (select * from lake.orders) select * from orders",
    "with organizers as (select 1 as id) select * from events join organizers on true",
    "select lake.* from orders as lake, tickets as orders",
    "select * from orders where organizer_id in (select organizer_id from lake.organizers)",
    "select * from orders except select * from orders where false",
    "select count(*) filter (where true) as n, max(_offset) as o, max(seq) as s from order_changes",
    "select * from unnest((select array_agg(order_id) from orders)) as t(x)",
    "select * from information_schema.tables",
    "select * from information_schema.columns",
    "select * from information_schema.views",
    "select * from information_schema.df_settings",
    "select * from information_schema.schemata",
    "select * from information_schema.routines",
    "select * from pg_catalog.pg_class",
    "select * from pg_catalog.pg_attribute",
    "select * from pg_catalog.pg_database",
    "select * from pg_catalog.pg_stats",
    "select * from pg_stat_activity",
    "select * from system.queries",
    "select * from system.freshness",
    "select * from system.commits",
    "select * from system.tables",
    "explain select * from orders",
    "explain analyze select * from orders",
    "explain verbose select * from orders",
    "explain analyze verbose select * from order_changes where total_minor > 0",
    "explain format tree select * from orders",
    "with x as (select 1) select * from (explain analyze select * from orders) e",
    "describe orders",
    "show all",
    "show tables",
    "copy orders to stdout",
    "copy orders from stdin",
    "copy orders to program 'cat'",
    "set role postgres",
    "set session authorization postgres",
    "set search_path = pg_catalog",
    "set datafusion.catalog.default_schema = 'system'",
    "reset all",
    "declare c cursor for select * from orders",
    "prepare p as select * from orders",
    "execute p",
    "select pg_read_file('/etc/passwd')",
    "select pg_ls_dir('/')",
    "select lo_import('/etc/passwd')",
    "select * from dblink('dbname=bilten', 'select 1') as t(a int)",
    "select current_setting('is_superuser')",
    "create view everything as select * from orders",
    "create table mine as select * from orders",
    "create function f() returns int as 'select 1' language sql",
    "do $$ begin perform 1; end $$",
    "insert into order_changes select * from order_changes",
    "delete from order_changes",
    "truncate order_changes",
    "lock table orders",
    "notify x, 'y'",
    "vacuum",
];

/// The same, with the names of what belongs to the other.
fn attempts(theirs: &Show, home: &Home) -> Vec<String> {
    let (organizer, event) = (&theirs.organizer_id, &theirs.event_id);
    let lake = home.path().join("lake");
    let lake = lake.display();
    let core = home.path().join("core.db");
    let mut attempts: Vec<String> = ATTEMPTS.iter().map(|sql| (*sql).to_owned()).collect();
    attempts.extend([
        format!("select * from orders where organizer_id = '{organizer}'"),
        format!("select * from orders where organizer_id = '{organizer}' or true"),
        format!("select * from events where event_id = '{event}' or '{event}' = event_id"),
        format!("select count(*) as n from tickets where event_id = '{event}' having count(*) > 0"),
        format!("select 1 as found where exists (select 1 from order_changes where total_minor = {SECRET})"),
        format!("select * from '{lake}/order_changes'"),
        format!("select * from '{lake}/order_changes/_delta_log/00000000000000000000.json'"),
        format!("select * from read_parquet('{lake}/order_changes/*.parquet')"),
        format!("select * from read_csv('{}')", core.display()),
        format!("select * from parquet_metadata('{lake}/order_changes')"),
        format!("create external table o stored as parquet location '{lake}/order_changes'"),
        format!("copy (select * from orders) to '/tmp/{OUT}.csv'"),
        format!("copy (select * from orders) to '/tmp/{OUT}' stored as parquet"),
        format!("explain analyze copy (select 1) to '/tmp/{OUT}.csv'"),
        format!("set organizer_id = '{organizer}'"),
        format!("select * from marts.sales where organizer_id = '{organizer}'"),
        format!("select * from marts.money where organizer_id <> 'x' or organizer_id = '{organizer}'"),
        format!("select * from '{lake}/marts/sales'"),
        format!("select * from delta_scan('{lake}/marts/sales')"),
        format!("prepare p as select * from orders where organizer_id = '{organizer}'"),
    ]);
    attempts
}

/// Queries that would fail on the other's rows. On one's own they don't, so they have to succeed.
fn probes(theirs: &Show) -> Vec<String> {
    let organizer = &theirs.organizer_id;
    [
        format!("select 1 / (total_minor - {SECRET}) as x from order_changes"),
        format!("select count(*) as x from order_changes where 1 / (total_minor - {SECRET}) < 5"),
        format!("select count(*) as x from orders where 1 / (case when organizer_id = '{organizer}' then 0 else 1 end) = 1"),
        format!("select cast(case when organizer_id = '{organizer}' then 'x' else '1' end as bigint) as x from tickets"),
        format!("select count(*) as x from orders o join tickets t on t.order_id = o.order_id and 1 / (o.total_minor - {SECRET}) < 5"),
        format!("select max(1 / (total_minor - {SECRET})) over () as x from orders order by 1 / (total_minor - {SECRET}) limit 1"),
        format!("with o as (select total_minor - {SECRET} as d from order_changes) select sum(1 / d) as x from o where d is not null"),
        format!("select cast(case when title like '%{organizer}%' then 'x' else '1' end as bigint) as x from events"),
        format!("select sum(1 / (gross_minor - {SECRET})) as x from marts.sales where gross_minor <> 0"),
        format!("select count(*) as x from marts.sales where 1 / (case when organizer_id = '{organizer}' then 0 else 1 end) = 1"),
        format!("select count(*) as x from staging.stg_orders where cast(case total_minor when {SECRET} then 'x' else '1' end as bigint) = 1"),
        format!("select cast(case when organizer_id = '{organizer}' then 'x' else '1' end as date) is null as x from orders where organizer_id = '{organizer}'"),
    ]
    .to_vec()
}

/// What must not be told: the other's ids, people and price.
fn secrets(admin: &tests::Client, theirs: &Show) -> Vec<String> {
    let of = format!("organizer_id = '{}'", theirs.organizer_id);
    let mut secrets = vec![SECRET.to_string()];
    for sql in [
        "select organizer_id, event_id, order_id, person_id from orders",
        "select ticket_id, ticket_type_id from tickets",
        "select email, name from people",
    ] {
        let texts = |rows: &[Value]| -> Vec<String> {
            let values = rows.iter().flat_map(|row| row.as_object().unwrap().values());
            values.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (of_theirs, of_others) = (format!("{sql} where {of}"), format!("{sql} where not {of}"));
        // What both have is no secret.
        let known = texts(&admin.sql(&of_others));
        secrets.extend(
            texts(&admin.sql(&of_theirs))
                .into_iter()
                .filter(|text| !known.contains(text)),
        );
    }
    assert!(secrets.len() > 6, "{secrets:?}");
    secrets.push(theirs.pool_id.clone());
    secrets
}

fn told(secrets: &[String], door: &str, sql: &str, said: &str) {
    // What was asked may be said again.
    let said = said.replace(sql, "");
    for secret in secrets {
        let asked = sql.contains(secret.as_str());
        assert!(asked || !said.contains(secret.as_str()), "{door}: {sql}: {said}");
    }
}

fn ask_all(asker: &Asker, secrets: &[String], attempts: &[String]) {
    for sql in attempts {
        let http = asker.http.post("/v1/sql", &json!({ "sql": sql }));
        told(secrets, "http", sql, &http.text());
        let psql = asker.ask_psql(sql);
        told(
            secrets,
            "psql",
            sql,
            &String::from_utf8_lossy(&[psql.stdout, psql.stderr].concat()),
        );
    }
    for door in DOORS {
        let answers = asker.ask(door, &json!(attempts));
        for (sql, answer) in attempts.iter().zip(answers) {
            told(secrets, &format!("{door:?}"), sql, &answer.to_string());
        }
    }
}

#[test]
fn no_door_tells_one_organizer_of_another() {
    let home = Home::new();
    let server = home.serve_tools();
    let [mine, theirs] = world(&server, [700, SECRET], [1, 1]);
    // Some of it in files, so that they are there to be read.
    thread::sleep(Duration::from_secs(3));
    home.output(&["transform", "run"]);
    let secrets = secrets(&server.admin(), &theirs);
    let asker = server.asker(&token(&server.admin(), &mine.organizer_id, "owner"));
    ask_all(&asker, &secrets, &attempts(&theirs, &home));
    let probes = probes(&theirs);
    for door in DOORS {
        for (sql, answer) in probes.iter().zip(asker.ask(door, &json!(probes))) {
            assert!(answer["rows"].is_array(), "{door:?}: {sql}: {answer}");
        }
    }
    for sql in &probes {
        asker.http.sql(sql);
        assert!(asker.ask_psql(sql).status.success(), "{sql}");
    }
    for name in [format!("/tmp/{OUT}"), format!("/tmp/{OUT}.csv")] {
        assert!(!Path::new(&name).exists(), "{name}");
    }
    assert_eq!(asker.http.count("select count(*) from orders"), 1);
    server.stop();
}

/// A row that only the other has can be asked for by its exact value, and is not found.
#[test]
fn what_only_others_have_is_not_found_by_its_value() {
    let home = Home::new();
    let server = home.serve_tools();
    let [mine, theirs] = world(&server, [700, SECRET], [1, 1]);
    let asker = server.asker(&token(&server.admin(), &mine.organizer_id, "owner"));
    for door in DOORS {
        let place = if matches!(door, Door::Text | Door::Binary) {
            "%s"
        } else {
            "$1"
        };
        let asked = json!([
            [
                format!("select count(*) as n from orders where total_minor = {place}"),
                [SECRET]
            ],
            [
                format!("select count(*) as n from events where event_id = {place}"),
                [theirs.event_id]
            ],
            [
                format!("select count(*) as n from marts.sales where organizer_id = {place}"),
                [theirs.organizer_id]
            ],
            [
                format!("select count(*) as n from orders where {place} = any(make_array(organizer_id))"),
                [theirs.organizer_id]
            ],
        ]);
        for answer in asker.ask(door, &asked) {
            assert_eq!(answer["rows"], json!([{ "n": 0 }]), "{door:?}: {answer}");
        }
    }
    server.stop();
}

#[test]
fn roles_without_personal_data_see_none_by_any_door() {
    let home = Home::new();
    let server = home.serve_tools();
    let [mine, _] = world(&server, [700, SECRET], [2, 1]);
    thread::sleep(Duration::from_secs(3));
    let admin = server.admin();
    let asker = server.asker(&token(&admin, &mine.organizer_id, "analyst"));
    let people = admin.sql("select email, name from people");
    let names = people.iter().flat_map(|row| row.as_object().unwrap().values());
    let mut secrets: Vec<String> = names.filter_map(Value::as_str).map(str::to_owned).collect();
    assert!(!secrets.is_empty());
    secrets.push("person_changes".to_owned());
    let mut attempts = attempts(&mine, &home);
    attempts.extend(
        [
            "select * from rejects",
            "select * from marts.people",
            "select * from people",
        ]
        .map(str::to_owned),
    );
    ask_all(&asker, &secrets, &attempts);
    let refused = json!(["select * from people", "select * from person_changes"]);
    for door in DOORS {
        for answer in asker.ask(door, &refused) {
            let code = answer["code"].as_str();
            assert!(
                code == Some("42P01") || code == Some("INVALID_ARGUMENT"),
                "{door:?}: {answer}"
            );
        }
    }
    server.stop();
}

/// What one connection says of itself changes nothing for another, nor for the next statement.
#[test]
fn connections_share_no_state() {
    let home = Home::new();
    let server = home.serve_tools();
    let [mine, theirs] = world(&server, [700, SECRET], [1, 1]);
    let admin = server.admin();
    let [mine, theirs] = [mine, theirs].map(|show| server.asker(&token(&admin, &show.organizer_id, "owner")));
    let said = json!([
        "set search_path = system",
        "set timezone = 'Pacific/Auckland'",
        "set session authorization default",
        "begin",
        "prepare mine as select * from orders",
        "rollback",
        "select count(*) as n, max(total_minor) as most from orders",
    ]);
    for door in DOORS {
        let answers = [&mine, &theirs, &mine].map(|asker| asker.ask(door, &said).pop().unwrap());
        let rows = answers.each_ref().map(|answer| answer["rows"].clone());
        let wanted = [700, SECRET, 700].map(|most| json!([{ "n": 1, "most": most }]));
        assert_eq!(rows, wanted, "{door:?}");
    }
    server.stop();
}
