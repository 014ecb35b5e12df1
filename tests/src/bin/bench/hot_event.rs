//! One event, far more buyers than tickets.

use crate::report::{Budget, Report, at_most};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tests::{Buyer, Purchase, Server, Show, order_body};

const CLIENTS: usize = 64;
/// Five buyers a ticket.
const DEMAND: usize = 5;

/// What was sold, for the doors.
pub(crate) struct Sold {
    pub(crate) show: Show,
    pub(crate) purchases: Vec<Purchase>,
}

/// Each buyer holds one ticket, checks out and pays, in three requests on a kept-alive connection, until all are sold;
/// the others are told so. All that is counted was answered, so it is durable.
pub(crate) fn measure(server: &Server, tickets: usize, least: Budget, report: &mut Report) -> Sold {
    let show = Show::open(&server.admin(), Some(tickets as i64), 2_000);
    let buyers = AtomicUsize::new(tickets * DEMAND);
    let purchases: Mutex<Vec<Purchase>> = Mutex::new(Vec::with_capacity(tickets));
    let last_sale: Mutex<Duration> = Mutex::default();
    let started = Instant::now();
    let refused: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let buyer = Buyer {
                        client: server.public(),
                        show: &show,
                    };
                    let (mut bought, mut refused, mut last) = (Vec::new(), 0, Duration::ZERO);
                    while take_one(&buyers) {
                        match buy(&buyer) {
                            Some(purchase) => {
                                bought.push(purchase);
                                last = started.elapsed();
                            }
                            None => refused += 1,
                        }
                    }
                    purchases.lock().unwrap().append(&mut bought);
                    let mut last_sale = last_sale.lock().unwrap();
                    *last_sale = last_sale.max(last);
                    refused
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    let all = started.elapsed().as_secs_f64();
    let (purchases, sold_out) = (
        purchases.into_inner().unwrap(),
        last_sale.into_inner().unwrap().as_secs_f64(),
    );
    let rate = purchases.len() as f64 / sold_out;
    report.add(
        format!("purchases, one hot event, {CLIENTS} clients over HTTP"),
        rate,
        "/s",
        Some(least),
    );
    report.add(
        format!("{tickets} tickets, {} buyers: sold out after", tickets * DEMAND),
        sold_out,
        "s",
        Some(at_most(20.0)),
    );
    report.add("the same, until every buyer has an answer", all, "s", None);
    let pool = &server.admin().get(&show.of_event("pools")).expect(200)[0];
    let sold = pool["sold"].as_i64().unwrap() as f64;
    report.add("oversold", (sold - tickets as f64).max(0.0), "", Some(at_most(0.0)));
    let accounted = purchases.len() as f64 - sold + pool["held"].as_i64().unwrap() as f64;
    report.add(
        "holds that nobody can account for",
        accounted.abs(),
        "",
        Some(at_most(0.0)),
    );
    assert_eq!(purchases.len() + refused, tickets * DEMAND);
    Sold { show, purchases }
}

fn take_one(from: &AtomicUsize) -> bool {
    from.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
        .is_ok()
}

fn buy(buyer: &Buyer<'_>) -> Option<Purchase> {
    let hold = buyer.client.post("/v1/holds", &buyer.show.hold_body(1));
    if hold.status != 201 {
        hold.problem(422, "sold_out");
        return None;
    }
    let order = buyer
        .client
        .post("/v1/orders", &order_body(&hold.json(), "test_manual"))
        .expect(201);
    let purchase = Purchase::of(&order);
    buyer.pay(&purchase).expect(200);
    Some(purchase)
}
