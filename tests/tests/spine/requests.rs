//! Requests that are repeated, cut into pages, too large, or no requests at all.

use crate::shared::server;
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    io::{Read, Write},
    net::TcpStream,
    process::Stdio,
    time::Duration,
};
use tests::{Home, Show, event, gzip, order_body, uuid7};

#[test]
fn a_request_with_the_same_key_is_done_once() {
    let shared = server();
    let (admin, public) = (shared.server.admin(), shared.server.public());
    let show = Show::open(&admin, Some(10), 700);
    let (key, body) = (uuid7(), show.hold_body(2));
    let send = |body: &Value| public.request("POST", "/v1/holds").idempotent(&key).json(body).send();
    let first = send(&body).expect(201);
    assert_eq!(send(&body).expect(201), first);
    send(&show.hold_body(3)).problem(422, "idempotency_key_reused");
    let pools = admin.get(&show.of_event("pools")).expect(200);
    assert_eq!(pools[0]["held"], 2);

    let order = order_body(&first, "test_manual");
    let send = || {
        public
            .request("POST", "/v1/orders")
            .idempotent(&key)
            .json(&order)
            .send()
            .expect(201)
    };
    let placed = send();
    assert_eq!(send()["order_id"], placed["order_id"]);
}

#[test]
fn a_refusal_is_kept_for_its_key_too() {
    let shared = server();
    let (admin, public) = (shared.server.admin(), shared.server.public());
    let show = Show::open(&admin, Some(1), 700);
    let key = uuid7();
    let send = || {
        public
            .request("POST", "/v1/holds")
            .idempotent(&key)
            .json(&show.hold_body(2))
            .send()
    };
    send().problem(422, "sold_out");
    let pool = json!({ "name": "House", "capacity": 10 });
    admin.put(&format!("/v1/pools/{}", show.pool_id), &pool).expect(200);
    send().problem(422, "sold_out");
    public.post("/v1/holds", &show.hold_body(2)).expect(201);
}

#[test]
fn one_key_sent_by_eight_at_once_is_done_once() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, Some(100), 700);
    let key = uuid7();
    let answers: Vec<(u16, Value)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let (client, show, key) = (shared.server.public(), &show, &key);
                scope.spawn(move || {
                    let answer = client
                        .request("POST", "/v1/holds")
                        .idempotent(key)
                        .json(&show.hold_body(1))
                        .send();
                    (answer.status, answer.json())
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let holds: HashSet<&str> = answers
        .iter()
        .filter(|(status, _)| *status == 201)
        .map(|(_, hold)| hold["hold_id"].as_str().unwrap())
        .collect();
    assert_eq!(holds.len(), 1, "{answers:?}");
    assert!(
        answers.iter().all(|(status, _)| [201, 409].contains(status)),
        "{answers:?}"
    );
    assert_eq!(admin.get(&show.of_event("pools")).expect(200)[0]["held"], 1);
}

/// Nobody writes to the database until `release`.
struct Held(std::process::Child);

impl Held {
    fn hold(home: &Home) -> Self {
        let script = "import sqlite3, sys\n\
                      core = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                      core.execute('begin immediate')\n\
                      print('held', flush=True)\n\
                      sys.stdin.readline()\n\
                      core.execute('rollback')";
        let mut python = std::process::Command::new("python3");
        python.args(["-c", script]).arg(home.path().join("core.db"));
        let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 5];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        Self(child)
    }

    fn release(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

#[test]
fn case_45_a_key_whose_first_request_still_runs_is_a_conflict() {
    let home = Home::new();
    let server = home.serve();
    let show = Show::open(&server.admin(), Some(10), 700);
    let (key, body) = (uuid7(), show.hold_body(1));
    let send = || {
        let client = server.public();
        client.request("POST", "/v1/holds").idempotent(&key).json(&body).send()
    };
    let held = Held::hold(&home);
    let hold = std::thread::scope(|scope| {
        let first = scope.spawn(send);
        std::thread::sleep(Duration::from_millis(300));
        let second = send();
        assert!(!first.is_finished());
        held.release();
        second.problem(409, "request_in_progress");
        first.join().unwrap().expect(201)
    });
    assert_eq!(send().expect(201), hold, "afterwards, the first answer");
    assert_eq!(server.admin().get(&show.of_event("pools")).expect(200)[0]["held"], 1);
    server.stop();
}

#[test]
fn a_list_is_read_page_by_page_and_nothing_is_missed_or_told_twice() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    for number in 0..24 {
        admin
            .post(&show.path("events"), &event(&format!("Event {number}")))
            .expect(201);
    }
    let (mut seen, mut cursor, mut pages) = (HashSet::new(), String::new(), 0);
    loop {
        let page = admin
            .get(&format!("{}?limit=7{cursor}", show.path("events")))
            .expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 7);
        for item in items {
            assert!(
                seen.insert(item["event_id"].as_str().unwrap().to_owned()),
                "told twice: {item}"
            );
        }
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((seen.len(), pages), (25, 4));
    for wrong in ["limit=0", "limit=201", "limit=many", "cursor=made-up"] {
        admin
            .get(&format!("{}?{wrong}", show.path("events")))
            .problem(400, "invalid_parameter");
    }
}

#[test]
fn what_is_wrong_in_a_body_is_pointed_at() {
    let shared = server();
    let (admin, public) = (shared.server.admin(), shared.server.public());
    let show = Show::open(&admin, None, 700);
    let holds = |body: Value| public.post("/v1/holds", &body);
    let mut body = show.hold_body(1);
    body["lines"][0]["quantity"] = json!("two");
    assert_eq!(
        holds(body).problem(422, "invalid_field")["pointer"],
        "/lines/0/quantity"
    );
    let mut body = show.hold_body(1);
    body["lines"][0]["colour"] = json!("red");
    let problem = holds(body).problem(422, "invalid_field");
    assert!(problem["detail"].as_str().unwrap().contains("colour"), "{problem}");
    let mut body = show.hold_body(1);
    body["event_id"] = json!("1");
    assert_eq!(holds(body).problem(422, "invalid_field")["pointer"], "/event_id");
    assert_eq!(holds(json!([])).status, 422);
    assert_eq!(holds(json!({})).status, 422);
    let hold = holds(show.hold_body(1)).expect(201);
    let unknown = public
        .post("/v1/orders", &order_body(&hold, "cash"))
        .problem(422, "invalid_field");
    assert_eq!(unknown["pointer"], "/payment_method");
    let mut order = order_body(&hold, "test_ok");
    order["buyer"]["phone"] = json!("e");
    let word = public.post("/v1/orders", &order).problem(422, "invalid");
    assert_eq!(word["pointer"], "/buyer/phone");
    let mut odd = event("x");
    odd["currency"] = json!("euro");
    let problem = admin.post(&show.path("events"), &odd).problem(422, "invalid_field");
    assert_eq!(problem["pointer"], "/currency");
    let mut backwards = event("x");
    backwards["ends_at"] = json!("2001-01-01T00:00:00Z");
    assert_eq!(admin.post(&show.path("events"), &backwards).status, 422);
}

#[test]
fn what_is_no_json_is_said_to_be_none() {
    let shared = server();
    let public = shared.server.public();
    let send = |content_type: &str, body: &[u8]| public.request("POST", "/v1/holds").body(content_type, body).send();
    for garbage in [b"{".as_slice(), b"", b"\xff\xfe\x00\x01", b"{} {}", &[b'['; 100_000]] {
        let answer = send("application/json", garbage);
        assert!((400..=422).contains(&answer.status), "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    send("text/plain", b"{}").problem(415, "unsupported_media_type");
    public
        .request("POST", "/v1/holds")
        .send()
        .problem(415, "unsupported_media_type");
    public.get("/v1/no/such/place").problem(404, "not_found");
    public
        .request("PATCH", "/v1/holds")
        .send()
        .problem(405, "method_not_allowed");
    assert!(public.get("/healthz").header("x-request-id").is_some());
}

#[test]
fn a_huge_body_is_refused_and_the_server_goes_on() {
    let shared = server();
    let public = shared.server.public();
    for (path, megabytes) in [("/v1/holds", 2), ("/v1/interactions", 40)] {
        let body = vec![b' '; megabytes << 20];
        public
            .request("POST", path)
            .body("application/json", body)
            .send()
            .problem(413, "body_too_large");
    }
    // Small on the wire, and 200 MB when it is unpacked.
    let bomb = gzip(&vec![b' '; 200 << 20]);
    let packed = public
        .request("POST", "/v1/interactions")
        .header("content-encoding", "gzip");
    packed
        .body("application/json", bomb)
        .send()
        .problem(413, "body_too_large");
    assert_eq!(public.get("/healthz").status, 200);
}

#[test]
fn bytes_that_are_no_http_harm_nobody() {
    let shared = server();
    for garbage in [
        b"\x16\x03\x01\x02\x00\x01\x00".as_slice(),
        b"GET\r\n\r\n",
        &[0xff; 4096],
        b"GET / HTTP/1.1\r\nhost",
    ] {
        let mut stream = TcpStream::connect(shared.server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let _ = stream.write_all(garbage);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(shared.server.public().get("/healthz").status, 200);
}

#[test]
fn one_address_that_asks_too_often_is_told_when_to_come_back() {
    let home = Home::new();
    let server = home.serve_with(|command| command.env("BILTEN_RATE_LIMIT", "5"));
    let public = server.public();
    let refused = (0..100)
        .map(|_| public.get("/v1/events"))
        .find(|answer| answer.status == 429);
    let refused = refused.expect("one hundred at once are too many for five a second");
    refused.problem(429, "too_many_requests");
    for header in [
        "retry-after",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
    ] {
        assert!(refused.header(header).is_some(), "{header} in {:?}", refused.headers);
    }
    assert_eq!(server.admin().get("/v1/status").status, 200, "staff are not limited");
}
