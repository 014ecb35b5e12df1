//! When people bought: a burst when sales open, a rush in the last days, and between them the rhythm of week and day.

use super::world::{Show, local};
use chrono::{DateTime, Datelike, NaiveTime};
use domain::Timestamp;
use rand::{RngExt, rngs::StdRng};
use std::time::Duration;
use transactional::imports::{ImportedOrder, ImportedPerson};

/// How many people know a house.
const AUDIENCE: usize = 2_400;

/// How often people buy on each day of the week, from Monday on, and in each hour of the day.
const WEEK: [f64; 7] = [0.85, 0.8, 0.85, 0.95, 1.0, 0.7, 0.75];
const HOURS: [u32; 24] = [
    3, 1, 1, 1, 1, 2, 4, 8, 12, 16, 18, 18, 20, 18, 16, 16, 17, 20, 24, 30, 34, 30, 20, 9,
];

/// Tickets in an order, each as often as its place here says of 100.
const QUANTITIES: [(u32, i64); 6] = [(26, 1), (74, 2), (84, 3), (95, 4), (98, 5), (100, 6)];

/// A thousandth part of the orders that are cancelled later.
const CANCELLED: u32 = 35;

/// All orders up to now, in the order in which they were placed.
pub(super) fn history(rng: &mut StdRng, shows: &[Show], now: Timestamp) -> Vec<ImportedOrder> {
    let mut orders: Vec<ImportedOrder> = shows.iter().flat_map(|show| of_show(rng, show, now)).collect();
    orders.sort_by_key(|order| order.placed_at);
    orders
}

fn of_show(rng: &mut StdRng, show: &Show, now: Timestamp) -> Vec<ImportedOrder> {
    let wanted = (show.capacity as f64 * show.demand) as i64;
    let until = show.cancelled_at.unwrap_or(show.item.starts_at);
    // The moments of all orders, also of those to come, so that an event sells the faster the nearer it is.
    let mut moments = Vec::new();
    let mut tickets = 0;
    while tickets < wanted {
        let quantity = quantity(rng);
        tickets += quantity;
        if let Some(at) = moment(rng, show, show.item.starts_at) {
            moments.push((at, quantity));
        }
    }
    moments.sort();
    let mut left = show.capacity;
    let mut orders = Vec::new();
    for (number, (placed_at, quantity)) in moments.into_iter().enumerate() {
        if placed_at >= until.min(now) || left == 0 {
            break;
        }
        let quantity = quantity.min(left);
        left -= quantity;
        orders.push(order(rng, show, number, quantity, placed_at, now));
    }
    orders
}

fn order(
    rng: &mut StdRng,
    show: &Show,
    number: usize,
    quantity: i64,
    placed_at: Timestamp,
    now: Timestamp,
) -> ImportedOrder {
    // Some come often, most once: the square prefers low numbers.
    let share: f64 = rng.random();
    let person = (share * share * AUDIENCE as f64) as usize;
    let (name, email) = show.house.person(person);
    let until_start = show.item.starts_at.since(placed_at);
    let regret = rng
        .random_ratio(CANCELLED, 1_000)
        .then(|| placed_at + until_start.mul_f64(rng.random_range(0.05..1.0)));
    let cancelled_at = [regret, show.cancelled_at].into_iter().flatten().min();
    ImportedOrder {
        source: format!("{}:order:{number}", show.item.source),
        event: show.item.source.clone(),
        person: ImportedPerson {
            source: format!("demo:person:{}:{person}", show.house.slug),
            email: email.parse().ok(),
            name: Some(name),
        },
        quantity,
        placed_at,
        cancelled_at: cancelled_at.filter(|at| *at > placed_at && *at <= now),
    }
}

pub(super) fn quantity(rng: &mut StdRng) -> i64 {
    let lot = rng.random_range(0..100);
    QUANTITIES
        .iter()
        .find(|(up_to, _)| lot < *up_to)
        .map_or(2, |(_, quantity)| *quantity)
}

/// A moment at which somebody buys. None if none is found: the span is too short for the rhythm.
fn moment(rng: &mut StdRng, show: &Show, until: Timestamp) -> Option<Timestamp> {
    let from = show.item.created_at;
    let span = until.since(from);
    for _ in 0..20 {
        let at = match rng.random_range(0..100) {
            // The burst keeps its hour: people wait for it.
            0..20 => from + exponential(rng, Duration::from_secs(14 * 3600)),
            20..58 => {
                let before = exponential(rng, Duration::from_secs(4 * 24 * 3600));
                in_the_rhythm(rng, show, until - before)?
            }
            _ => {
                let after = span.mul_f64(rng.random());
                in_the_rhythm(rng, show, from + after)?
            }
        };
        if (from..until).contains(&at) && rng.random_bool(WEEK[weekday(show, at)?]) {
            return Some(at);
        }
    }
    None
}

/// The same day at an hour at which people buy.
fn in_the_rhythm(rng: &mut StdRng, show: &Show, at: Timestamp) -> Option<Timestamp> {
    let day = DateTime::from_timestamp_micros(at.as_micros())?
        .with_timezone(&show.zone)
        .date_naive();
    let mut lot = rng.random_range(0..HOURS.iter().sum());
    let mut hour = 0;
    while lot >= HOURS[hour] {
        lot -= HOURS[hour];
        hour += 1;
    }
    let time = NaiveTime::from_hms_milli_opt(
        hour as u32,
        rng.random_range(0..60),
        rng.random_range(0..60),
        rng.random_range(0..1_000),
    )?;
    // An hour that daylight saving leaves out is no hour.
    local(show.zone, day.and_time(time)).or(Some(at))
}

fn weekday(show: &Show, at: Timestamp) -> Option<usize> {
    let day = DateTime::from_timestamp_micros(at.as_micros())?
        .with_timezone(&show.zone)
        .weekday();
    Some(day.num_days_from_monday() as usize)
}

/// Waiting times of things that happen independently of each other.
pub(super) fn exponential(rng: &mut StdRng, mean: Duration) -> Duration {
    let share: f64 = rng.random_range(0.001..1.0);
    mean.mul_f64(-share.ln())
}
