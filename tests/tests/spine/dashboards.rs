//! Dashboards over HTTP: every page answers, its figures are those of the metrics, and nobody sees what is not theirs.

use crate::shared::{eventually, server};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::{net::TcpStream, process::Command, time::Duration};
use tests::{Buyer, Client, Home, Server, Show, event, organizer, python::python, scan, token};

pub(crate) const PAGES: [&str; 7] = ["overview", "event", "money", "funnel", "audience", "doors", "compare"];

/// What a page holds for scripts: the data of each panel.
pub(crate) fn panels(html: &str) -> Vec<Value> {
    let blocks = html.split("class=\"panel-data\">").skip(1);
    let text = blocks.map(|block| block.split("</script>").next().unwrap());
    text.map(|text| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")))
        .collect()
}

#[track_caller]
pub(crate) fn page(client: &Client, path: &str) -> (String, Vec<Value>) {
    let answer = client.get(&format!("/dashboards/{path}"));
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    let html = answer.text();
    (html.clone(), panels(&html))
}

/// A page whose panels could all be computed.
#[track_caller]
pub(crate) fn whole(client: &Client, path: &str) -> Vec<Value> {
    let (_, panels) = page(client, path);
    assert!(!panels.is_empty(), "{path} has no panels");
    for panel in &panels {
        assert_eq!(panel["error"], Value::Null, "{path}: {panel}");
        assert!(!panel["columns"].as_array().unwrap().is_empty(), "{path}: {panel}");
    }
    panels
}

pub(crate) fn panel(panels: &[Value], id: &str) -> Value {
    panels
        .iter()
        .find(|panel| panel["id"] == id)
        .unwrap_or_else(|| panic!("no panel {id}"))
        .clone()
}

/// The value of a figure.
pub(crate) fn figure(panel: &Value, metric: &str) -> Value {
    let rows = panel["rows"].as_array().unwrap();
    rows.iter()
        .map(|row| row[metric].clone())
        .find(|value| !value.is_null())
        .unwrap_or(Value::Null)
}

pub(crate) fn analyst(server: &Server, show: &Show) -> Client {
    server.bearer(&token(&server.admin(), &show.organizer_id, "analyst"))
}

#[test]
fn every_page_answers_for_a_world_with_something_of_everything() {
    let home = Home::new();
    let server = home.demo();
    let admin = server.admin();
    for orders in [3_000, 9_000] {
        let filled = || admin.count("select count(*) from orders") >= orders;
        eventually("the world is being filled", || filled().then_some(()));
    }
    eventually("the world is filled", || {
        let file = std::fs::read_to_string(home.path().join("demo.json")).ok()?;
        file.contains("\"filled\": true").then_some(())
    });
    for path in PAGES.iter().filter(|page| **page != "event").chain([&"health"]) {
        for state in [
            "",
            "?range=all&compare=none",
            "?range=today&compare=year",
            "?range=7d&compare=previous",
        ] {
            whole(&admin, &format!("{path}{state}"));
        }
    }
    let top = panel(&whole(&admin, "overview"), "top-events");
    let event_id = top["rows"][0]["event_id"].as_str().unwrap().to_owned();
    let of_event = whole(&admin, &format!("event?filter.event_id={event_id}"));
    let pace = panel(&of_event, "pace")["rows"].as_array().unwrap().clone();
    assert!(pace.iter().any(|row| row["tickets_so_far"].is_number()), "{pace:?}");
    assert!(
        pace.iter().any(|row| row["usual_tickets_so_far"].is_number()),
        "{pace:?}"
    );
    for (page, id) in [
        ("audience", "cohorts"),
        ("compare", "pace"),
        ("funnel", "steps"),
        ("money", "payouts"),
        ("overview", "latest"),
    ] {
        let found = panel(&whole(&admin, &format!("{page}?range=all")), id);
        assert!(!found["rows"].as_array().unwrap().is_empty(), "{page}: {found}");
    }
    let (sql, _) = page(&admin, "sql");
    let schema = sql
        .split("id=\"schema\">")
        .nth(1)
        .unwrap()
        .split("</script>")
        .next()
        .unwrap();
    let schema: Value = serde_json::from_str(schema).unwrap();
    let names: Vec<&str> = schema["schemas"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|part| part["name"].as_str())
        .collect();
    assert_eq!(names, ["intermediate", "lake", "marts", "staging", "system"]);
    server.stop();
}

#[test]
fn a_new_organizer_is_told_what_to_do_first() {
    let shared = server();
    let admin = shared.server.admin();
    let created = admin.post("/v1/organizers", &organizer()).expect(201);
    let id = created["id"].as_str().unwrap();
    let owner = shared.server.bearer(&token(&admin, id, "owner"));
    for path in PAGES {
        let (html, panels) = page(&owner, path);
        assert!(html.contains("Create your first event"), "{path}");
        for panel in panels {
            assert_eq!(panel["error"], Value::Null, "{path}: {panel}");
        }
    }
    let headline = panel(&whole(&owner, "overview"), "headline");
    assert_eq!(figure(&headline, "tickets_sold"), 0, "{headline}");
}

#[test]
fn figures_are_those_of_the_metrics() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    buyer.buy(2);
    buyer.buy(3);
    let analyst = analyst(&shared.server, &show);
    eventually("the sales show", || {
        let shown = figure(&panel(&whole(&analyst, "overview"), "headline"), "tickets_sold") == 5;
        shown.then_some(())
    });
    for range in [
        "range=7d&compare=previous",
        "range=all&compare=none",
        "range=today&compare=year",
    ] {
        let headline = panel(&whole(&analyst, &format!("overview?{range}")), "headline");
        let compared = !range.ends_with("none");
        for metric in ["net_sales", "tickets_sold", "orders_paid", "event_visits"] {
            let asked = json!({ "metrics": [metric] });
            let told = analyst.post("/v1/metrics/query", &asked).expect(200)[0][metric].clone();
            let told = if told.is_null() { json!(0) } else { told };
            assert_eq!(figure(&headline, metric), told, "{metric} in {headline}");
        }
        let column = &headline["columns"][1];
        assert_eq!(column["before"].is_string(), compared, "{column}");
    }
    let by_event = panel(&whole(&analyst, "overview"), "by-event");
    let row = &by_event["rows"][0];
    assert_eq!((&row["net_sales"], &row["currency"]), (&json!(3_500), &json!("EUR")));
    assert_eq!(by_event["decimals"], json!({ "EUR": 2 }));
    let (html, _) = page(&analyst, "overview");
    assert!(
        html.contains(">€35.00<"),
        "a page tells its figures without scripts too"
    );
    let drill = format!("/dashboards/event?filter.event_id={}", show.event_id);
    assert!(html.contains(&drill.replace('/', "&#x2f;")), "a row leads to its event");
    let narrowed = whole(&analyst, "overview?filter.channel=meetup");
    let headline = panel(&narrowed, "headline");
    assert_eq!(
        headline["notes"][0],
        "Visits can't be told by channel, and is left out."
    );
    assert_eq!(figure(&headline, "tickets_sold"), 0);
    let nothing = panel(&narrowed, "by-event");
    assert!(nothing["empty"].as_str().unwrap().contains("Clear them"), "{nothing}");
}

#[test]
fn another_organizers_rows_and_the_platforms_page_are_not_there() {
    let shared = server();
    let admin = shared.server.admin();
    let (own, other) = (Show::open(&admin, None, 700), Show::open(&admin, None, 900));
    let buyer = Buyer {
        client: shared.server.public(),
        show: &other,
    };
    buyer.buy(4);
    let (mine, theirs) = (analyst(&shared.server, &own), analyst(&shared.server, &other));
    eventually("the other's sales show to them", || {
        (figure(&panel(&whole(&theirs, "overview"), "headline"), "tickets_sold") == 4).then_some(())
    });
    for path in PAGES {
        let (html, _) = page(&mine, path);
        assert!(!html.contains(&other.event_id), "{path}");
    }
    assert_eq!(figure(&panel(&whole(&mine, "overview"), "headline"), "tickets_sold"), 0);
    let asked = |client: &Client, path: &str| client.get(&format!("/dashboards/{path}")).status;
    assert_eq!(asked(&mine, &format!("event?filter.event_id={}", other.event_id)), 404);
    for page in ["overview", "manage", "sql"] {
        let theirs = format!("{page}?organizer_id={}", other.organizer_id);
        assert_eq!((asked(&mine, page), asked(&mine, &theirs)), (200, 404), "{page}");
    }
    assert_eq!(
        asked(&mine, "health"),
        404,
        "the platform's page does not exist for others"
    );
    assert_eq!(asked(&mine, "health/live"), 404);
    assert_eq!(asked(&admin, "health"), 200);
    let door = shared.server.bearer(&token(&admin, &own.organizer_id, "door"));
    assert_eq!(asked(&door, "overview"), 403);
    let stranger = shared.server.public().get("/dashboards/overview?range=7d");
    assert_eq!(stranger.status, 303);
    assert_eq!(
        stranger.header("location"),
        Some("/?next=%2Fdashboards%2Foverview%3Frange%3D7d")
    );
    shared
        .server
        .public()
        .get("/dashboards/overview/panels/headline")
        .problem(401, "unauthenticated");
}

#[test]
fn what_is_wrong_in_an_address_is_said() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let analyst = analyst(&shared.server, &show);
    let refused = |query: &str| {
        let answer = analyst.get(&format!("/dashboards/overview/panels/headline?{query}"));
        answer.problem(400, "invalid_parameter")["pointer"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(refused("range=soon"), "/range");
    assert_eq!(refused("filter.gate=North"), "/filter.gate");
    assert_eq!(refused("colour=red"), "/colour");
    assert_eq!(refused("format=pdf"), "/format");
    analyst
        .get("/dashboards/nothing/panels/headline")
        .problem(404, "not_found");
    analyst
        .get("/dashboards/overview/panels/nothing")
        .problem(404, "not_found");
    let wrong = analyst.get("/dashboards/overview?range=soon");
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("Back to the dashboards"), "{}", wrong.text());
}

#[test]
fn a_title_is_text_wherever_it_stands() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let title = "</script><script>alert(1)</script><!-- \" ' &";
    admin
        .put(&format!("/v1/events/{}", show.event_id), &event(title))
        .expect(200);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    buyer.buy(1);
    let analyst = analyst(&shared.server, &show);
    eventually("the title shows", || {
        let top = panel(&whole(&analyst, "overview"), "top-events");
        (top["rows"][0]["title"] == title).then_some(())
    });
    let filter = "filter.title=%3C%2Fscript%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E%3C!--+%22+'+%26";
    for path in [
        "overview".to_owned(),
        format!("overview?{filter}"),
        "event".to_owned(),
        "compare".to_owned(),
    ] {
        let (html, _) = page(&analyst, &path);
        assert!(!html.contains("<script>alert") && !html.contains("<!--"), "{path}");
        let policy = analyst.get(&format!("/dashboards/{path}"));
        let policy = policy.header("content-security-policy").unwrap();
        assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';") && policy.contains("frame-ancestors 'none'"));
    }
}

#[test]
fn a_panel_can_be_taken_away_and_opened_elsewhere() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 1_250);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    buyer.buy(2);
    let analyst = analyst(&shared.server, &show);
    let rows = eventually("the sale shows", || {
        let rows = panel(&whole(&analyst, "overview"), "by-event")["rows"].clone();
        (rows[0]["tickets_sold"] == 2).then_some(rows)
    });
    let file = |format: &str| {
        let answer = analyst.get(&format!("/dashboards/overview/panels/by-event?format={format}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(
            answer
                .header("content-disposition")
                .unwrap()
                .starts_with("attachment; filename=\"overview-by-event.")
        );
        answer.body
    };
    let read = |format: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("panel.{format}"));
        std::fs::write(&path, file(format)).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/read_export.py");
        let output = Command::new(python()).arg(script).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let parquet = read("parquet");
    for name in [
        "title",
        "event_id",
        "currency",
        "tickets_sold",
        "net_sales",
        "net_sales_before",
    ] {
        assert_eq!(parquet[0][name], rows[0][name], "{name}");
    }
    let xlsx = read("xlsx");
    assert_eq!(
        (&xlsx[0]["net_sales"], &xlsx[0]["net_sales_minor"]),
        (&json!(25.0), &json!(2_500)),
        "{xlsx}"
    );
    assert_eq!(xlsx[0]["tickets_sold"], 2);
    let csv = String::from_utf8(file("csv")).unwrap();
    assert!(csv.contains(",25.00,2500,") && csv.lines().count() == 2, "{csv}");
    assert_eq!(
        &file("arrow")[..4],
        [0xff; 4],
        "an Arrow stream begins with a continuation"
    );
    let data = analyst
        .get("/dashboards/overview/panels/by-event?format=json")
        .expect(200);
    assert_eq!(data["rows"], rows);
}

/// Lines of an event stream, as they come.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(server: &Server, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n{headers}\r\n"
        )
        .unwrap();
        Self(BufReader::new(stream))
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next panel with this id that is as wanted.
    fn panel(&mut self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.line().expect("the stream goes on");
            let Some(data) = line.strip_prefix("data: ") else {
                continue;
            };
            let data: Value = serde_json::from_str(data).unwrap();
            if data["id"] == id && wanted(&data) {
                return data;
            }
        }
    }
}

#[test]
fn a_purchase_changes_the_figure_of_who_is_looking_until_they_may_no_longer() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let path = format!("/v1/organizers/{}/api-tokens", show.organizer_id);
    let created = admin
        .post(&path, &json!({ "name": "screen", "role": "analyst" }))
        .expect(201);
    let header = format!("authorization: Bearer {}\r\n", created["secret"].as_str().unwrap());
    let mut stream = Stream::open(&shared.server, "/dashboards/overview/live?range=today", &header);
    let first = stream.panel("headline", |_| true);
    assert_eq!(figure(&first, "tickets_sold"), 0);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    buyer.buy(2);
    let pushed = stream.panel("headline", |panel| figure(panel, "tickets_sold") == 2);
    assert_eq!(figure(&pushed, "net_sales"), 1_400);
    assert!(pushed["position"].as_i64() > first["position"].as_i64());
    // Panels come in any order, and whoever comes later is told all of them.
    let mut later = Stream::open(&shared.server, "/dashboards/overview/live?range=today", &header);
    later.panel("by-event", |panel| panel["rows"][0]["tickets_sold"] == 2);

    let token_id = created["api_token_id"].as_str().unwrap();
    assert_eq!(admin.delete(&format!("{path}/{token_id}")).status, 204);
    while stream.line().is_some_and(|line| line != "0") {}
    let again = shared
        .server
        .public()
        .with("authorization", header.trim_start_matches("authorization: ").trim());
    again.get("/dashboards/overview/live").problem(401, "unauthenticated");
}

#[test]
fn doors_show_arrivals_as_they_happen() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let codes = buyer.codes(&buyer.buy(2));
    for code in [codes[0].as_str(), codes[1].as_str(), "no code"] {
        admin.post(&show.redeem_path(), &scan(code)).expect(200);
    }
    let analyst = analyst(&shared.server, &show);
    let doors = eventually("the arrivals show", || {
        let doors = whole(&analyst, "doors");
        let headline = panel(&doors, "headline");
        let shown = figure(&headline, "entries") == 2 && figure(&headline, "refused_scans") == 1;
        (shown && figure(&panel(&doors, "inside"), "inside") == 2).then_some(doors)
    });
    let arrivals = panel(&doors, "arrivals");
    assert_eq!(
        (&arrivals["grain"], &arrivals["rows"][0]["gate"]),
        (&json!("minute"), &json!("north"))
    );
}

#[test]
fn a_page_of_ones_own_is_there_as_soon_as_its_file_is() {
    let home = Home::new();
    let folder = home.beside("dashboards");
    std::fs::create_dir_all(folder.join("pages")).unwrap();
    let server = home.serve_with(|command| command.arg("--dashboards").arg(&folder));
    let admin = server.admin();
    assert_eq!(admin.get("/dashboards/ours").status, 404);
    let write = |metric: &str| {
        let panel = format!("{{ id: a, title: A, kind: bar, metrics: [{metric}], dimensions: [title] }}");
        std::fs::write(
            folder.join("pages/ours.yml"),
            format!("title: Ours\norder: 1\npanels: [{panel}]"),
        )
        .unwrap();
    };
    write("tickets_sold");
    eventually("the page is there", || {
        (admin.get("/dashboards/ours").status == 200).then_some(())
    });
    let first = admin.get("/dashboards");
    assert_eq!(first.header("location"), Some("/dashboards/ours"));
    write("happiness");
    let said = eventually("its mistake is told", || {
        let answer = admin.get("/dashboards/ours");
        (answer.status == 503).then(|| answer.text())
    });
    assert!(said.contains("metrics: there is no happiness"), "{said}");
    whole(&admin, "overview");
    server.stop();
}
