//! The demo's world has something of everything that a visitor may look for.

use crate::shared::{eventually_counts, until};
use std::fs;
use tests::Home;

#[test]
fn the_demo_shows_promo_codes_phases_refunds_a_dispute_and_a_waiting_list() {
    let home = Home::new();
    let server = home.demo();
    let admin = server.admin();
    let counts = |sql: &str, at_least: i64| until(sql, || admin.count(sql) >= at_least);
    counts("select count(*) from events", 120);
    counts("select count(*) from orders", 3_000);
    counts("select count(*) from orders", 9_000);
    until("the world is filled", || {
        let file = fs::read_to_string(home.path().join("demo.json")).unwrap();
        file.contains("\"filled\": true")
    });
    counts("select count(distinct code) from promo_codes", 2);
    eventually_counts(&admin, "select count(*) from disputes where status = 'open'", 1);
    eventually_counts(
        &admin,
        "select count(*) from waiting_entries where status = 'offered'",
        1,
    );
    eventually_counts(
        &admin,
        "select count(*) from waiting_entries where status = 'waiting'",
        5,
    );
    counts("select count(*) from refunds where status = 'succeeded'", 2);
    server.stop();
}
