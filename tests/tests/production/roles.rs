//! What each role does and leaves to others.

use crate::my_turn;
use serde_json::json;
use std::time::{Duration, Instant};
use tests::{
    Buyer, Client, Purchase, Show,
    cluster::{Cluster, Services},
    load::{audit, eventually},
};

/// What is promised; a machine that does other things beside may take twice that.
const TAKE_OVER: Duration = Duration::from_secs(10);

#[test]
fn a_purchase_goes_its_way_through_processes_of_one_role_each() {
    let _turn = my_turn();
    let Some(services) = Services::find() else { return };
    let mut cluster = Cluster::new(services);
    for role in ["api", "relay", "sink", "query", "worker"] {
        cluster.add(role, role);
    }
    let admin = cluster.server("api").admin();
    let show = Show::open(&admin, Some(10), 2_500);
    let purchase = buy(cluster.server("api").public(), &show, 2);
    let query = cluster.server("query").admin();
    let paid = format!(
        "select count(*) from tickets join orders on orders.order_id = tickets.order_id where orders.order_id = '{}' and orders.status = 'paid'",
        purchase.order_id
    );
    eventually("the lake shows both tickets", || {
        (query.count(&paid) == 2).then_some(())
    });
    audit(&query);
    let sold = "select coalesce(sum(sold_tickets), 0) as tickets from marts.sales";
    assert_eq!(query.count(sold), 2);
    query.post("/v1/transforms/sales/run", &json!({})).expect(200);
    assert_eq!(query.count(sold), 2, "from what is kept on the object store");

    // Each process says what it isn't for, and who it is.
    for (name, path, wanted) in [
        ("query", "/v1/holds", "api"),
        ("sink", "/v1/sql", "query"),
        ("api", "/v1/sql", "query"),
    ] {
        let refused = cluster.server(name).admin().post(path, &json!({ "sql": "select 1" }));
        let problem = refused.problem(421, "wrong_role");
        assert!(problem["detail"].as_str().unwrap().contains(wanted), "{problem}");
    }
    for name in ["api", "relay", "sink", "query", "worker"] {
        let ready = cluster.server(name).public().get("/readyz").expect(200);
        assert_eq!(ready["role"], name, "{ready}");
        let metrics = cluster.server(name).public().get("/metrics");
        assert!(metrics.text().contains("bilten_"), "{name}: {}", metrics.text());
    }
    eventually("all processes are announced, and two of them lead", || {
        let status = query.get("/v1/status").expect(200);
        let processes = status["processes"].as_array().unwrap();
        let leads = |role: &str| {
            let found = processes.iter().find(|process| process["roles"] == role);
            found.is_some_and(|process| process["leads"] == json!([role]))
        };
        (processes.len() == 5 && leads("relay") && leads("worker")).then_some(())
    });
    cluster.stop();
}

fn buy(client: Client, show: &Show, quantity: i64) -> Purchase {
    Buyer { client, show }.buy(quantity)
}

#[test]
fn another_relay_takes_over_within_ten_seconds_and_sinks_share_the_partitions() {
    let _turn = my_turn();
    let Some(services) = Services::find() else { return };
    let mut cluster = Cluster::new(services);
    for (name, roles) in [
        ("api", "api"),
        ("relay-1", "relay"),
        ("relay-2", "relay"),
        ("sink-1", "sink"),
        ("sink-2", "sink"),
        ("query", "query"),
    ] {
        cluster.add(name, roles);
    }
    let show = Show::open(&cluster.server("api").admin(), None, 2_500);
    let query = cluster.server("query").admin();
    let leader = eventually("a relay leads", || {
        let status = query.get("/v1/status").expect(200);
        let processes = status["processes"].as_array().unwrap().clone();
        let leader = processes
            .into_iter()
            .find(|process| process["leads"] == json!(["relay"]))?;
        Some(leader["url"].as_str().unwrap().to_owned())
    });
    let leads = |name: &str| leader.ends_with(&cluster.server(name).address().port().to_string());
    let leader = if leads("relay-1") { "relay-1" } else { "relay-2" };
    cluster.kill_9(leader);
    let killed = Instant::now();
    let purchase = buy(cluster.server("api").public(), &show, 1);
    let seen = format!("select count(*) from orders where order_id = '{}'", purchase.order_id);
    eventually("the other relay sends it", || (query.count(&seen) == 1).then_some(()));
    let took = killed.elapsed();
    eprintln!("the other relay took over and sent within {took:?} of {TAKE_OVER:?}");
    assert!(took < 2 * TAKE_OVER, "{took:?}");

    // Both sinks commit, and when one is gone the other has all partitions.
    cluster.kill_9("sink-1");
    let purchase = buy(cluster.server("api").public(), &show, 1);
    let seen = format!("select count(*) from orders where order_id = '{}'", purchase.order_id);
    eventually("it is visible", || (query.count(&seen) == 1).then_some(()));
    for _ in 0..20 {
        buy(cluster.server("api").public(), &show, 1);
    }
    let in_tails = "select sum(tail_rows) from system.freshness";
    eventually("the sink that is left commits all partitions", || {
        (query.count(in_tails) == 0).then_some(())
    });
    audit(&query);
    cluster.stop();
}
