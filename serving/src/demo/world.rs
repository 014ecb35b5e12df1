//! The world from a seed: organizers, venues, a season of events around now, and the sales so far.

use super::{
    houses::{HOUSES, House, Room},
    sales,
};
use chrono::{DateTime, Days, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use domain::{Currency, Label, Slug, Timestamp, event::EventStatus};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::time::Duration;
use transactional::imports::{ImportItem, ImportedEvent, ImportedOrganizer, ImportedVenue};

/// Events of an organizer, one each ten days or so.
const SEASON: i64 = 20;
const DAYS_BETWEEN: i64 = 10;
/// How many of them lie behind.
const PAST: i64 = 12;

/// One event in this many is cancelled three days before it.
const CANCELLED_ONE_IN: u32 = 40;

/// Today's events, so that there is a door to look at: of which organizer, how long after now it begins, how long it
/// takes. The first is a festival day.
const TONIGHT: [(usize, i64, u64); 3] = [(3, -30, 600), (0, 45, 150), (4, 170, 180)];

const MINUTE: i64 = 60_000_000;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A made-up event with what its sales depend on.
pub(super) struct Show {
    pub(super) house: &'static House,
    pub(super) item: ImportedEvent,
    pub(super) zone: Tz,
    pub(super) capacity: i64,
    /// The part of the capacity that is sold in the end.
    pub(super) demand: f64,
    pub(super) cancelled_at: Option<Timestamp>,
}

/// The items in an order in which they can be imported, sales in the order in which they were made. Everything depends
/// on the two arguments alone.
pub fn world(seed: u64, now: Timestamp) -> impl Iterator<Item = ImportItem> {
    let mut rng = StdRng::seed_from_u64(seed);
    let shows = season(&mut rng, now);
    let mut items = Vec::new();
    for house in HOUSES {
        items.extend(organizer(house, now));
        items.extend(
            house
                .rooms
                .iter()
                .enumerate()
                .filter_map(|(number, room)| venue(house, number, room, now)),
        );
    }
    let orders = sales::history(&mut rng, &shows, now);
    items.extend(shows.into_iter().map(|show| ImportItem::Event(show.item)));
    items.extend(orders.into_iter().map(ImportItem::Order));
    items.into_iter()
}

fn season(rng: &mut StdRng, now: Timestamp) -> Vec<Show> {
    let mut shows = Vec::new();
    for (index, house) in HOUSES.iter().enumerate() {
        let tonight = TONIGHT.iter().find(|(of, _, _)| *of == index);
        for slot in 0..SEASON {
            let show = match tonight {
                Some(&(_, minutes, length)) if slot == PAST => {
                    let quarter = 15 * MINUTE;
                    let at = (now.as_micros() + minutes * MINUTE).div_euclid(quarter) * quarter;
                    show(rng, house, slot, Timestamp::from_micros(at), length, now)
                }
                _ => evening(rng, house, slot, now).and_then(|at| {
                    let length = *[90, 120, 150, 180].choose(rng)?;
                    show(rng, house, slot, at, length, now)
                }),
            };
            shows.extend(show);
        }
    }
    shows
}

/// When the event of a slot begins, in the evening there.
fn evening(rng: &mut StdRng, house: &House, slot: i64, now: Timestamp) -> Option<Timestamp> {
    let zone: Tz = house.timezone.parse().ok()?;
    // The slot around now belongs to tonight, so the others keep a day away.
    let jitter = rng.random_range(1..DAYS_BETWEEN - 1);
    let offset = (slot - PAST) * DAYS_BETWEEN + jitter;
    let today = DateTime::from_timestamp_micros(now.as_micros())?
        .with_timezone(&zone)
        .date_naive();
    let day = match offset {
        0.. => today.checked_add_days(Days::new(offset as u64))?,
        _ => today.checked_sub_days(Days::new(offset.unsigned_abs()))?,
    };
    let quarter = rng.random_range(0..10);
    let time = NaiveTime::from_hms_opt(18, 30, 0)? + Duration::from_secs(quarter * 900);
    local(zone, day.and_time(time))
}

pub(super) fn local(zone: Tz, at: chrono::NaiveDateTime) -> Option<Timestamp> {
    let at = zone.from_local_datetime(&at).earliest()?.with_timezone(&Utc);
    Some(Timestamp::from_micros(at.timestamp_micros()))
}

fn show(
    rng: &mut StdRng,
    house: &'static House,
    slot: i64,
    starts_at: Timestamp,
    minutes: u64,
    now: Timestamp,
) -> Option<Show> {
    let room_number = rng.random_range(0..house.rooms.len());
    let room = &house.rooms[room_number];
    let (title, category) = house.programme[(slot as usize + room_number) % house.programme.len()];
    let ends_at = starts_at + Duration::from_secs(minutes * 60);
    let on_sale_for = DAY * rng.random_range(25..85);
    // Everything that is to come is on sale already.
    let created_at = (starts_at - on_sale_for).min(now - DAY * rng.random_range(2..20));
    let is_over = ends_at <= now;
    let cancelled = is_over && rng.random_ratio(1, CANCELLED_ONE_IN);
    let (lowest, highest, step) = house.prices;
    let capacity = room.capacity * rng.random_range(85..=100) / 100;
    let demand = match rng.random_range(0..100) {
        // More want to come than can.
        0..14 => 1.2,
        14..30 => rng.random_range(0.8..0.98),
        30..80 => rng.random_range(0.4..0.8),
        _ => rng.random_range(0.15..0.4),
    };
    let status = match (cancelled, is_over) {
        (true, _) => EventStatus::Cancelled,
        (false, true) => EventStatus::Ended,
        (false, false) => EventStatus::Published,
    };
    let item = ImportedEvent {
        source: format!("demo:event:{}:{slot}", house.slug),
        organizer: organizer_source(house),
        venue: Some(venue_source(house, room_number)),
        title: title.parse().ok()?,
        description: Some(house.description.to_owned()),
        category: Some(category.to_owned()),
        language: Some(house.language.to_owned()),
        url: None,
        starts_at,
        ends_at,
        timezone: house.timezone.to_owned(),
        currency: currency(house)?,
        status,
        capacity: Some(capacity),
        price_minor: lowest + step * rng.random_range(0..=(highest - lowest) / step),
        created_at,
    };
    let zone = house.timezone.parse().ok()?;
    Some(Show {
        house,
        item,
        zone,
        capacity,
        demand,
        cancelled_at: cancelled.then_some(starts_at - DAY * 3),
    })
}

fn organizer(house: &House, now: Timestamp) -> Option<ImportItem> {
    Some(ImportItem::Organizer(ImportedOrganizer {
        source: organizer_source(house),
        slug: house.slug.parse::<Slug>().ok()?,
        name: house.name.parse::<Label>().ok()?,
        currency: currency(house)?,
        timezone: house.timezone.to_owned(),
        city: Some(house.city.to_owned()),
        country: Some(house.country.to_owned()),
        created_at: founded_at(now),
    }))
}

fn venue(house: &House, number: usize, room: &Room, now: Timestamp) -> Option<ImportItem> {
    Some(ImportItem::Venue(ImportedVenue {
        source: venue_source(house, number),
        organizer: organizer_source(house),
        details: transactional::venues::VenueDetails {
            name: room.name.parse::<Label>().ok()?,
            address: Some(room.address.to_owned()),
            city: Some(house.city.to_owned()),
            country: Some(house.country.to_owned()),
            latitude: Some(room.latitude),
            longitude: Some(room.longitude),
            timezone: Some(house.timezone.to_owned()),
        },
        created_at: founded_at(now),
    }))
}

/// Before the first sale.
fn founded_at(now: Timestamp) -> Timestamp {
    now - DAY * 400
}

fn organizer_source(house: &House) -> String {
    format!("demo:organizer:{}", house.slug)
}

fn venue_source(house: &House, number: usize) -> String {
    format!("demo:venue:{}:{number}", house.slug)
}

fn currency(house: &House) -> Option<Currency> {
    house.currency.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, HashMap, HashSet};
    use transactional::imports::ImportedOrder;

    fn now() -> Timestamp {
        "2026-11-23T16:07:00Z".parse().unwrap()
    }

    struct Parts {
        organizers: usize,
        venues: usize,
        events: Vec<ImportedEvent>,
        orders: Vec<ImportedOrder>,
    }

    fn parts(seed: u64) -> Parts {
        let mut parts = Parts {
            organizers: 0,
            venues: 0,
            events: vec![],
            orders: vec![],
        };
        for item in world(seed, now()) {
            match item {
                ImportItem::Organizer(_) => parts.organizers += 1,
                ImportItem::Venue(_) => parts.venues += 1,
                ImportItem::Event(event) => parts.events.push(event),
                ImportItem::Order(order) => parts.orders.push(order),
            }
        }
        parts
    }

    #[test]
    fn the_same_seed_gives_the_same_world_and_another_one_another() {
        let text = |seed| format!("{:?}", world(seed, now()).collect::<Vec<_>>());
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn the_season_has_its_size_and_doors_are_open_today() {
        for seed in 1..6 {
            let Parts {
                organizers,
                venues,
                events,
                orders,
            } = parts(seed);
            assert_eq!((organizers, venues, events.len()), (6, 15, 120));
            let tickets: i64 = orders.iter().map(|order| order.quantity).sum();
            assert!((15_000..60_000).contains(&tickets), "seed {seed}: {tickets} tickets");
            let open = |event: &&ImportedEvent| event.starts_at < now() + DAY / 6 && event.ends_at > now();
            let open: Vec<_> = events.iter().filter(open).collect();
            assert!((2..=4).contains(&open.len()), "{open:?}");
            for event in open {
                let tickets: i64 = orders
                    .iter()
                    .filter(|o| o.event == event.source)
                    .map(|o| o.quantity)
                    .sum();
                assert!(tickets > 10, "seed {seed}: nobody comes to {:?}", event.title);
            }
            let upcoming = events
                .iter()
                .filter(|event| event.status == EventStatus::Published)
                .count();
            assert!((35..60).contains(&upcoming), "seed {seed}: {upcoming}");
        }
    }

    #[test]
    fn nothing_is_oversold_or_sold_before_its_time_or_after_now() {
        let Parts { events, orders, .. } = parts(7);
        let events: HashMap<&str, &ImportedEvent> = events.iter().map(|event| (event.source.as_str(), event)).collect();
        let (mut sold, mut sources) = (BTreeMap::new(), HashSet::new());
        for order in &orders {
            let event = events[order.event.as_str()];
            assert!(order.placed_at >= event.created_at && order.placed_at < event.ends_at && order.placed_at <= now());
            assert!(
                order.cancelled_at.is_none_or(|at| at > order.placed_at && at <= now()),
                "{order:?}"
            );
            assert!(sources.insert(&order.source), "{}", order.source);
            *sold.entry(&order.event).or_insert(0) += order.quantity;
        }
        let full = sold
            .iter()
            .filter(|(event, sold)| Some(**sold) == events[event.as_str()].capacity)
            .count();
        assert!(
            sold.iter()
                .all(|(event, sold)| Some(*sold) <= events[event.as_str()].capacity)
        );
        assert!((5..40).contains(&full), "{full} are sold out");
        assert!(orders.is_sorted_by_key(|order| order.placed_at));
        let cancelled = orders.iter().filter(|order| order.cancelled_at.is_some()).count();
        assert!(
            cancelled * 100 > orders.len() && cancelled * 8 < orders.len(),
            "{cancelled} of {}",
            orders.len()
        );
    }

    #[test]
    fn sales_have_their_week_their_day_and_their_rush() {
        let Parts { events, orders, .. } = parts(3);
        let starts: HashMap<&str, Timestamp> = events
            .iter()
            .map(|event| (event.source.as_str(), event.starts_at))
            .collect();
        let berlin: Vec<_> = orders.iter().filter(|order| order.event.contains("berlin")).collect();
        let hour = |order: &&&ImportedOrder| {
            use chrono::Timelike;
            let at = DateTime::from_timestamp_micros(order.placed_at.as_micros()).unwrap();
            at.with_timezone(&Tz::Europe__Berlin).hour()
        };
        let night = berlin.iter().filter(|order| (1..6).contains(&hour(order))).count();
        let evening = berlin.iter().filter(|order| (18..23).contains(&hour(order))).count();
        assert!(evening > 4 * night, "{evening} in the evening, {night} at night");
        let last_week = orders
            .iter()
            .filter(|o| starts[o.event.as_str()].since(o.placed_at) < DAY * 7)
            .count();
        assert!(last_week * 5 > orders.len(), "{last_week} of {}", orders.len());
    }
}
