//! Dashboards as they are read: names that tell events apart, days without a sale, files that open, pages that go out.

use crate::{
    dashboards::{PAGES, analyst, figure, page, panel, whole},
    shared::{Shared, eventually, server},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tests::{Buyer, Client, Show, event};

/// An organizer who sells tickets of a show at 7.00, and somebody who looks at its figures.
fn organizer() -> (Arc<Shared>, Show, Client) {
    let shared = server();
    let show = Show::open(&shared.server.admin(), None, 700);
    let analyst = analyst(&shared.server, &show);
    (shared, show, analyst)
}

/// As a template writes it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('/', "&#x2f;")
}

fn texts(panel: &Value, column: &str) -> Vec<String> {
    let rows = panel["rows"].as_array().unwrap().iter();
    rows.map(|row| row[column].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_panel_can_be_taken_away_also_beside_the_days_before() {
    let (_shared, show, analyst) = organizer();
    for path in PAGES {
        let query = format!("filter.event_id={}&range=7d&compare=previous", show.event_id);
        let query = if path == "event" {
            query
        } else {
            "range=7d&compare=previous".to_owned()
        };
        for panel in whole(&analyst, &format!("{path}?{query}")) {
            let id = panel["id"].as_str().unwrap();
            for format in ["csv", "xlsx", "parquet", "arrow"] {
                let address = format!("/dashboards/{path}/panels/{id}?{query}&format={format}");
                let answer = analyst.get(&address);
                assert_eq!(answer.status, 200, "{address}: {}", answer.text());
            }
        }
    }
}

#[test]
fn a_day_is_a_date_in_a_file_and_a_day_without_a_sale_is_0_on_the_page() {
    let (shared, show, analyst) = organizer();
    let client = shared.server.public();
    Buyer { client, show: &show }.buy(2);
    let rows = eventually("the sale shows", || {
        let sales = panel(&whole(&analyst, "overview?range=7d&compare=none"), "net-sales");
        let rows = sales["rows"].as_array().unwrap().clone();
        (!rows.is_empty()).then_some(rows)
    });
    let told: Vec<i64> = rows.iter().map(|row| row["net_sales"].as_i64().unwrap()).collect();
    assert_eq!(told, [0, 0, 0, 0, 0, 0, 1_400], "{rows:?}");
    let csv = analyst.get("/dashboards/overview/panels/net-sales?range=7d&compare=none&format=csv");
    let (csv, day) = (csv.text(), rows[6]["at"].as_str().unwrap());
    let line = csv.lines().nth(1).unwrap();
    assert!(line.starts_with(&format!("{},", &day[..10])), "{csv}");
    let swapped = "from=2026-06-01&to=2026-05-01&compare=previous";
    let (html, _) = page(&analyst, &format!("overview?{swapped}"));
    assert!(
        html.contains("30 Apr 2026 to 1 Jun 2026</span>, beside 28 Mar 2026 to 29 Apr 2026,"),
        "days are meant in either order, and what they are compared with is told: {html}"
    );
}

#[test]
fn events_of_one_title_are_told_apart_and_can_be_chosen() {
    let (shared, show, analyst) = organizer();
    let admin = shared.server.admin();
    let other = Show::open_for(&admin, show.organizer_id.clone(), None, 700);
    let mut later = event("Late Quartet");
    (later["starts_at"], later["ends_at"]) = (json!("2031-05-04T18:00:00Z"), json!("2031-05-04T20:00:00Z"));
    admin.put(&format!("/v1/events/{}", other.event_id), &later).expect(200);
    for (show, quantity) in [(&show, 3), (&other, 2)] {
        let client = shared.server.public();
        Buyer { client, show }.buy(quantity);
    }
    let titles = eventually("both show by their days", || {
        let top = panel(&whole(&analyst, "overview?range=7d"), "top-events");
        let titles = texts(&top, "title");
        (titles.len() == 2 && titles[1] == "Late Quartet, 4 May 2031").then_some(titles)
    });
    assert!(
        titles[0].starts_with("Late Quartet, ") && titles[0] != titles[1],
        "{titles:?}"
    );
    let (html, panels) = page(
        &analyst,
        &format!("overview?range=7d&filter.event_id={}", other.event_id),
    );
    assert_eq!(figure(&panel(&panels, "headline"), "tickets_sold"), 2);
    let option = format!("value=\"{}\" checked> <bdi>{}</bdi>", other.event_id, titles[1]);
    assert!(html.contains(&option), "{option}");
    assert!(
        html.contains(&format!("Event: <bdi>{}</bdi>", titles[1])),
        "the chip says which"
    );
    let (html, _) = page(&analyst, &format!("event?filter.event_id={}", other.event_id));
    assert!(html.contains(&format!("<h1><bdi>{}</bdi></h1>", titles[1])));
    let money = format!(
        "/dashboards/money?range=7d&compare=previous&filter.event_id={}",
        other.event_id
    );
    let (html, _) = page(
        &analyst,
        &format!("overview?range=7d&filter.event_id={}", other.event_id),
    );
    assert!(
        html.contains(&escaped(&money)),
        "another page goes on with what was chosen"
    );
}

#[test]
fn a_shared_page_says_whose_it_is_and_until_when_and_keeps_orders_to_itself() {
    let (shared, show, analyst) = organizer();
    let client = shared.server.public();
    Buyer { client, show: &show }.buy(1);
    let admin = shared.server.admin();
    let name = admin.get(&format!("/v1/organizers/{}", show.organizer_id)).expect(200)["name"].clone();
    let share = json!({ "page": "overview", "state": "range=7d" });
    let made = admin.post(&show.path("dashboard-shares"), &share).expect(201);
    let path = format!("/shared/{}", made["token"].as_str().unwrap());
    let html = shared.server.public().get(&path).text();
    assert!(
        html.contains(&format!("<bdi>{}</bdi>", name.as_str().unwrap())),
        "{html}"
    );
    assert!(
        html.contains("Shared by a link until ") && html.contains("Last 7 days"),
        "{html}"
    );
    assert!(
        !html.contains("<header class=\"bar\">") && !html.contains("Latest orders"),
        "{html}"
    );
    let public = shared.server.public();
    public.get(&format!("{path}/panels/latest")).problem(404, "not_found");
    whole(&analyst, "overview")
        .iter()
        .find(|panel| panel["id"] == "latest")
        .expect("members see them");
}

#[test]
fn what_can_not_be_there_says_why() {
    let (_shared, _, analyst) = organizer();
    let empty = |path: &str, id: &str| panel(&whole(&analyst, path), id)["empty"].as_str().unwrap().to_owned();
    assert!(empty("doors", "no-shows").contains("last 12 months"));
    let filtered = empty("doors?filter.gate=North", "absent");
    assert!(filtered.contains("last 12 months"), "{filtered}");
    assert!(empty("funnel", "sources").contains("?utm_source="));
    assert!(empty("overview?range=7d", "categories").contains("Choose a longer range"));
}
