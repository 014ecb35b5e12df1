//! How soon a paid purchase changes a figure of a dashboard that is open in a browser, at a steady load.

use crate::{
    report::{self, Latencies, Report},
    visibility,
};
use serde::Deserialize;
use serde_json::json;
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime},
};
use tests::{Buyer, Server, Show, load::eventually};

const ISLANDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../dashboards/islands");
/// The last purchases have to be shown by then.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the page's own document showed, and when: milliseconds since 1970, and the figure.
#[derive(Deserialize)]
struct Watched {
    changes: Vec<(f64, f64)>,
}

/// The clock starts when the client has the answer to the payment report, and stops when the page's document has a figure
/// that counts the order. Both ends have the same machine's clock.
pub(crate) fn measure(server: &Server, length: Duration, report: &mut Report) {
    let admin = server.admin();
    let show = Show::open(&admin, None, 2_000);
    let client = server.public();
    // A figure that is there before the first of many.
    Buyer { client, show: &show }.buy(1);
    let shown = format!(
        "select count(*) from orders where event_id = '{}' and status = 'paid'",
        show.event_id
    );
    eventually("the first purchase shows", || (admin.count(&shown) == 1).then_some(()));

    let watch = json!({
        "url": format!("http://{}", server.address()), "token": server.admin_token(), "metric": "orders_paid",
        "path": format!("/dashboards/overview?range=all&organizer_id={}", show.organizer_id),
    });
    let mut page = Command::new("node")
        .arg("tests/latency/watch.mjs")
        .current_dir(ISLANDS)
        .env("WATCH", watch.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Node.js is there, and `make pages` has installed what the page's watcher needs");
    let mut lines = BufReader::new(page.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let bought = visibility::buy(server, &show, visibility::purchases_in(length));
    std::thread::sleep(PATIENCE);
    drop(page.stdin.take());
    let watched: Watched = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert!(page.wait().unwrap().success());

    let (now, epoch) = (Instant::now(), SystemTime::UNIX_EPOCH.elapsed().unwrap());
    let mut paid: Vec<Instant> = bought.paid.into_values().collect();
    paid.sort();
    let first = watched.changes[0].1;
    let latency = |(place, paid): (usize, Instant)| {
        let counted = first + place as f64 + 1.0;
        let change = watched.changes.iter().find(|(_, value)| *value >= counted);
        let (at, _) = change.expect("the page shows every purchase in the end");
        let paid = epoch - now.duration_since(paid);
        Duration::from_secs_f64((at / 1e3 - paid.as_secs_f64()).max(0.0))
    };
    let latencies = Latencies::of(paid.into_iter().enumerate().map(latency).collect());
    let load = visibility::load(latencies.len());
    for (percent, budget) in [(50.0, None), (99.0, Some(report::at_most(1_000.0)))] {
        let name = format!("payment → figure of an open page, p{percent}, {load}");
        report.add(name, latencies.percentile(percent), "ms", budget);
    }
}
