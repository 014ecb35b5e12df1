//! Questions to the lake over HTTP: formats, errors, limits, metrics, what the lake says of itself.

use crate::shared::{eventually, eventually_counts, server};
use serde_json::{Value, json};
use tests::{Buyer, Client, Response, Show};

fn ask(client: &Client, accept: &str, sql: &str) -> Response {
    client
        .request("POST", "/v1/sql")
        .header("accept", accept)
        .json(&json!({ "sql": sql }))
        .send()
}

#[test]
fn the_same_rows_come_as_json_csv_arrow_parquet_and_text() {
    let shared = server();
    let admin = shared.server.admin();
    let sql = "select 1 as a, 'x,y' as b union all select 2, null order by a";
    let json = ask(&admin, "application/json", sql);
    assert_eq!(json.expect(200), json!([{ "a": 1, "b": "x,y" }, { "a": 2, "b": null }]));
    assert!(
        json.header("bilten-position")
            .is_some_and(|position| position.parse::<i64>().is_ok())
    );
    let csv = ask(&admin, "text/csv", sql);
    assert_eq!((csv.status, csv.text().as_str()), (200, "a,b\n1,\"x,y\"\n2,\n"));
    let arrow = ask(&admin, "application/vnd.apache.arrow.stream", sql);
    assert_eq!((arrow.status, &arrow.body[..4]), (200, [0xff; 4].as_slice()));
    let parquet = ask(&admin, "application/vnd.apache.parquet", sql);
    assert_eq!(
        (&parquet.body[..4], &parquet.body[parquet.body.len() - 4..]),
        (b"PAR1".as_slice(), b"PAR1".as_slice())
    );
    assert!(
        ask(&admin, "text/plain", sql).text().contains("| 1 "),
        "a table to read"
    );
    assert_eq!(
        ask(&admin, "image/png, text/csv;q=0.5", sql).header("content-type"),
        Some("text/csv")
    );
    assert_eq!(ask(&admin, "image/png", sql).status, 406);
    assert_eq!(
        admin.count("select count(*) from orders where placed_at > now()"),
        0,
        "a query knows the time"
    );
    assert_eq!(
        ask(&admin, "application/json", "select 1 as a where false").expect(200),
        json!([])
    );
}

#[test]
fn a_query_that_can_not_be_run_is_explained() {
    let shared = server();
    let admin = shared.server.admin();
    let problem = |sql: &str| ask(&admin, "application/json", sql).problem(400, "invalid_sql")["detail"].clone();
    assert!(
        problem("select nothing from orders")
            .as_str()
            .unwrap()
            .contains("nothing")
    );
    assert!(problem("select * from nowhere").as_str().unwrap().contains("nowhere"));
    problem("selec 1");
    problem("");
    problem("select cast('x' as bigint)");
}

#[test]
fn a_query_has_limits_and_the_server_survives_them() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 0);
    let buyer = Buyer {
        client: shared.server.public(),
        show: &show,
    };
    (0..20).for_each(|_| drop(buyer.order(10, "test_ok")));
    eventually_counts(
        &admin,
        &format!("select count(*) from tickets where event_id = '{}'", show.event_id),
        200,
    );
    let huge = "select cardinality(array_agg(a.ticket_id || b.ticket_id || c.ticket_id || d.ticket_id)) \
                from tickets a, tickets b, tickets c, tickets d";
    let refused = ask(&admin, "application/json", huge);
    assert!(
        [422, 504].contains(&refused.status),
        "{} {}",
        refused.status,
        refused.text()
    );
    assert_eq!(admin.count("select 1"), 1);
}

#[test]
fn every_metric_answers_for_an_organizer_and_for_the_platform() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let purchase = Buyer {
        client: shared.server.public(),
        show: &show,
    }
    .buy(2);
    let paid = format!(
        "select count(*) from orders where status = 'paid' and order_id = '{}'",
        purchase.order_id
    );
    eventually_counts(&admin, &paid, 1);
    let owner = shared.server.bearer(&tests::token(&admin, &show.organizer_id, "owner"));
    let questions = admin.get("/v1/questions").expect(200);
    let names: Vec<&str> = questions
        .as_array()
        .unwrap()
        .iter()
        .map(|question| question["name"].as_str().unwrap())
        .collect();
    let known: Vec<&str> = transforms::questions()
        .iter()
        .map(|question| question.name.as_str())
        .collect();
    assert_eq!(names, known);
    for name in names {
        for client in [&admin, &owner] {
            let rows = client.get(&format!("/v1/questions/{name}")).expect(200);
            assert!(rows.is_array(), "{name}: {rows}");
        }
    }
    let today = owner.get("/v1/questions/sales_today").expect(200).to_string();
    assert!(today.contains("1400"), "{today}");
    admin.get("/v1/questions/happiness").problem(404, "not_found");
}

#[test]
fn the_lake_tells_how_fresh_it_is() {
    let shared = server();
    let admin = shared.server.admin();
    for table in ["freshness", "lag", "tables", "commits", "queries"] {
        admin.sql(&format!("select * from system.{table}"));
    }
    let status = eventually("the lake has caught up", || {
        Some(admin.get("/v1/status").expect(200)).filter(|status| status["behind"] == 0)
    });
    assert_eq!(status["committed_seq"], status["visible_seq"]);
    assert!(
        status["partitions"]
            .as_array()
            .is_some_and(|partitions| partitions.len() >= 2)
    );
}

#[test]
fn an_audit_compares_every_entity_while_sales_go_on() {
    let shared = server();
    let admin = shared.server.admin();
    let show = Show::open(&admin, None, 700);
    let report = std::thread::scope(|scope| {
        let (server, show) = (&shared.server, &show);
        let sales = scope.spawn(move || {
            let buyer = Buyer {
                client: server.public(),
                show,
            };
            (0..30).for_each(|_| drop(buyer.buy(2)));
        });
        let report = admin.post("/v1/audit", &json!({})).expect(200);
        sales.join().unwrap();
        report
    });
    assert_eq!(report["clean"], true, "{report}");
    let audited: Vec<&Value> = report["entities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entity| &entity["entity"])
        .collect();
    let known: Vec<&str> = domain::changes::ENTITIES.iter().map(|entity| entity.name).collect();
    assert_eq!(audited, known);
}
