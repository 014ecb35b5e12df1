//! How soon a paid purchase is in the answer of a query, at a steady load.

use crate::report::{Budget, Latencies, Report};
use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tests::{Buyer, Client, Server, Show};

const A_SECOND: u32 = 200;
/// Enough that a purchase that takes long does not hold up the next one's start.
const BUYERS: usize = 16;
/// Between two looks, so that looking doesn't become the load.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Purchases that were made on a timetable.
pub(crate) struct Bought {
    /// When the client had the answer to the payment report of each order.
    pub(crate) paid: HashMap<String, Instant>,
    /// The start that was latest on the timetable.
    late: Duration,
}

pub(crate) fn purchases_in(length: Duration) -> usize {
    (length.as_secs_f64() * f64::from(A_SECOND)) as usize
}

pub(crate) fn load(purchases: usize) -> String {
    format!("at {A_SECOND} purchases/s, {purchases} of them")
}

/// Purchases start on a timetable, whether earlier ones have ended or not.
pub(crate) fn buy(server: &Server, show: &Show, total: usize) -> Bought {
    let paid: Mutex<HashMap<String, Instant>> = Mutex::default();
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let one_buyer = || {
        let client = server.public();
        let buyer = Buyer { client, show };
        let mut late = Duration::ZERO;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= total {
                return late;
            }
            let due = started + Duration::from_secs(1) * number as u32 / A_SECOND;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            late = late.max(due.elapsed());
            let order_id = buyer.buy(1).order_id;
            paid.lock().unwrap().insert(order_id, Instant::now());
        }
    };
    let late = std::thread::scope(|scope| {
        let buyers: Vec<_> = (0..BUYERS).map(|_| scope.spawn(one_buyer)).collect();
        let late = buyers.into_iter().map(|buyer| buyer.join().unwrap());
        late.max().unwrap_or_default()
    });
    Bought {
        paid: paid.into_inner().unwrap(),
        late,
    }
}

/// The clock starts when the client has the answer to the payment report (so the purchase is committed) and stops when
/// the client has the answer of a query that shows the order as paid. The query looks every 10 ms, so its own time and
/// half of that are part of every figure.
pub(crate) fn measure(server: &Server, length: Duration, p99: Budget, report: &mut Report) {
    let show = Show::open(&server.admin(), None, 2_000);
    let done = AtomicBool::new(false);
    let total = purchases_in(length);
    let (seen, Bought { paid, late }) = std::thread::scope(|scope| {
        let looking = scope.spawn(|| look(&server.admin(), total, &done));
        let bought = buy(server, &show, total);
        done.store(true, Ordering::Relaxed);
        (looking.join().unwrap(), bought)
    });
    let latencies = paid
        .iter()
        .map(|(order_id, at)| seen[order_id].saturating_duration_since(*at));
    let latencies = Latencies::of(latencies.collect());
    let load = load(latencies.len());
    report.add(
        format!("commit → visible, p50, {load}"),
        latencies.percentile(50.0),
        "ms",
        None,
    );
    report.add(
        format!("commit → visible, p99, {load}"),
        latencies.percentile(99.0),
        "ms",
        Some(p99),
    );
    report.add(
        "the start of a purchase that was latest on that timetable",
        late.as_secs_f64() * 1e3,
        "ms",
        None,
    );
}

/// When each paid order was first seen, until all are or nothing new comes.
fn look(client: &Client, total: usize, done: &AtomicBool) -> HashMap<String, Instant> {
    let mut seen = HashMap::with_capacity(total);
    let (mut position, mut news) = (0, Instant::now());
    while seen.len() < total {
        let rows = client.sql(&format!(
            "select order_id, seq from order_changes where change_type = 'order.paid' and seq > {position}"
        ));
        let now = Instant::now();
        for row in &rows {
            position = position.max(row["seq"].as_i64().unwrap());
            seen.entry(row["order_id"].as_str().unwrap().to_owned()).or_insert(now);
        }
        if !rows.is_empty() || !done.load(Ordering::Relaxed) {
            news = now;
        }
        assert!(
            news.elapsed() < Duration::from_secs(30),
            "{} of {total} orders were seen",
            seen.len()
        );
        std::thread::sleep(LOOK_EVERY);
    }
    seen
}
