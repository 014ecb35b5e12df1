//! What an operator sees: figures with names that dashboards can rely on, a log that names nobody, a request's id and
//! its trace from the first byte to the lake.

use crate::{
    shared::{eventually, eventually_counts},
    spans::{Collector, Span},
};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet};
use tests::{Buyer, Client, Home, Purchase, Response, Server, Show, interaction, uuid7};

/// Every figure of `/metrics`. Dashboards and alerts are written against these names: a new one is a line here, and one
/// that goes or changes breaks somebody's alert.
const FIGURES: &[(&str, &str)] = &[
    ("bilten_core_committed_seq", "gauge"),
    ("bilten_http_request_duration_seconds", "histogram"),
    ("bilten_http_requests_in_flight", "gauge"),
    ("bilten_http_requests_total", "counter"),
    ("bilten_lake_cache_hits_total", "counter"),
    ("bilten_lake_cache_misses_total", "counter"),
    ("bilten_lake_commit_seconds", "histogram"),
    ("bilten_lake_commits_total", "counter"),
    ("bilten_lake_committed_offset", "gauge"),
    ("bilten_lake_compactions_total", "counter"),
    ("bilten_lake_fenced_total", "counter"),
    ("bilten_lake_visible_seq", "gauge"),
    ("bilten_log_append_seconds", "histogram"),
    ("bilten_log_appended_records_total", "counter"),
    ("bilten_log_end_offset", "gauge"),
    ("bilten_log_errors_total", "counter"),
    ("bilten_mails_total", "counter"),
    ("bilten_reports_total", "counter"),
    ("bilten_alert_looks_total", "counter"),
    ("bilten_transform_run_seconds", "histogram"),
    ("bilten_transform_runs_total", "counter"),
    ("bilten_webhook_attempts_total", "counter"),
    ("bilten_query_duration_seconds", "histogram"),
    ("bilten_relay_changes_total", "counter"),
    ("bilten_sink_rows_total", "counter"),
    ("bilten_store_batch_commands", "histogram"),
    ("bilten_store_commands_total", "counter"),
    ("bilten_store_commit_seconds", "histogram"),
    ("bilten_store_reconnects_total", "counter"),
];

/// What no process with all roles can be without, once it has sold something and was asked for it.
const COUNTED: &[&str] = &[
    "bilten_core_committed_seq",
    "bilten_http_request_duration_seconds_bucket",
    "bilten_http_requests_total",
    "bilten_lake_commit_seconds_count",
    "bilten_lake_commits_total",
    "bilten_lake_visible_seq",
    "bilten_log_end_offset",
    "bilten_query_duration_seconds_count",
    "bilten_relay_changes_total",
    "bilten_sink_rows_total",
    "bilten_store_commands_total",
    "bilten_store_commit_seconds_count",
];

#[test]
fn figures_have_the_names_that_dashboards_rely_on_and_no_others() {
    let home = Home::new();
    let server = home.serve();
    let (admin, public) = (server.admin(), server.public());
    let show = Show::open(&admin, None, 700);
    let buyer = Buyer {
        client: server.public(),
        show: &show,
    };
    let purchase = buyer.buy(2);
    public.get(&purchase.path("")).expect(200);
    public
        .post("/v1/interactions", &json!([interaction(&show.organizer_id, None)]))
        .expect(200);
    eventually_counts(&admin, "select count(*) from orders where status = 'paid'", 1);
    assert_eq!(public.request("BREW", "/v1/holds").send().status, 405);
    public.get("/no/such/place").problem(404, "not_found");

    let text = eventually("a commit to the lake", || {
        let text = public.get("/metrics").text();
        (value(&text, "bilten_lake_commits_total") > 0.0).then_some(text)
    });
    let told: BTreeSet<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    assert_eq!(told, FIGURES.iter().copied().collect());
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|part| name.strip_suffix(part));
        let known = |name: &str| FIGURES.iter().any(|(figure, _)| *figure == name);
        assert!(known(name) || base.is_some_and(known), "{line}");
        let number = line.rsplit_once(' ').unwrap().1.parse::<f64>();
        assert!(number.is_ok_and(f64::is_finite), "{line}");
    }
    for name in COUNTED {
        assert!(value(&text, name) > 0.0, "{name} counts nothing:\n{text}");
    }
    let helped = text.lines().filter(|line| line.starts_with("# HELP ")).count();
    assert_eq!(helped, FIGURES.len(), "each figure says what it is");

    // A route is counted as it is written in the API's description: the ids in its paths have no end.
    assert!(text.contains("route=\"/v1/orders/{order_id}\""), "{text}");
    assert!(
        text.contains("route=\"unmatched\"") && text.contains("method=\"other\""),
        "{text}"
    );
    for secret in [&*purchase.order_id, &*purchase.secret, "/no/such/place", "BREW"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// The sum of a figure's samples.
fn value(text: &str, name: &str) -> f64 {
    let of_name = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    of_name
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

#[test]
fn the_id_of_a_request_is_found_in_the_rows_that_it_made() {
    let shared = crate::shared::server();
    let (admin, public) = (shared.server.admin(), shared.server.public());
    let show = Show::open(&admin, None, 0);
    let hold = public.post("/v1/holds", &show.hold_body(1)).expect(201);
    let own = format!("abc-{}", uuid7());
    let answer = send_order(&public, &hold, &[("x-request-id", &own)]);
    let order = answer.expect(201);
    assert_eq!(answer.header("x-request-id"), Some(&*own));
    for table in ["order_changes", "ticket_changes"] {
        let sql = format!("select count(*) from {table} where correlation_id = '{own}'");
        eventually(&sql, || (admin.count(&sql) > 0).then_some(()));
    }
    let order_id = order["order_id"].as_str().unwrap();
    let others =
        format!("select count(*) from order_changes where entity_id = '{order_id}' and correlation_id <> '{own}'");
    assert_eq!(admin.count(&others), 0);

    // One that can't stand in a log line as it is gets another, and the answer says which.
    let odd = public
        .request("GET", "/healthz")
        .header("x-request-id", "two words")
        .send();
    let made = odd.header("x-request-id").unwrap();
    assert!(made != "two words" && made.len() == 36, "{made}");
}

fn send_order(client: &Client, hold: &Value, headers: &[(&str, &str)]) -> Response {
    let mut request = client.request("POST", "/v1/orders");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.json(&tests::order_body(hold, "test_manual")).send()
}

/// Strings that occur nowhere but in what this person sends.
const MARKS: &[&str] = &[
    "qzxmail",
    "Qzxname",
    "4366055577001",
    "qzxpassword",
    "qzxliteral",
    "qzxproperty",
];

/// Does all that handles personal data, well and badly.
fn act_as_somebody(server: &Server, show: &Show) -> Purchase {
    let (admin, public) = (server.admin(), server.public());
    let buyer = json!({ "email": "qzxmail@example.org", "name": "Qzxname Quark", "phone": "+4366055577001" });
    let order = |buyer: &Value| {
        let hold = public.post("/v1/holds", &show.hold_body(1)).expect(201);
        let body = json!({ "hold_id": hold["hold_id"], "buyer": buyer, "payment_method": "test_manual" });
        public
            .request("POST", "/v1/orders")
            .idempotent(&uuid7())
            .json(&body)
            .send()
    };
    let purchase = Purchase::of(&order(&buyer).expect(201));
    public.get(&purchase.path("/tickets")).expect(200);
    // Refused: at the wrong type, at the wrong form, and with a field that nobody knows.
    for (field, value) in [
        ("name", json!(["Qzxname"])),
        ("email", json!("qzxmail without an at")),
        ("Qzxname", json!(1)),
    ] {
        let mut wrong = buyer.clone();
        wrong[field] = value;
        assert_eq!(order(&wrong).status, 422);
    }
    let log_in = json!({ "email": "qzxmail@example.org", "password": "qzxpassword" });
    public.post("/v1/session", &log_in).problem(401, "wrong_credentials");
    public.get("/v1/orders/x?secret=qzxpassword");
    for sql in [
        "select count(*) from person_changes where email = 'qzxliteral@example.org'",
        "select 1 / (length('qzxliteral') - 10) from orders",
        "select cast('qzxliteral' as bigint) from orders",
        "select 'qzxliteral' frm nowhere",
    ] {
        admin.post("/v1/sql", &json!({ "sql": sql }));
    }
    let mut seen = interaction(&show.organizer_id, None);
    seen["properties"] = json!({ "query": "qzxproperty" });
    public.post("/v1/interactions", &json!([seen, { "kind": "qzxproperty" }]));
    // What a caller calls its request stands in the request's lines, and the guard of the log alone takes this out.
    let token = format!("bilten_qzxliteral{}", "x".repeat(43));
    for id in [
        "qzxmail@example.org",
        "+4366055577001",
        "db://ada:qzxpassword@db",
        &token,
    ] {
        let named = public.request("GET", "/healthz").header("x-request-id", id).send();
        assert_eq!(named.header("x-request-id"), Some(id));
    }
    purchase
}

#[test]
fn a_log_says_what_happened_and_not_to_whom() {
    let home = Home::new();
    let server = home.serve_with(|command| command.env("BILTEN_LOG", "trace").env("BILTEN_LOG_FORMAT", "json"));
    let admin = server.admin();
    let show = Show::open(&admin, None, 700);
    let purchase = act_as_somebody(&server, &show);
    let token = tests::token(&admin, &show.organizer_id, "analyst");
    server.bearer(&token).get("/v1/status").expect(200);
    eventually_counts(&admin, "select count(*) from orders", 1);
    let by_id = admin
        .request("GET", "/healthz")
        .header("x-request-id", "look-for-me")
        .send();
    assert_eq!(by_id.status, 200);
    let log_path = home.beside("server.log");
    server.stop();

    let log = std::fs::read_to_string(log_path).unwrap();
    let secrets = [&*purchase.secret, &*token];
    for mark in MARKS.iter().chain(&secrets) {
        let line = log.lines().find(|line| line.contains(mark));
        assert!(line.is_none(), "{mark} is told in: {}", line.unwrap_or_default());
    }
    for blacked_out in ["[…]", "db://[…]@db"] {
        assert!(
            log.contains(&format!("\"request_id\":\"{blacked_out}\"")),
            "{blacked_out}"
        );
    }
    // And the log is one: JSON, of all crates, with the request that a line belongs to.
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let crates: HashSet<&str> = lines
        .iter()
        .filter_map(|line| line["target"].as_str()?.split("::").next())
        .collect();
    assert!(
        lines.len() > 20 && crates.len() > 2,
        "{} lines of {crates:?}",
        lines.len()
    );
    let own = lines.iter().find(|line| line["span"]["request_id"] == "look-for-me");
    let span = &own.expect("a request's lines carry its id")["span"];
    assert_eq!((&span["route"], &span["role"]), (&json!("/healthz"), &json!("all")));
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn sell_traced(server: &Server, show: &Show, flags: &str) {
    let (admin, public) = (server.admin(), server.public());
    let hold = public.post("/v1/holds", &show.hold_body(1)).expect(201);
    let traceparent = format!("00-{TRACE}-{CALLER}-{flags}");
    send_order(&public, &hold, &[("traceparent", &traceparent)]).expect(201);
    eventually_counts(&admin, "select count(*) from orders", 1);
}

#[test]
fn a_purchase_is_one_trace_from_the_request_to_the_lake() {
    let (home, collector) = (Home::new(), Collector::start());
    let server = home.serve_with(|command| command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()));
    let show = Show::open(&server.admin(), None, 700);
    sell_traced(&server, &show, "01");
    // A stop sends what waits.
    server.stop();
    let spans = collector.spans();
    let of_trace: Vec<&Span> = spans.iter().filter(|span| span.trace_id == TRACE).collect();
    let named = |name: &str| {
        of_trace
            .iter()
            .find(|span| span.name == name)
            .unwrap_or_else(|| panic!("{name} in {spans:#?}"))
    };
    let request = named("POST /v1/orders");
    assert_eq!(request.parent_id, CALLER, "the caller's span is the parent of ours");
    for (stage, batch) in [("relay", "relay batch"), ("sink", "sink batch")] {
        let stage = named(stage);
        assert_eq!(stage.parent_id, request.span_id, "{stage:?}");
        // The batch has a trace of its own, since it works for many; each leads to the other.
        let batch = spans
            .iter()
            .find(|span| span.name == batch && span.links.contains(&request.span_id));
        let batch = batch.unwrap_or_else(|| panic!("no batch is linked with {request:?}"));
        assert!(
            batch.trace_id != TRACE && stage.links.contains(&batch.span_id),
            "{batch:?} {stage:?}"
        );
    }
    let names: HashSet<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    for name in ["POST /v1/holds", "POST /v1/sql", "query", "lake commit"] {
        assert!(names.contains(name), "{name} in {names:?}");
    }
    for (key, value) in [("service.name", "bilten"), ("bilten.role", "all")] {
        assert_eq!(collector.resource().get(key).map(String::as_str), Some(value));
    }
    assert!(collector.resource().contains_key("service.instance.id"));
}

#[test]
fn a_caller_decides_whether_its_own_request_is_traced() {
    let (home, collector) = (Home::new(), Collector::start());
    let server = home.serve_with(|command| {
        command
            .args(["--otlp-endpoint", &collector.url()])
            .env("OTEL_TRACES_SAMPLER_ARG", "0")
    });
    let show = Show::open(&server.admin(), None, 700);
    sell_traced(&server, &show, "01");
    server.stop();
    let traces: HashSet<String> = collector.spans().into_iter().map(|span| span.trace_id).collect();
    assert_eq!(
        traces,
        HashSet::from([TRACE.to_owned()]),
        "with a share of 0, nothing else is traced"
    );
}
