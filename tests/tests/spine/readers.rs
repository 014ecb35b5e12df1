//! The lake is for others too: Python's `deltalake` and Polars open its tables as they are and find what SQL finds.

use crate::shared::eventually;
use domain::changes::ENTITIES;
use serde_json::{Value, json};
use std::{fs, process::Command};
use tests::{Buyer, Client, Home, Show, interaction, python::python, scan};

/// One line a row of the numbers and texts that a reader could get wrong, for every table.
fn answers(client: &Client) -> Value {
    let mut tables = serde_json::Map::new();
    for entity in ENTITIES {
        let money = entity
            .money
            .map_or("cast(null as bigint)".to_owned(), |money| format!("sum({money})"));
        let rows = client.sql(&format!(
            "select count(*) as rows, sum(entity_version) as versions, max(seq) as seq, {money} as money, \
             count(distinct organizer_id) as organizers, max(cast(recorded_at as bigint)) as recorded_at from {}",
            entity.table
        ));
        tables.insert(entity.table.to_owned(), rows[0].clone());
    }
    let seen = "select count(*) as rows, count(distinct interaction_id) as ids, \
                max(cast(received_at as bigint)) as received_at from interactions";
    tables.insert("interactions".to_owned(), client.sql(seen)[0].clone());
    let sales = "select count(distinct organizer_id) as organizers, sum(sold_minor) as money from marts.sales";
    tables.insert("marts/sales".to_owned(), client.sql(sales)[0].clone());
    let orders = client.sql(
        "select order_id, status, total_minor, currency, cast(placed_at as bigint) as placed_at, \
         lines[1]['quantity'] as first_quantity from orders order by order_id",
    );
    json!({ "tables": tables, "orders": orders })
}

#[test]
fn deltalake_and_polars_find_what_sql_finds() {
    let home = Home::new();
    let server = home.serve();
    let admin = server.admin();
    let show = Show::open(&admin, None, 1_250);
    let buyer = Buyer {
        client: server.public(),
        show: &show,
    };
    let code = buyer.codes(&buyer.buy(3)).remove(0);
    admin.post(&show.redeem_path(), &scan(&code)).expect(200);
    admin.post(&show.redeem_path(), &scan("no code")).expect(200);
    let cancelled = buyer.buy(2);
    admin
        .post(&format!("/v1/orders/{}/cancel", cancelled.order_id), &json!({}))
        .expect(200);
    buyer.order(1, "test_manual");
    let seen: Vec<Value> = (0..50)
        .map(|_| interaction(&show.organizer_id, Some(&show.event_id)))
        .collect();
    assert_eq!(
        buyer.client.post("/v1/interactions", &json!(seen)).expect(200)["accepted"],
        50
    );
    eventually("the lake has caught up", || {
        let caught_up = admin.get("/v1/status").expect(200)["behind"] == 0;
        (caught_up && admin.count("select count(*) from interactions") == 50).then_some(())
    });
    let ours = answers(&admin);
    assert_eq!(ours["tables"]["check_in_changes"]["rows"], 2, "{ours}");
    admin.post("/v1/transforms/sales/run", &json!({})).expect(200);
    drop(buyer);
    server.stop();

    let tables = home.beside("tables.json");
    let money: serde_json::Map<String, Value> = ENTITIES
        .iter()
        .map(|entity| (entity.table.to_owned(), json!(entity.money)))
        .collect();
    fs::write(&tables, Value::Object(money).to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/read_lake.py");
    let output = Command::new(python())
        .arg(script)
        .arg(home.path().join("lake"))
        .arg(&tables)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs: Value = serde_json::from_slice(&output.stdout).unwrap();
    for reader in ["deltalake", "polars"] {
        for (table, row) in ours["tables"].as_object().unwrap() {
            assert_eq!(&theirs[reader]["tables"][table], row, "{reader}: {table}");
        }
        assert_eq!(theirs[reader]["orders"], ours["orders"], "{reader}");
    }
}
