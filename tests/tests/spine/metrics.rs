//! Metrics over HTTP: a figure moves when something is sold, and stays within its organizer.

use crate::shared::server;
use serde_json::{Value, json};
use tests::{Buyer, Show, load::eventually, token};

#[test]
fn a_metric_moves_with_sales_and_is_its_organizers_own() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, Some(10), 700);
    let other = Show::open(&admin, Some(10), 900);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    let purchase = buyer.buy(2);
    let analyst = shared.server.bearer(&token(&admin, &show.organizer_id, "analyst"));
    let query = json!({ "metrics": ["net_sales", "tickets_sold"], "dimensions": ["title"], "grain": "day" });
    let ask = || analyst.post("/v1/metrics/query", &query).expect(200);
    eventually("the sale shows", || {
        let rows = ask();
        let shown = rows[0]["net_sales"] == 1_400 && rows[0]["tickets_sold"] == 2 && rows[0]["currency"] == "EUR";
        shown.then_some(())
    });
    let cancel = format!("/v1/orders/{}/cancel", purchase.order_id);
    admin.post(&cancel, &json!({})).expect(200);
    eventually("its cancellation shows", || (ask()[0]["net_sales"] == 0).then_some(()));
    let stranger = shared.server.bearer(&token(&admin, &other.organizer_id, "analyst"));
    assert_eq!(stranger.post("/v1/metrics/query", &query).expect(200), json!([]));
    let door = shared.server.bearer(&token(&admin, &show.organizer_id, "door"));
    door.post("/v1/metrics/query", &query).problem(403, "forbidden");

    let csv = analyst
        .request("POST", "/v1/metrics/query")
        .header("accept", "text/csv")
        .json(&query)
        .send();
    assert!(
        csv.text().starts_with("at,title,currency,net_sales,tickets_sold\n"),
        "{}",
        csv.text()
    );
}

#[test]
fn what_can_not_be_asked_names_the_field() {
    let shared = server();
    let admin = shared.server.admin();
    let known = admin.get("/v1/metrics").expect(200);
    let sales = known
        .as_array()
        .unwrap()
        .iter()
        .find(|metric| metric["name"] == "net_sales");
    assert_eq!(sales.unwrap()["format"], "money");
    let refused = |query: Value| {
        let problem = admin.post("/v1/metrics/query", &query).problem(422, "invalid_field");
        problem["pointer"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused(json!({ "metrics": ["happiness"] })), "/metrics/0");
    assert_eq!(
        refused(json!({ "metrics": ["net_sales"], "dimensions": ["gate"] })),
        "/dimensions/0"
    );
    assert_eq!(
        refused(json!({ "metrics": ["net_revenue"], "grain": "minute" })),
        "/grain"
    );
    assert_eq!(
        refused(json!({ "metrics": ["new_buyers"], "from": "-262143-01-01" })),
        "/from"
    );
}
