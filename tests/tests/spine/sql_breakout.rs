//! One organizer's token against another organizer's rows, through every door that takes SQL.

use crate::shared::eventually_counts;
use serde_json::json;
use std::path::Path;
use tests::{Buyer, Home, Server, Show, postgres::PgLogin, scan, token};

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
    "with recursive x as (select order_id from orders union all select o.order_id from orders o join x on o.order_id > x.order_id) select * from x",
    "select (select max(total_minor) from order_changes) as most",
    "select * from orders o, lateral (select * from tickets t where t.order_id = o.order_id) t",
    "select array_agg(organizer_id) from orders",
    "select string_agg(title, ',') from events",
    "select * from information_schema.tables",
    "select * from information_schema.columns",
    "select * from information_schema.views",
    "select * from information_schema.df_settings",
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
    ]
    .to_vec()
}

fn world(server: &Server) -> [Show; 2] {
    let admin = server.admin();
    let shows = [700, SECRET].map(|price| Show::open(&admin, None, price));
    for show in &shows {
        let buyer = Buyer {
            client: server.public(),
            show,
        };
        let code = buyer.codes(&buyer.buy(1)).remove(0);
        admin.post(&show.redeem_path(), &scan(&code)).expect(200);
    }
    eventually_counts(&admin, "select count(*) from check_ins", 2);
    // Some of it in files, so that they are there to be read.
    std::thread::sleep(std::time::Duration::from_secs(3));
    shows
}

#[test]
fn no_door_tells_one_organizer_of_another() {
    let home = Home::new();
    let server = home.serve_with(|command| command.args(["--pg-listen", "127.0.0.1:0"]));
    let [mine, theirs] = world(&server);
    let token = token(&server.admin(), &mine.organizer_id, "owner");
    let client = server.bearer(&token);
    let login = PgLogin::new(server.postgres(), &token);
    let buyers = server.admin().sql(&format!(
        "select email, person_id from people where organizer_id = '{}'",
        theirs.organizer_id
    ));
    let mut secrets = vec![SECRET.to_string(), theirs.event_id.clone(), theirs.pool_id.clone()];
    secrets.push(theirs.ticket_type_id.clone());
    secrets.extend(buyers.iter().flat_map(|row| {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        [text("email"), text("person_id")].into_iter().flatten()
    }));
    let told = |door: &str, sql: &str, said: &str| {
        for secret in secrets.iter().chain([&theirs.organizer_id]) {
            // What was asked may be said again.
            let said = said.replace(sql, "");
            assert!(
                sql.contains(secret.as_str()) || !said.contains(secret.as_str()),
                "{door}: {sql}: {said}"
            );
        }
    };
    let attempts = attempts(&theirs, &home);
    for sql in &attempts {
        told("http", sql, &client.post("/v1/sql", &json!({ "sql": sql })).text());
        let psql = login.ask_psql(sql);
        let said = [psql.stdout, psql.stderr].concat();
        told("psql", sql, &String::from_utf8_lossy(&said));
    }
    for (sql, answer) in attempts.iter().zip(login.ask_psycopg(&attempts, true)) {
        told("psycopg", sql, &answer.to_string());
    }
    let probes = probes(&theirs);
    for (sql, answer) in probes.iter().zip(login.ask_psycopg(&probes, false)) {
        assert!(answer["rows"].is_array(), "{sql}: {answer}");
        let wanted = client.sql(sql);
        assert_eq!(answer["rows"], json!(wanted), "{sql}");
        assert!(login.ask_psql(sql).status.success(), "{sql}");
    }
    for name in [format!("/tmp/{OUT}"), format!("/tmp/{OUT}.csv")] {
        assert!(!Path::new(&name).exists(), "{name}");
    }
    assert_eq!(client.count("select count(*) from orders"), 1);
    server.stop();
}

/// A row that only the other has can be asked for by its exact value, and is not found.
#[test]
fn what_only_others_have_is_not_found_by_its_value() {
    let home = Home::new();
    let server = home.serve_with(|command| command.args(["--pg-listen", "127.0.0.1:0"]));
    let [mine, theirs] = world(&server);
    let token = token(&server.admin(), &mine.organizer_id, "owner");
    let login = PgLogin::new(server.postgres(), &token);
    let asked = json!([
        ["select count(*) as n from orders where total_minor = %s", [SECRET]],
        [
            "select count(*) as n from events where event_id = %s",
            [theirs.event_id]
        ],
        [
            "select count(*) as n from orders where organizer_id = %s or organizer_id = any(make_array(%s))",
            [theirs.organizer_id, theirs.organizer_id]
        ],
    ]);
    for answer in login.ask_psycopg_with(asked, true) {
        assert_eq!(answer["rows"], json!([{ "n": 0 }]), "{answer}");
    }
}
