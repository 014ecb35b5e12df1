//! Reports and alerts: figures that come by mail, once, and right.

use crate::shared::{Mail, mails, until};
use serde_json::{Value, json};
use std::time::Duration;
use tests::{Buyer, Client, Home, Server, Show};

const ADA: &str = "ada@example.org";

/// A server with a show at 7.00 EUR a ticket, and a member who is told.
struct World {
    home: Home,
    server: Server,
    show: Show,
}

impl World {
    fn new() -> Self {
        let home = Home::new();
        let server = home.serve_with(|command| command.env("BILTEN_PUBLIC_URL", "https://tickets.example.org"));
        let admin = server.admin();
        let show = Show::open(&admin, Some(100), 700);
        member(&admin, &show, ADA, "analyst");
        Self { home, server, show }
    }

    fn buy(&self, quantity: i64) {
        let client = self.server.public();
        Buyer {
            client,
            show: &self.show,
        }
        .buy(quantity);
    }

    fn report(&self, details: &Value) -> Value {
        let mut report = json!({
            "name": "Every morning", "page": "overview", "every": "day", "at": "08:00", "recipients": [ADA],
        });
        report
            .as_object_mut()
            .unwrap()
            .extend(details.as_object().unwrap().clone());
        self.server
            .admin()
            .post(&self.show.path("reports"), &report)
            .expect(201)
    }

    fn killed_and_started(self) -> Self {
        let Self { home, server, show } = self;
        server.kill_9();
        let server = home.serve();
        Self { home, server, show }
    }

    /// Those to the member; buyers get some too.
    fn mails(&self, wanted: usize) -> Vec<Mail> {
        let own = || -> Vec<Mail> { mails(&self.home).into_iter().filter(|mail| mail.to == ADA).collect() };
        until("the mails are there", || own().len() >= wanted);
        let mails = own();
        assert_eq!(mails.len(), wanted, "{mails:?}");
        mails
    }
}

fn member(admin: &Client, show: &Show, email: &str, role: &str) -> String {
    let new = json!({ "email": email, "name": "Ada", "password": "correct horse", "role": role });
    let member = admin.post(&show.path("members"), &new).expect(201);
    member["membership_id"].as_str().unwrap().to_owned()
}

/// The cells of a line of text, whose columns are two blanks apart or more.
fn cells(line: &str) -> Vec<&str> {
    line.split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect()
}

#[test]
fn a_report_has_the_right_figures_and_comes_when_it_is_asked_for() {
    let world = World::new();
    let admin = world.server.admin();
    world.buy(2);
    world.buy(1);
    let report = world.report(&json!({ "state": "range=7d&compare=previous", "paused": true }));
    assert_eq!(
        (&report["next_at"], &report["timezone"]),
        (&Value::Null, &json!("Europe/Vienna"))
    );
    assert_eq!(report["recipients"][0]["name"], "Ada");
    let own = format!("/v1/reports/{}", report["report_id"].as_str().unwrap());
    let send = format!("{own}/send-now");
    let ask = || admin.request("POST", &send).idempotent("once").json(&json!({})).send();
    let first = ask().expect(202);
    let mail = world.mails(1).remove(0);
    assert_eq!(
        ask().expect(202)["report_id"],
        first["report_id"],
        "the same answer again"
    );
    let again = admin.post(&send, &json!({}));
    again.problem(409, "sent_just_now");
    assert!(again.header("retry-after").is_some());

    assert_eq!(mail.to, ADA);
    assert!(mail.subject.starts_with("Every morning: "), "{mail:?}");
    let lines: Vec<Vec<&str>> = mail.text.lines().map(cells).collect();
    for line in [
        vec!["Net sales", "21.00 EUR", "0.00 EUR"],
        vec!["Tickets sold", "3", "0"],
        vec!["Orders paid", "2", "0"],
        vec!["Late Quartet", "3", "21.00 EUR", "7.00 EUR"],
    ] {
        assert!(lines.contains(&line), "{line:?} in {}", mail.text);
        assert!(
            mail.html.contains(&format!(">{}</t", line[1])),
            "{line:?} in {}",
            mail.html
        );
    }
    let organizer = &world.show.organizer_id;
    let link =
        format!("https://tickets.example.org/dashboards/overview?organizer_id={organizer}&range=7d&compare=previous");
    assert!(mail.text.lines().any(|line| line == link), "{}", mail.text);
    assert!(
        !mail.text.contains("Latest orders"),
        "they are for members on the page alone"
    );
    let stop = format!("https://tickets.example.org/dashboards/manage?organizer_id={organizer}#reports");
    assert!(mail.text.contains(&stop) && mail.html.contains(&stop), "{mail:?}");
    let sent = admin.get(&own).expect(200);
    assert!(
        sent["last_sent_at"].is_string() && sent["last_error"].is_null(),
        "{sent}"
    );
    assert_eq!(admin.delete(&own).status, 204);
    admin.get(&own).problem(404, "not_found");
    assert!(!world.server.log().contains(ADA));
}

#[test]
fn a_mail_calls_an_event_by_its_title() {
    let world = World::new();
    let state = format!("filter.event_id={}", world.show.event_id);
    let report = world.report(&json!({ "page": "event", "state": state }));
    let send = format!("/v1/reports/{}/send-now", report["report_id"].as_str().unwrap());
    world.server.admin().post(&send, &json!({})).expect(202);
    let mail = world.mails(1).remove(0);
    assert!(mail.text.contains(" (only Late Quartet)"), "{}", mail.text);
}

#[test]
fn a_report_that_was_asked_for_is_sent_once_although_the_server_is_killed() {
    let mut world = World::new();
    world.buy(1);
    let report = world.report(&json!({ "state": "range=7d" }));
    let send = format!("/v1/reports/{}/send-now", report["report_id"].as_str().unwrap());
    world.server.admin().post(&send, &json!({})).expect(202);
    for pause in [0, 700, 1_400] {
        std::thread::sleep(Duration::from_millis(pause));
        world = world.killed_and_started();
    }
    world.mails(1);
    std::thread::sleep(Duration::from_secs(3));
    let mail = world.mails(1).remove(0);
    assert!(
        mail.text
            .lines()
            .any(|line| cells(line).starts_with(&["Net sales", "7.00 EUR"])),
        "{}",
        mail.text
    );
}

#[test]
fn a_rule_fires_after_purchases_and_tells_once() {
    let world = World::new();
    let admin = world.server.admin();
    let rule = |name: &str, metric: &str, threshold: i64, currency: Value| {
        json!({
            "name": name, "metric": metric, "time_window": "last_hour", "condition": "above", "threshold": threshold,
            "currency": currency, "recipients": [ADA], "language": "de",
            "filters": [{ "dimension": "title", "in": ["Late Quartet", null] }],
        })
    };
    let make = |rule: &Value| admin.post(&world.show.path("alert-rules"), rule).expect(201);
    let show = |rule: &Value| {
        admin
            .get(&format!("/v1/alert-rules/{}", rule["alert_rule_id"].as_str().unwrap()))
            .expect(200)
    };
    let sold = make(&rule("Viel verkauft", "net_sales", 2_000, Value::Null));
    assert_eq!((&sold["state"], &sold["currency"]), (&json!("new"), &json!("EUR")));
    let dollars = make(&rule("Dollars", "net_sales", 1, json!("USD")));
    let mut unusual = rule("Ungewöhnlich", "tickets_sold", 50, Value::Null);
    unusual["condition"] = json!("unusual");
    let unusual = make(&unusual);
    until("the rules are looked at", || {
        show(&unusual)["last_checked_at"].is_string()
    });
    assert_eq!(show(&sold)["state"], "ok");
    assert_eq!(show(&sold)["last_value"], 0.0);
    assert_eq!(show(&unusual)["state"], "too_little_history");

    world.buy(3);
    // A rule that was changed is looked at right away, and not a minute later.
    for (made, rule) in [
        (&sold, rule("Sehr viel verkauft", "net_sales", 2_000, Value::Null)),
        (&dollars, rule("Viele Dollars", "net_sales", 1, json!("USD"))),
    ] {
        let own = format!("/v1/alert-rules/{}", made["alert_rule_id"].as_str().unwrap());
        admin.put(&own, &rule).expect(200);
    }
    let mail = world.mails(1).remove(0);
    assert_eq!(mail.subject, "Sehr viel verkauft: 21,00 EUR");
    assert!(
        mail.text
            .contains("Net sales in der letzten Stunde (nur Late Quartet, ohne): 21,00 EUR\n"),
        "{}",
        mail.text
    );
    assert!(mail.text.contains("über 20,00 EUR"), "{}", mail.text);
    assert!(mail.text.contains("#alerts"), "{}", mail.text);
    let firing = show(&sold);
    assert!(
        firing["state"] == "firing" && firing["since"].is_string() && firing["last_value"] == 2_100.0,
        "{firing}"
    );
    until("the other rule is looked at", || {
        show(&dollars)["last_checked_at"].is_string()
    });
    assert_eq!(show(&dollars)["state"], "ok");
    let log = format!("{}?change_type=alert_rule.fired", world.show.path("audit-log"));
    until("the audit log tells of it", || {
        let entries = admin.get(&log).expect(200);
        entries["items"].as_array().is_some_and(|items| items.len() == 1)
    });
    world.mails(1);
}

#[test]
fn a_rule_watches_events_of_its_own_organizer() {
    let world = World::new();
    let (admin, rules) = (world.server.admin(), world.show.path("alert-rules"));
    let rule = |event: &str| {
        json!({
            "name": "R", "metric": "net_sales", "time_window": "last_hour", "condition": "above", "threshold": 1,
            "recipients": [ADA], "filters": [{ "dimension": "event_id", "in": [null, event] }],
        })
    };
    let made = admin.post(&rules, &rule(&world.show.event_id)).expect(201);
    let own = format!("/v1/alert-rules/{}", made["alert_rule_id"].as_str().unwrap());
    for event in [Show::open(&admin, None, 700).event_id.as_str(), &tests::uuid7(), "x"] {
        for answer in [admin.post(&rules, &rule(event)), admin.put(&own, &rule(event))] {
            assert_eq!(answer.problem(422, "invalid_field")["pointer"], "/filters", "{event}");
        }
    }
}

#[test]
fn what_is_no_report_and_no_rule_names_the_field() {
    let world = World::new();
    let admin = world.server.admin();
    let pointer = |what: &str, base: &Value, field: &str, value: Value| {
        let mut body = base.clone();
        body[field] = value;
        let answer = admin.post(&world.show.path(what), &body);
        assert_eq!(answer.status, 422, "{field}: {}", answer.text());
        answer.json()["pointer"].as_str().unwrap_or_default().to_owned()
    };
    let report = json!({ "name": "R", "page": "overview", "every": "week", "weekday": "monday", "at": "08:00", "recipients": [ADA] });
    for (field, value, wanted) in [
        ("at", json!("8:00"), "/at"),
        ("at", json!("24:00"), "/at"),
        ("weekday", json!(null), "/weekday"),
        ("weekday", json!("Montag"), "/weekday"),
        ("month_day", json!(3), "/month_day"),
        ("timezone", json!("Vienna"), "/timezone"),
        ("state", json!("organizer_id=1"), "/state"),
        ("state", json!("from=-262143-01-01"), "/state"),
        ("page", json!("../x"), "/page"),
        ("recipients", json!([]), "/recipients"),
        ("recipients", json!([ADA, "bob@example.org"]), "/recipients/1"),
        ("language", json!("fr"), "/language"),
        ("every_", json!("day"), "/every_"),
    ] {
        assert_eq!(
            pointer("reports", &report, field, value.clone()),
            wanted,
            "{field} {value}"
        );
    }
    let rule = json!({
        "name": "R", "metric": "net_sales", "time_window": "last_hour", "condition": "above", "threshold": 1,
        "recipients": [ADA],
    });
    for (field, value, wanted) in [
        ("metric", json!("happiness"), "/metric"),
        ("metric", json!("net_revenue"), "/time_window"),
        (
            "filters",
            json!([{ "dimension": "gate", "in": ["x"] }]),
            "/filters/0/dimension",
        ),
        (
            "filters",
            json!([{ "dimension": "channel", "in": [] }]),
            "/filters/0/in",
        ),
        ("currency", json!("euro"), "/currency"),
        ("quiet_minutes", json!(0), "/quiet_minutes"),
        ("condition", json!("odd"), "/condition"),
    ] {
        assert_eq!(
            pointer("alert-rules", &rule, field, value.clone()),
            wanted,
            "{field} {value}"
        );
    }
    for what in ["reports", "alert-rules"] {
        let door = world
            .server
            .bearer(&tests::token(&admin, &world.show.organizer_id, "door"));
        door.get(&world.show.path(what)).problem(403, "forbidden");
        let other = Show::open(&admin, None, 700);
        let stranger = world.server.bearer(&tests::token(&admin, &other.organizer_id, "owner"));
        stranger.get(&world.show.path(what)).problem(404, "not_found");
        assert_eq!(admin.get(&world.show.path(what)).expect(200)["items"], json!([]));
    }
}
