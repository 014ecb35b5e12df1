//! How clients come in, what they may send, and what is left of them when they are gone.

use super::world;
use crate::shared::until;
use serde_json::{Value, json};
use std::{fs, net::TcpStream, process::Command, thread, time::Duration};
use tests::{
    Client, Home, Server,
    sql::{Asker, DOORS, Door, message, send},
    token,
};

#[test]
fn parameters_have_the_types_of_what_they_are_compared_with() {
    let home = Home::new();
    let server = home.serve_tools();
    let [_, show] = world(&server, [700, 1_250], [2, 3]);
    let asker = server.asker(&token(&server.admin(), &show.organizer_id, "owner"));
    let questions = [
        (
            "select count(*) as n from orders where total_minor > $1 and status = $2",
            json!([1_300, "paid"]),
            json!({ "n": 2 }),
        ),
        (
            "select count(*) as n from orders where placed_at > $1",
            json!(["2020-01-01 00:00:00+00"]),
            json!({ "n": 3 }),
        ),
        (
            "select count(*) as n from orders where total_minor / 2 < $1",
            json!([640.5]),
            json!({ "n": 1 }),
        ),
        (
            "select $1 as words, cast($2 as bigint) as number",
            json!(["it's; -- $1", 7]),
            json!({ "words": "it's; -- $1", "number": 7 }),
        ),
        (
            "select $1 as yes, $2 + 1 as more, $1 as again",
            json!([true, 41]),
            json!({ "yes": true, "more": 42, "again": true }),
        ),
        ("select $1 as nothing", json!([null]), json!({ "nothing": null })),
        (
            "select count(*) as n from orders where event_id = $1",
            json!(["' or true --"]),
            json!({ "n": 0 }),
        ),
        (
            "select count(*) as n from orders limit $1",
            json!([1]),
            json!({ "n": 3 }),
        ),
    ];
    // psycopg has its own word for a place, and counts them.
    let theirs = |door: Door| match door {
        Door::Text | Door::Binary => [("$1 as again", "%s as again"), ("$1", "%s"), ("$2", "%s")].as_slice(),
        _ => &[],
    };
    for door in DOORS {
        let asked = questions.iter().map(|(sql, values, _)| {
            let mut values = values.clone();
            if sql.ends_with("again") && !theirs(door).is_empty() {
                values.as_array_mut().unwrap().push(json!(true));
            }
            let sql = theirs(door)
                .iter()
                .fold((*sql).to_owned(), |sql, (ours, word)| sql.replace(ours, word));
            json!([sql, values])
        });
        for ((sql, _, wanted), answer) in questions.iter().zip(asker.ask(door, &asked.collect())) {
            assert_eq!(answer["rows"], json!([wanted]), "{door:?}: {sql}: {answer}");
        }
    }
    server.stop();
}

#[test]
fn what_is_wrong_has_the_code_and_the_place_that_tools_know() {
    let home = Home::new();
    let server = home.serve_tools();
    world(&server, [700, 1_250], [1, 1]);
    let asker = server.asker(server.admin_token());
    let wrong = [
        ("select 'ü',\n  nope from orders", "42703", Some(15), "INVALID_ARGUMENT"),
        ("selec 1", "42601", Some(1), "INVALID_ARGUMENT"),
        ("select * from nope", "42P01", Some(15), "INVALID_ARGUMENT"),
        ("select nope(1)", "42883", Some(8), "INVALID_ARGUMENT"),
        (
            "select 1 / (total_minor - total_minor) from orders",
            "22012",
            None,
            "INVALID_ARGUMENT",
        ),
        (
            "select cast(order_id as bigint) from orders",
            "22P02",
            None,
            "INVALID_ARGUMENT",
        ),
        (
            "insert into order_changes select * from order_changes",
            "42501",
            None,
            "UNAUTHORIZED",
        ),
        ("select 1; select 2", "42601", None, "INVALID_ARGUMENT"),
    ];
    let asked: Value = wrong.iter().map(|(sql, ..)| *sql).collect();
    for door in DOORS {
        for ((sql, state, place, status), answer) in wrong.iter().zip(asker.ask(door, &asked)) {
            match door {
                Door::Text | Door::Binary => {
                    assert_eq!(answer["code"], *state, "{sql}: {answer}");
                    assert_eq!(answer["place"], json!(place), "{sql}: {answer}");
                }
                _ => assert_eq!(answer["code"], *status, "{sql}: {answer}"),
            }
        }
    }
    server.stop();
}

#[test]
fn who_has_no_good_token_is_not_let_in_and_who_loses_it_is_out() {
    let home = Home::new();
    let server = home.serve_tools();
    let admin = server.admin();
    let [mine, theirs] = world(&server, [700, 1_250], [1, 1]);
    let refused = |asker: &Asker, why: &str| {
        let output = asker.ask_psql("select 1");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(why), "{said}");
        for door in DOORS {
            let answer = asker.ask(door, &json!(["select 1"])).remove(0);
            assert!(answer["error"].is_string(), "{door:?}: {answer}");
        }
    };
    refused(&server.asker("no token"), "unauthenticated");
    refused(
        &server.asker(&token(&admin, &mine.organizer_id, "door")),
        "does not allow this",
    );
    let created = admin.post(&mine.path("api-tokens"), &json!({ "name": "BI", "role": "analyst" }));
    let created = created.expect(201);
    let mut asker = server.asker(created["secret"].as_str().unwrap());
    asker.organizer = Some(theirs.organizer_id.clone());
    refused(&asker, "not_found");
    asker.organizer = Some(mine.organizer_id.clone());
    for door in DOORS {
        assert_eq!(
            asker.ask(door, &json!(["select 1 as one"]))[0]["rows"],
            json!([{ "one": 1 }])
        );
    }
    let mut platform = server.asker(server.admin_token());
    platform.organizer = Some(theirs.organizer_id.clone());
    for door in DOORS {
        let answer = platform
            .ask(door, &json!(["select distinct organizer_id as id from orders"]))
            .remove(0);
        assert_eq!(answer["rows"], json!([{ "id": theirs.organizer_id }]), "{door:?}");
    }

    let mut open = asker.bare();
    send(&mut open, b'Q', b"select 1\0");
    while message(&mut open).0 != b'Z' {}
    let mut suspended = asker.bare();
    send(
        &mut suspended,
        b'P',
        b"\0select * from (values (1), (2), (3)) as t(i)\0\0\0",
    );
    send(&mut suspended, b'B', &[0; 8]);
    let one_row = |stream: &mut TcpStream| {
        send(stream, b'E', &[0, 0, 0, 0, 1]);
        send(stream, b'H', &[]);
    };
    one_row(&mut suspended);
    assert_eq!([(); 4].map(|()| message(&mut suspended).0), *b"12Ds");
    one_row(&mut suspended);
    assert_eq!([(); 2].map(|()| message(&mut suspended).0), *b"Ds");
    let id = created["api_token_id"].as_str().unwrap();
    admin.delete(&mine.path(&format!("api-tokens/{id}"))).expect(204);
    thread::sleep(Duration::from_secs(3));
    send(&mut open, b'Q', b"select 1\0");
    one_row(&mut suspended);
    for stream in [&mut open, &mut suspended] {
        let (kind, said) = message(stream);
        assert_eq!(kind, b'E', "{}", String::from_utf8_lossy(&said));
        assert!(String::from_utf8_lossy(&said).contains("28P01"));
    }
    refused(&asker, "unauthenticated");
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
    let server = home.serve_tools();
    let admin = server.admin();
    let asker = server.asker(server.admin_token());
    let count = format!("select count(*) from ({ENDLESS}) where a + b + c > 0");
    let mut killed = asker.start_psql(&count);
    until("the query runs", || running(&admin) == 1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let mut unread = asker.start_psql(ENDLESS);
    until("its rows are sent", || running(&admin) >= 1);
    unread.kill().unwrap();
    unread.wait().unwrap();

    let cancelled = asker.start_psql(&format!("{count} and a > 0"));
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
        asker.ask(Door::Binary, &json!(["select 1 as one"]))[0]["rows"][0]["one"],
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
    let server = home.serve_tools();
    let asker = server.asker(server.admin_token());
    let sql = [ENDLESS.as_bytes(), &[0]].concat();
    let mut simple = asker.bare();
    send(&mut simple, b'Q', &sql);
    let mut prepared = asker.bare();
    send(&mut prepared, b'P', &[&[0], &sql[..], &[0, 0]].concat());
    send(&mut prepared, b'B', &[0; 8]);
    send(&mut prepared, b'E', &[0; 5]);
    send(&mut prepared, b'H', &[]);
    for stream in [&mut simple, &mut prepared] {
        while message(stream).0 != b'D' {}
    }
    // A portal of which so many rows are wanted at once that a list of them could not be.
    let mut portal = asker.bare();
    send(&mut portal, b'P', &[&[0], &sql[..], &[0, 0]].concat());
    send(&mut portal, b'B', &[0; 8]);
    send(&mut portal, b'E', &[&[0][..], &i32::MAX.to_be_bytes()].concat());
    send(&mut portal, b'H', &[]);
    while message(&mut portal).0 != b'D' {}
    let before = resident_mib(&server);
    let idle: Vec<_> = (0..20).map(|_| asker.bare()).collect();
    for _ in 0..10 {
        thread::sleep(Duration::from_millis(300));
        let two: Vec<_> = (0..2).map(|_| asker.start_psql("select 1 as one")).collect();
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
    let server = home.serve_tools();
    let asker = server.asker(server.admin_token());
    let mut stream = asker.bare();
    let before = resident_mib(&server);
    std::io::Write::write_all(&mut stream, &[b'Q', 0x3f, 0xff, 0xff, 0]).unwrap();
    let sent = (0..200).take_while(|_| std::io::Write::write_all(&mut stream, &[b'x'; 1 << 20]).is_ok());
    let sent = sent.count();
    assert!(sent < 200, "all of it was taken");
    assert!(resident_mib(&server) < before + 50);
    assert!(asker.ask_psql("select 1").status.success());
}

#[test]
fn a_connection_keeps_no_more_than_so_many_statements_and_forgets_them_when_told() {
    let home = Home::new();
    let server = home.serve_tools();
    let asker = server.asker(server.admin_token());
    let mut stream = asker.bare();
    let mut prepare = |names: std::ops::Range<usize>, rest: &[u8]| {
        for name in names {
            let body = [format!("s{name}").as_bytes(), b"\0select 1\0\0\0"].concat();
            send(&mut stream, b'P', &body);
        }
        match rest.is_empty() {
            true => send(&mut stream, b'S', &[]),
            false => send(&mut stream, b'Q', rest),
        }
        let mut said = Vec::new();
        while said.last() != Some(&b'Z') {
            said.push(message(&mut stream).0);
        }
        said
    };
    let said = prepare(0..501, &[]);
    assert_eq!(said.iter().filter(|kind| **kind == b'1').count(), 500);
    assert!(said.contains(&b'E'));
    assert_eq!(prepare(0..0, b"deallocate all\0"), *b"CZ");
    assert_eq!(prepare(0..0, &[]), *b"Z");
    assert_eq!(prepare(0..3, &[]), *b"111Z");
}

#[test]
fn a_stop_lets_a_statement_end_and_takes_no_more() {
    let home = Home::new();
    let server = home.serve_tools();
    let asker = server.asker(server.admin_token());
    let mut idle = asker.bare();
    let some = "with recursive n as (select 1 as i union all select i + 1 from n where i < 1500) \
                select count(*) as n from n a, n b where a.i + b.i > 0 -- slow";
    let slow = asker.start_psql(some);
    until("it runs", || running(&server.admin()) > 0);
    server.stop();
    let said = slow.wait_with_output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(String::from_utf8_lossy(&said.stdout), "n\n2250000\n");
    let (kind, said) = message(&mut idle);
    assert!(kind == b'E' && String::from_utf8_lossy(&said).contains("57P01"));
}

#[test]
fn a_flight_client_that_is_killed_leaves_nothing_running() {
    let home = Home::new();
    let server = home.serve_tools();
    let admin = server.admin();
    let asker = server.asker(server.admin_token());
    let count = format!("select count(*) from ({ENDLESS}) where a + b + c > 0");
    for sql in [count.as_str(), ENDLESS] {
        let mut asking = asker.start(Door::Flight, &json!([sql]));
        until("the query runs", || running(&admin) >= 1);
        asking.kill().unwrap();
        asking.wait().unwrap();
        until("nothing runs any more", || running(&admin) == 0);
    }
}
