//! The demo's world has something of everything that a visitor may look for.

use crate::shared::{eventually_counts, until};
use std::fs;
use tests::{Home, figures};

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
    until("somebody has come in, and somebody looks around", || {
        admin.count("select count(*) from check_ins where accepted and kind = 'entry'") > 0
            && admin.count("select count(*) from interactions where event_id is not null") > 0
    });
    server.stop();

    // Without traffic the core stands still.
    let server = home.serve();
    let agreed = figures::agree_with_the_core(&home, &server);
    for metric in [
        "net_sales",
        "refunded",
        "open_disputes",
        "entries",
        "event_visits",
        "sessions",
        "repeat_rate",
        // Left out of the comparison where an organizer has thousands of events, and not here.
        "usual_tickets_so_far",
    ] {
        assert!(agreed[metric] > 0, "{metric}: {agreed:?}");
    }
    server.stop();
}
