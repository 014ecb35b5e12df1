//! Redeeming tickets at many doors.

use crate::{
    hot_event::Sold,
    report::{Latencies, Report, at_least, at_most},
};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tests::{Buyer, Server, scan, token};

const DOORS: usize = 32;

/// Every ticket once, each scan with a nonce of its own, by door tokens on kept-alive connections.
pub(crate) fn measure(server: &Server, sold: Sold, report: &mut Report) {
    let door_token = token(&server.admin(), &sold.show.organizer_id, "door");
    let codes = codes(server, &sold);
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..DOORS {
            scope.spawn(|| {
                let door = server.bearer(&door_token);
                let mut latencies: Vec<Duration> = Vec::new();
                while let Some(code) = codes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let scan = scan(code);
                    let asked = Instant::now();
                    let verdict = door.post(&sold.show.redeem_path(), &scan);
                    latencies.push(asked.elapsed());
                    assert_eq!(verdict.expect(200)["verdict"], "accepted");
                }
                all.lock().unwrap().append(&mut latencies);
            });
        }
    });
    let rate = codes.len() as f64 / started.elapsed().as_secs_f64();
    let latencies = Latencies::of(all.into_inner().unwrap());
    report.add(
        format!("redeems, {DOORS} doors over HTTP"),
        rate,
        "/s",
        Some(at_least(2_500.0)),
    );
    report.add("redeem, p50", latencies.percentile(50.0), "ms", None);
    report.add("redeem, p99", latencies.percentile(99.0), "ms", Some(at_most(50.0)));
}

fn codes(server: &Server, sold: &Sold) -> Vec<String> {
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let buyer = Buyer {
                    client: server.public(),
                    show: &sold.show,
                };
                while let Some(purchase) = sold.purchases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut codes = buyer.codes(purchase);
                    all.lock().unwrap().append(&mut codes);
                }
            });
        }
    });
    all.into_inner().unwrap()
}
