//! Redeeming tickets at many doors.

use crate::{
    hot_event::Sold,
    report::{Latencies, Report, at_least, at_most},
};
use serde_json::{Value, json};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tests::{Buyer, Server, Show, iso, now_micros, scan, ticket_type, token};

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

const SHOWS: usize = 2;
/// The largest order that there may be.
const IN_ONE_ORDER: usize = 1_000;
const IN_ONE_UPLOAD: usize = 1_000;

/// Doors without a network the whole evening: all of their scans come at once, and each upload comes twice, since its
/// first answer was lost. A download for such a door is measured beside it.
pub(crate) fn measure_offline(server: &Server, tickets: usize, report: &mut Report) {
    let admin = server.admin();
    let parties: Vec<(Show, Vec<String>)> = (0..SHOWS).map(|_| party(server, tickets / SHOWS)).collect();
    download(server, &parties[0].0, report);
    let began = now_micros() - 4 * 3_600_000_000;
    let scans = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for (show, codes) in &parties {
            // Two doors a show.
            for codes in codes.chunks(codes.len().div_ceil(2)) {
                let scans = &scans;
                scope.spawn(move || {
                    let door = server.bearer(&token(&server.admin(), &show.organizer_id, "door"));
                    for codes in codes.chunks(IN_ONE_UPLOAD) {
                        let upload: Vec<Value> = codes
                            .iter()
                            .map(|code| {
                                let at = began + 1_000 * scans.fetch_add(1, Ordering::Relaxed) as i64;
                                let mut scan = scan(code);
                                (scan["offline"], scan["scanned_at"]) = (json!(true), json!(iso(at)));
                                scan
                            })
                            .collect();
                        let upload = json!({ "scans": upload });
                        for repeated in [false, true] {
                            let path = format!("/v1/check-in-lists/{}/scans", show.check_in_list_id);
                            let answers = door.post(&path, &upload).expect(200);
                            let as_wanted = |answer: &&Value| {
                                answer["verdict"] == "accepted" && answer["repeated"] == json!(repeated)
                            };
                            let answers = answers["answers"].as_array().unwrap();
                            assert_eq!(answers.iter().filter(as_wanted).count(), codes.len());
                        }
                    }
                });
            }
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    for (show, codes) in &parties {
        let path = format!("/v1/check-in-lists/{}/attendance", show.check_in_list_id);
        assert_eq!(admin.get(&path).expect(200)["inside"], codes.len());
    }
    let what = format!("{tickets} scans of 4 offline doors, each uploaded twice, until all are answered");
    report.add(what, seconds, "s", Some(at_most(60.0)));
}

/// A show whose tickets came in large orders, and their codes.
fn party(server: &Server, tickets: usize) -> (Show, Vec<String>) {
    let admin = server.admin();
    let mut show = Show::open(&admin, None, 500);
    let mut kind = ticket_type(&show.pool_id, 500);
    kind["max_per_order"] = json!(IN_ONE_ORDER);
    let kind = admin.post(&show.of_event("ticket-types"), &kind).expect(201);
    show.ticket_type_id = kind["ticket_type_id"].as_str().unwrap().to_owned();
    let buyer = Buyer {
        client: server.public(),
        show: &show,
    };
    let mut codes = Vec::with_capacity(tickets);
    while codes.len() < tickets {
        let purchase = buyer.buy(IN_ONE_ORDER.min(tickets - codes.len()) as i64);
        codes.append(&mut buyer.codes(&purchase));
    }
    (show, codes)
}

fn download(server: &Server, show: &Show, report: &mut Report) {
    let door = server.bearer(&token(&server.admin(), &show.organizer_id, "door"));
    let path = format!("/v1/check-in-lists/{}/download", show.check_in_list_id);
    let (mut bytes, mut attendees, mut cursor) = (0, 0, String::new());
    let started = Instant::now();
    loop {
        let page = door.get(&format!("{path}{cursor}"));
        bytes += page.body.len();
        let page = page.expect(200);
        attendees += page["attendees"].as_array().unwrap().len();
        cursor = format!("?cursor={}", page["cursor"].as_str().unwrap());
        if page["more"] == json!(false) {
            break;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    report.add(
        format!("download of {attendees} tickets for an offline door"),
        seconds,
        "s",
        None,
    );
    report.add("its size", bytes as f64 / 1e6, "MB", None);
    let asked = Instant::now();
    door.get(&format!("{path}{cursor}")).expect(200);
    report.add(
        "the same again, unchanged",
        asked.elapsed().as_secs_f64() * 1e3,
        "ms",
        None,
    );
}
