//! The SQL project in the running program: marts are right at once, runs keep rows, tests pass on what was sold.

use crate::shared::eventually;
use serde_json::{Value, json};
use tests::{Buyer, Home, Show, interaction};

#[test]
fn a_mart_tells_of_a_sale_before_and_after_any_run() {
    let home = Home::new();
    let server = home.serve();
    let admin = server.admin();
    let show = Show::open(&admin, None, 1_250);
    let buyer = Buyer {
        client: server.public(),
        show: &show,
    };
    let sold = "select coalesce(sum(sold_tickets - cancelled_tickets), 0) as tickets from marts.sales";
    let becomes = |tickets: i64| eventually("the mart tells", || (admin.count(sold) == tickets).then_some(()));
    buyer.buy(3);
    becomes(3);
    let run = |body: Value| admin.post("/v1/transforms/sales/run", &body).expect(200);
    assert_eq!(run(json!({}))["outcome"], "rebuilt");
    let cancelled = buyer.buy(2);
    becomes(5);
    admin
        .post(&format!("/v1/orders/{}/cancel", cancelled.order_id), &json!({}))
        .expect(200);
    becomes(3);
    assert_eq!(run(json!({}))["outcome"], "added");
    assert_eq!(run(json!({ "full": true }))["outcome"], "rebuilt");
    assert_eq!(run(json!({}))["outcome"], "unchanged");
    becomes(3);

    let seen: Vec<Value> = (0..20)
        .map(|_| interaction(&show.organizer_id, Some(&show.event_id)))
        .collect();
    buyer.client.post("/v1/interactions", &json!(seen)).expect(200);
    let looked = "select coalesce(sum(interactions), 0) as seen from marts.traffic";
    eventually("traffic", || (admin.count(looked) == 20).then_some(()));
    let runs = home.output(&["transform", "run"]);
    assert!(runs.contains("sessions") && runs.contains("people"), "{runs}");
    let tested = home.output(&["transform", "test"]);
    assert!(tested.contains(" 0 failed"), "{tested}");
    assert_eq!(
        admin.count("select count(*) from system.marts where changes_behind > 100"),
        0
    );
    assert!(admin.count("select count(*) from system.marts") >= 10);

    admin
        .post("/v1/transforms/nothing/run", &json!({}))
        .problem(404, "not_found");
    server
        .public()
        .post("/v1/transforms/sales/run", &json!({}))
        .problem(401, "unauthenticated");
    drop(buyer);
    server.stop();
}

#[test]
fn the_project_describes_itself_without_a_server() {
    let home = Home::new();
    let docs = home.output(&["transform", "docs"]);
    assert!(
        docs.contains("## marts.sales\n") && docs.contains("one row an event"),
        "{docs}"
    );
    let graph = home.output(&["transform", "graph"]);
    assert!(
        graph.starts_with("flowchart LR\n") && graph.contains("int_sale_facts --> sales"),
        "{graph}"
    );
    let failed = home.run(&["transform", "run", "nothing"]);
    assert_eq!(failed.status.code(), Some(1));
}
