//! Twenty questions, by every door, as three principals.

use super::world;
use serde_json::Value;
use tests::{
    Home,
    sql::{Asker, DOORS, Door},
    token,
};

const QUESTIONS: [&str; 20] = [
    "select status, count(*) as orders, sum(total_minor) as minor from orders group by status order by status",
    "select order_id, placed_at, cancelled_at, currency from orders order by order_id",
    "select order_id, lines from orders order by order_id",
    "select count(distinct organizer_id) as organizers from order_changes",
    "select event_id, title, starts_at, timezone, venue_id from events order by event_id",
    "select e.event_id, count(*) as sold from tickets t join events e using (event_id) group by e.event_id order by e.event_id",
    "select avg(total_minor) as mean, stddev(total_minor) as spread, max(quantity) as most from orders",
    "select order_id, cast(total_minor as decimal(12, 2)) / 4 as quarter, -cast(quantity as decimal(6, 3)) as less from orders order by order_id",
    "select cast(placed_at as date) as placed_on, count(*) as orders from orders group by placed_on order by placed_on",
    "select date_trunc('hour', placed_at) as hour, extract(minute from placed_at) as minute, placed_at - interval '1 day' as before, local_time(date_trunc('hour', placed_at), 'Europe/Vienna') as there from orders order by order_id",
    "with paid as (select * from orders where status = 'paid') select count(*) as paid, count(*) > 2 as many from paid",
    "select order_id, row_number() over (order by order_id) as place, lag(quantity) over (order by order_id) as last from orders order by place",
    "select null as nothing, 'ü 東京 \"x\", ''y'' \\ , {z}' as words, 'two\nlines' as lines, '' as empty, 1 as one, 0.1 as tenth, 1e300 as huge, true as yes",
    "select kind, count(*) as seen, max(properties) as properties from interactions group by kind order by kind",
    "select order_id, title from orders join events using (event_id) where orders.status = 'nowhere' and total_minor < 0",
    "select event_id, array_agg(quantity order by order_id) as quantities, array_agg(paid_at order by order_id) as times from orders group by event_id order by event_id",
    "select email, name from people order by email",
    "select table_schema, table_name, table_type from information_schema.tables where table_schema in ('lake', 'marts') order by table_schema, table_name",
    "select sold_on, title, currency, net_tickets, net_minor from marts.sales_by_day order by sold_on, title, net_minor, net_tickets, currency",
    "select * from marts.money order by 1, 2, 3, 4, 5, 6",
];

/// Numbers that another door has to write in another way are the same.
fn same(one: &Value, other: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse::<f64>().ok(),
        _ => None,
    };
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|o| same(value, o)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        _ => one == other || number(one).is_some_and(|one| Some(one) == number(other)),
    }
}

/// PostgreSQL's number for a type of Arrow.
fn oid(arrow: &str) -> i64 {
    match arrow {
        "bool" => 16,
        "int64" => 20,
        "int32" => 23,
        "double" => 701,
        "date32[day]" => 1082,
        "timestamp[us]" => 1114,
        "timestamp[us, tz=UTC]" => 1184,
        number if number == "uint64" || number.starts_with("decimal") => 1700,
        nested if nested.starts_with("list") || nested.starts_with("struct") => 114,
        _ => 25,
    }
}

/// Whether a cell of psql's CSV says what JSON says.
fn says(cell: &str, value: &Value) -> bool {
    match value {
        Value::Null => cell == "<null>",
        Value::Bool(yes) => cell == if *yes { "t" } else { "f" },
        Value::Number(number) => cell.parse::<f64>().ok() == number.as_f64(),
        Value::String(text) => {
            let time = match text.strip_suffix('Z') {
                Some(moment) => format!("{moment}+00"),
                None => text.clone(),
            };
            cell == text || cell == time.replacen('T', " ", 1) || same(value, &Value::String(cell.to_owned()))
        }
        nested => serde_json::from_str::<Value>(cell).is_ok_and(|cell| same(&cell, nested)),
    }
}

#[track_caller]
fn assert_psql_agrees(asker: &Asker, sql: &str, rows: &[Value]) {
    let output = asker.ask_psql(sql);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{sql}: {error}");
    let mut reader = csv::Reader::from_reader(output.stdout.as_slice());
    let names = reader.headers().unwrap().clone();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), rows.len(), "{sql}");
    for (record, row) in records.iter().zip(rows) {
        for (name, cell) in names.iter().zip(record) {
            let value = &row[name];
            assert!(says(cell, value), "{sql}: {name} is {cell:?} and not {value}");
        }
    }
}

#[test]
fn twenty_questions_get_the_same_answers_by_every_door() {
    let home = Home::new();
    let server = home.serve_tools();
    let shows = world(&server, [700, 1_250], [2, 3]);
    let mut tokens = shows
        .map(|show| token(&server.admin(), &show.organizer_id, "owner"))
        .to_vec();
    tokens.push(server.admin_token().to_owned());
    let questions = Value::from(QUESTIONS.to_vec());
    let mut orders = Vec::new();
    for token in &tokens {
        let asker = server.asker(token);
        let wanted = asker.ask(Door::Http, &questions);
        orders.push(wanted[1]["rows"].as_array().unwrap().len());
        for door in DOORS {
            let answers = asker.ask(door, &questions);
            for ((sql, wanted), answer) in QUESTIONS.iter().zip(&wanted).zip(answers) {
                assert!(
                    same(&answer["rows"], &wanted["rows"]),
                    "{door:?}: {sql}\n{answer}\n{wanted}"
                );
                let types = wanted["types"].as_array().unwrap().iter();
                let types = types.map(|arrow| match door {
                    Door::Text | Door::Binary => Value::from(oid(arrow.as_str().unwrap())),
                    _ => arrow.clone(),
                });
                assert_eq!(answer["types"], types.collect::<Value>(), "{door:?}: {sql}");
            }
        }
        for (sql, wanted) in QUESTIONS.iter().zip(&wanted) {
            let json = asker.http.sql(sql);
            assert!(same(&Value::from(json.clone()), &wanted["rows"]), "{sql}: {json:?}");
            assert_psql_agrees(&asker, sql, &json);
        }
    }
    assert_eq!(orders, [2, 3, 5]);
    server.stop();
}
