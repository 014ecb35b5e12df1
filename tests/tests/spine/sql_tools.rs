//! The tools of analysts ask what HTTP answers: psql and psycopg get the same rows, as any principal.

use crate::shared::{eventually_counts, until};
use serde_json::{Value, json};
use std::{fs, process::Command, thread, time::Duration};
use tests::{
    Buyer, Client, Home, Server, Show, interaction,
    postgres::{PgLogin, message, send},
    scan, token,
};

const QUESTIONS: [&str; 20] = [
    "select count(*) as orders from orders",
    "select status, count(*) as orders, sum(total_minor) as minor from orders group by status order by status",
    "select order_id, placed_at, currency from orders order by order_id",
    "select order_id, lines from orders order by order_id",
    "select count(distinct organizer_id) as organizers from order_changes",
    "select status, count(*) as tickets from tickets group by status order by status",
    "select event_id, title, starts_at, timezone from events order by event_id",
    "select e.event_id, count(*) as sold from tickets t join events e using (event_id) group by e.event_id order by e.event_id",
    "select avg(total_minor) as mean, max(quantity) as most from orders",
    "select order_id, cast(total_minor as decimal(12, 2)) / 4 as quarter from orders order by order_id",
    "select cast(placed_at as date) as day, count(*) as orders from orders group by day order by day",
    "select date_trunc('hour', placed_at) as hour, count(*) as orders from orders group by hour order by hour",
    "with paid as (select * from orders where status = 'paid') select count(*) as paid from paid",
    "select order_id, total_minor > 1000 as is_large from orders order by order_id",
    "select order_id, row_number() over (order by order_id) as place from orders order by place",
    "select null as nothing, 'ü 東京 \"x\", ''y''' as words, 1 as one, 0.1 as tenth, true as yes",
    "select kind, count(*) as seen from interactions group by kind order by kind",
    "select count(*) as orders from orders o where exists (select 1 from tickets t where t.order_id = o.order_id)",
    "select email, name from people order by email",
    "select table_name from information_schema.tables where table_schema = 'lake' order by table_name",
];

fn serve(home: &Home) -> Server {
    home.serve_with(|command| command.args(["--pg-listen", "127.0.0.1:0"]))
}

/// Two shows with sales at different prices, and check-ins.
fn world(server: &Server) -> [Show; 2] {
    let admin = server.admin();
    let shows = [700, 1_250].map(|price| Show::open(&admin, None, price));
    for (index, show) in shows.iter().enumerate() {
        let buyer = Buyer {
            client: server.public(),
            show,
        };
        for quantity in 1..=(index as i64 + 2) {
            let code = buyer.codes(&buyer.buy(quantity)).remove(0);
            admin.post(&show.redeem_path(), &scan(&code)).expect(200);
        }
        let seen = interaction(&show.organizer_id, Some(&show.event_id));
        assert_eq!(buyer.client.post("/v1/interactions", &seen).expect(200)["accepted"], 1);
    }
    eventually_counts(&admin, "select count(*) from check_ins", 5);
    eventually_counts(&admin, "select count(*) from interactions", 2);
    shows
}

/// Whether a cell of psql's CSV says what JSON says.
fn says(cell: &str, value: &Value) -> bool {
    match value {
        Value::Null => cell == "<null>",
        Value::Bool(yes) => cell == if *yes { "t" } else { "f" },
        Value::Number(number) => cell.parse::<f64>().ok() == number.as_f64(),
        Value::String(text) => {
            let time = text
                .strip_suffix('Z')
                .map(|time| format!("{}+00", time.replace('T', " ")));
            cell == text || Some(cell) == time.as_deref()
        }
        nested => serde_json::from_str::<Value>(cell).ok().as_ref() == Some(nested),
    }
}

#[track_caller]
fn assert_psql_agrees(login: &PgLogin, sql: &str, rows: &[Value]) {
    let output = login.ask_psql(sql);
    assert!(
        output.status.success(),
        "{sql}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut reader = csv::Reader::from_reader(output.stdout.as_slice());
    let names = reader.headers().unwrap().clone();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), rows.len(), "{sql}");
    for (record, row) in records.iter().zip(rows) {
        for (name, cell) in names.iter().zip(record) {
            assert!(
                says(cell, &row[name]),
                "{sql}: {name} is {cell:?} and not {}",
                row[name]
            );
        }
    }
}

#[test]
fn psql_and_psycopg_answer_twenty_questions_as_http_does() {
    let home = Home::new();
    let server = serve(&home);
    let admin = server.admin();
    let shows = world(&server);
    let mut tokens = shows.map(|show| token(&admin, &show.organizer_id, "owner")).to_vec();
    tokens.push(server.admin_token().to_owned());
    let questions = QUESTIONS.map(str::to_owned);
    let mut counts = Vec::new();
    for token in &tokens {
        let client = server.bearer(token);
        let login = PgLogin::new(server.postgres(), token);
        let answers = QUESTIONS.map(|sql| client.sql(sql));
        counts.push(answers[0][0]["orders"].as_i64().unwrap());
        for binary in [false, true] {
            let theirs = login.ask_psycopg(&questions, binary);
            for ((sql, ours), theirs) in QUESTIONS.iter().zip(&answers).zip(theirs) {
                assert_eq!(theirs["rows"], json!(ours), "{sql}: {theirs}");
            }
        }
        for (sql, ours) in QUESTIONS.iter().zip(&answers) {
            assert_psql_agrees(&login, sql, ours);
        }
    }
    assert_eq!(counts, [2, 3, 5]);
    server.stop();
}

#[test]
fn psql_lists_and_describes_what_the_principal_sees() {
    let home = Home::new();
    let server = serve(&home);
    let admin = server.admin();
    let [show, _] = world(&server);
    let analyst = PgLogin::new(server.postgres(), &token(&admin, &show.organizer_id, "analyst"));
    let platform = PgLogin::new(server.postgres(), server.admin_token());
    let said = |login: &PgLogin, command: &str| {
        let output = login.ask_psql(command);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && error.is_empty(), "{command}: {error}");
        String::from_utf8(output.stdout).unwrap()
    };
    let tables = said(&analyst, r"\dt");
    assert!(
        tables.contains("order_changes") && !tables.contains("person_changes"),
        "{tables}"
    );
    assert!(!tables.contains("commits"), "{tables}");
    assert!(said(&platform, r"\dt").contains("person_changes"));
    let views = said(&analyst, r"\dv");
    assert!(views.contains("orders") && !views.contains("people"), "{views}");
    let columns = said(&analyst, r"\d orders");
    for line in ["placed_at,timestamp with time zone", "total_minor,bigint", "lines,json"] {
        assert!(columns.contains(line), "{columns}");
    }
    let schemas = said(&analyst, r"\dn");
    assert!(schemas.contains("lake,bilten"), "{schemas}");
    assert!(said(&analyst, r"\l").contains("bilten"));
    for command in [
        r"\dn+",
        r"\du",
        r"\df",
        r"\dp",
        r"\d",
        r"\d+ orders",
        r"\d system.freshness",
        r"\conninfo",
    ] {
        said(&analyst, command);
    }
}

#[test]
fn parameters_have_the_types_of_what_they_are_compared_with() {
    let home = Home::new();
    let server = serve(&home);
    let [_, show] = world(&server);
    let login = PgLogin::new(server.postgres(), &token(&server.admin(), &show.organizer_id, "owner"));
    let questions = json!([
        [
            "select count(*) as n from orders where total_minor > %s and status = %s",
            [1_300, "paid"]
        ],
        [
            "select count(*) as n from orders where placed_at > %s",
            ["2020-01-01 00:00:00+00"]
        ],
        ["select %s::text as words, %s::bigint as number", ["it's; -- $1", 7]],
        ["select count(*) as n from orders where event_id = %s", ["' or true --"]],
        ["select count(*) as n from orders limit %s", [1]],
        ["select 'a' as one; select 'b' as two", []],
    ]);
    for binary in [false, true] {
        let answers = login.ask_psycopg_with(questions.clone(), binary);
        let rows: Vec<&Value> = answers.iter().take(5).map(|answer| &answer["rows"][0]).collect();
        let wanted = [
            json!({ "n": 2 }),
            json!({ "n": 3 }),
            json!({ "words": "it's; -- $1", "number": 7 }),
            json!({ "n": 0 }),
            json!({ "n": 3 }),
        ];
        assert_eq!(rows, wanted.iter().collect::<Vec<_>>(), "{answers:?}");
        assert_eq!(answers[5]["code"], "42601", "{answers:?}");
    }
}

#[test]
fn who_has_no_good_token_is_not_let_in_and_who_loses_it_is_out() {
    let home = Home::new();
    let server = serve(&home);
    let admin = server.admin();
    let [mine, theirs] = world(&server);
    let refused = |login: &PgLogin, why: &str| {
        let output = login.ask_psql("select 1");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(why), "{said}");
    };
    refused(&PgLogin::new(server.postgres(), "no token"), "unauthenticated");
    refused(&PgLogin::new(server.postgres(), ""), "");
    let door = token(&admin, &mine.organizer_id, "door");
    refused(&PgLogin::new(server.postgres(), &door), "does not allow this");
    let created = admin.post(&mine.path("api-tokens"), &json!({ "name": "BI", "role": "analyst" }));
    let created = created.expect(201);
    let mut login = PgLogin::new(server.postgres(), created["secret"].as_str().unwrap());
    login.database = theirs.organizer_id.clone();
    refused(&login, "not_found");
    login.database = mine.organizer_id.clone();
    assert!(login.ask_psql("select 1").status.success());

    let mut open = login.bare();
    send(&mut open, b'Q', b"select 1\0");
    while message(&mut open).0 != b'Z' {}
    let id = created["api_token_id"].as_str().unwrap();
    admin.delete(&mine.path(&format!("api-tokens/{id}"))).expect(204);
    thread::sleep(Duration::from_secs(3));
    send(&mut open, b'Q', b"select 1\0");
    let (kind, said) = message(&mut open);
    assert_eq!(kind, b'E', "{}", String::from_utf8_lossy(&said));
    assert!(String::from_utf8_lossy(&said).contains("28P01"));
    refused(&login, "unauthenticated");
}

/// A thousand million rows.
const ENDLESS: &str = "with recursive n as (select 1 as i union all select i + 1 from n where i < 1000) \
                       select a.i as a, b.i as b, c.i as c, 'some words to fill the line' as words from n a, n b, n c";

fn running(admin: &Client) -> i64 {
    admin
        .count("select count(*) from system.queries where sql like '%recursive n%' and sql not like '%system.queries%'")
}

#[test]
fn a_client_that_is_killed_or_cancels_leaves_nothing_running() {
    let home = Home::new();
    let server = serve(&home);
    let admin = server.admin();
    let login = PgLogin::new(server.postgres(), server.admin_token());
    let count = format!("select count(*) from ({ENDLESS}) where a + b + c > 0");
    let mut killed = login.start_psql(&count);
    until("the query runs", || running(&admin) == 1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let mut unread = login.start_psql(ENDLESS);
    until("its rows are sent", || running(&admin) >= 1);
    unread.kill().unwrap();
    unread.wait().unwrap();

    let cancelled = login.start_psql(&format!("{count} and a > 0"));
    until("the next one runs", || {
        admin.count("select count(*) from system.queries where sql like '%a > 0%'") >= 2
    });
    let pid = cancelled.id().to_string();
    assert!(
        Command::new("sh")
            .args(["-c", "kill -s INT \"$0\"", &pid])
            .status()
            .unwrap()
            .success()
    );
    let said = cancelled.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr);
    assert!(said.contains("cancel"), "{said}");
    until("nothing runs any more", || running(&admin) == 0);
    assert_eq!(
        login.ask_psycopg(&["select 1 as one".to_owned()], true)[0]["rows"][0]["one"],
        1
    );
}

fn resident_mib(server: &Server) -> i64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<i64>().unwrap() / 1024
}

#[test]
fn a_reader_that_stops_reading_takes_no_memory_and_keeps_nobody_out() {
    let home = Home::new();
    let server = serve(&home);
    let login = PgLogin::new(server.postgres(), server.admin_token());
    let sql = [ENDLESS.as_bytes(), &[0]].concat();
    let mut simple = login.bare();
    send(&mut simple, b'Q', &sql);
    let mut prepared = login.bare();
    send(&mut prepared, b'P', &[&[0], &sql[..], &[0, 0]].concat());
    send(&mut prepared, b'B', &[0; 8]);
    send(&mut prepared, b'E', &[0; 5]);
    send(&mut prepared, b'H', &[]);
    for stream in [&mut simple, &mut prepared] {
        while message(stream).0 != b'D' {}
    }
    // A portal of which so many rows are wanted at once that a list of them could not be.
    let mut portal = login.bare();
    send(&mut portal, b'P', &[&[0], &sql[..], &[0, 0]].concat());
    send(&mut portal, b'B', &[0; 8]);
    send(&mut portal, b'E', &[&[0][..], &i32::MAX.to_be_bytes()].concat());
    send(&mut portal, b'H', &[]);
    while message(&mut portal).0 != b'D' {}
    let before = resident_mib(&server);
    let idle: Vec<_> = (0..20).map(|_| login.bare()).collect();
    for _ in 0..10 {
        thread::sleep(Duration::from_millis(300));
        let two: Vec<_> = (0..2).map(|_| login.start_psql("select 1 as one")).collect();
        for psql in two {
            assert!(psql.wait_with_output().unwrap().status.success());
        }
    }
    let after = resident_mib(&server);
    assert!(after < before + 100, "{before} MiB before, {after} MiB after");
    drop(idle);
}

#[test]
fn a_message_without_end_ends_the_connection() {
    let home = Home::new();
    let server = serve(&home);
    let login = PgLogin::new(server.postgres(), server.admin_token());
    let mut stream = login.bare();
    let before = resident_mib(&server);
    std::io::Write::write_all(&mut stream, &[b'Q', 0x3f, 0xff, 0xff, 0]).unwrap();
    let sent = (0..200).take_while(|_| std::io::Write::write_all(&mut stream, &[b'x'; 1 << 20]).is_ok());
    let sent = sent.count();
    assert!(sent < 200, "all of it was taken");
    assert!(resident_mib(&server) < before + 50);
    assert!(login.ask_psql("select 1").status.success());
}
