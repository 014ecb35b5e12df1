//! A season of a platform: organizers, events of very different sizes, and how many order lines each sells a day.

use super::chance::{Chance, Id, mix};

pub(super) const DAY: i64 = 86_400_000_000;
pub(super) const SECOND: i64 = 1_000_000;

/// 2025-11-01, the first day, as days since 1970.
pub(super) const FIRST_DAY: i64 = 20_393;
/// A season is a year.
pub(super) const DAYS: i64 = 365;

/// (currency, time zone, about what a ticket costs)
const PLACES: [(&str, &str, i64); 7] = [
    ("EUR", "Europe/Vienna", 3_200),
    ("EUR", "Europe/Berlin", 2_800),
    ("USD", "America/New_York", 4_500),
    ("GBP", "Europe/London", 2_900),
    ("USD", "America/Denver", 3_100),
    ("JPY", "Asia/Tokyo", 4_800),
    ("PLN", "Europe/Warsaw", 9_000),
];
const CATEGORIES: [&str; 6] = ["concert", "theatre", "talk", "festival", "comedy", "film"];
const TYPES: [&str; 4] = ["Standard", "Reduced", "Front row", "Supporter"];

/// Of a hundred purchases and visits, so many in each hour of the day.
const HOURS: [u8; 24] = [2, 1, 1, 0, 0, 0, 1, 2, 3, 5, 6, 6, 7, 5, 5, 5, 5, 6, 7, 9, 10, 7, 4, 3];

pub(super) struct Season {
    pub(super) seed: u64,
    pub(super) organizers: Vec<Organizer>,
    pub(super) events: Vec<Event>,
}

pub(super) struct Organizer {
    pub(super) id: Id,
    pub(super) currency: &'static str,
    pub(super) timezone: &'static str,
    /// People who may buy here.
    pub(super) people: usize,
}

pub(super) struct Event {
    pub(super) id: Id,
    pub(super) organizer: usize,
    pub(super) category: &'static str,
    pub(super) starts_at: i64,
    /// Days since 1970.
    pub(super) on_sale: i64,
    pub(super) day: i64,
    pub(super) types: Vec<TicketType>,
    pub(super) codes: [Id; 2],
    pub(super) list: Id,
    /// Somebody scans tickets there.
    pub(super) has_doors: bool,
    /// Lines sold before the end of each day from `on_sale` on.
    sold: Vec<u64>,
}

pub(super) struct TicketType {
    pub(super) id: Id,
    pub(super) name: &'static str,
    pub(super) unit_minor: i64,
}

impl Season {
    pub(super) fn new(seed: u64, lines: u64) -> Self {
        let mut chance = Chance::of(seed, 1);
        let mut organizers: Vec<Organizer> = (0..40)
            .map(|n: u64| {
                let (currency, timezone, _) = PLACES[n as usize % PLACES.len()];
                let id = Id::at(FIRST_DAY * DAY - DAY, mix(seed, 100 + n));
                Organizer {
                    id,
                    currency,
                    timezone,
                    people: 0,
                }
            })
            .collect();
        organizers.sort_by_key(|organizer| organizer.id);
        let mut events: Vec<Event> = (0..(lines / 2_500).max(80))
            .map(|n| Event::new(seed, n, organizers.len(), &mut chance))
            .collect();
        // The first few sell as much as thousands of others.
        let weights = (0..events.len()).map(|rank| (rank as f64 + 10.0).powf(-0.9));
        let weights: Vec<f64> = weights
            .zip(&events)
            .map(|(weight, event)| weight * event.within())
            .collect();
        let all: f64 = weights.iter().sum();
        let (mut before, mut given) = (0.0, 0);
        for (event, weight) in events.iter_mut().zip(weights) {
            before += weight;
            let up_to = (lines as f64 * before / all).round() as u64;
            event.sell(up_to - given);
            organizers[event.organizer].people += (up_to - given) as usize / 4 + 20;
            given = up_to;
        }
        Self {
            seed,
            organizers,
            events,
        }
    }

    /// The events that sell on a day, and how many lines.
    pub(super) fn sales_on(&self, day: i64) -> impl Iterator<Item = (usize, u64)> {
        let events = self.events.iter().enumerate();
        events
            .map(move |(place, event)| (place, event.lines_on(day)))
            .filter(|(_, lines)| *lines > 0)
    }

    pub(super) fn person(&self, organizer: usize, chance: &mut Chance) -> Id {
        let place = chance.skewed(self.organizers[organizer].people, 1.6) as u64;
        Id::at(FIRST_DAY * DAY, mix(self.seed, mix(organizer as u64, place)))
    }
}

impl Event {
    fn new(seed: u64, n: u64, organizers: usize, chance: &mut Chance) -> Self {
        let id = |what: u64| Id::at(FIRST_DAY * DAY, mix(seed, mix(1_000 + what, n)));
        let organizer = chance.skewed(organizers, 2.0);
        let day = FIRST_DAY + 10 + chance.below(DAYS as u64 + 60) as i64;
        let on_sale = (day - 20 - chance.below(100) as i64).max(FIRST_DAY);
        let about = PLACES[organizer % PLACES.len()].2;
        let types = (0..1 + chance.below(4)).map(|place| TicketType {
            id: id(10 + place),
            name: TYPES[place as usize],
            unit_minor: about * (60 + chance.below(20) as i64 * 10) / 100,
        });
        Self {
            id: id(0),
            organizer,
            types: types.collect(),
            category: chance.one_of(&CATEGORIES),
            starts_at: day * DAY + (15 + chance.below(7) as i64) * 3_600 * SECOND,
            on_sale,
            day,
            codes: [id(1), id(2)],
            list: id(3),
            has_doors: chance.percent(50),
            sold: Vec::new(),
        }
    }

    /// A rush at first, then steady, then a rush before the event.
    fn pace(&self, day: i64) -> f64 {
        if day < self.on_sale || day > self.day || day >= FIRST_DAY + DAYS {
            return 0.0;
        }
        let (since, left) = ((day - self.on_sale) as f64, (self.day - day) as f64);
        12.0 * (-since / 2.5).exp() + 1.0 + 5.0 * (-left / 5.0).exp()
    }

    fn span(&self) -> std::ops::RangeInclusive<i64> {
        self.on_sale..=self.day
    }

    /// The part of its sales that falls into the season.
    fn within(&self) -> f64 {
        self.span().map(|day| self.pace(day)).sum::<f64>() / self.span().count() as f64
    }

    fn sell(&mut self, lines: u64) {
        let all: f64 = self.span().map(|day| self.pace(day)).sum();
        let mut before = 0.0;
        let sold = self.span().map(|day| {
            before += self.pace(day);
            (lines as f64 * before / all.max(f64::MIN_POSITIVE)).round() as u64
        });
        self.sold = sold.collect();
    }

    pub(super) fn is_over(&self) -> bool {
        self.day < FIRST_DAY + DAYS
    }

    /// All that it sells in the season.
    pub(super) fn lines(&self) -> u64 {
        self.sold.last().copied().unwrap_or(0)
    }

    fn lines_on(&self, day: i64) -> u64 {
        let place = day - self.on_sale;
        let up_to = |place: i64| {
            usize::try_from(place)
                .ok()
                .and_then(|place| self.sold.get(place))
                .copied()
        };
        up_to(place).map_or(0, |sold| sold - up_to(place - 1).unwrap_or(0))
    }
}

/// A moment of a day.
pub(super) fn moment(day: i64, chance: &mut Chance) -> i64 {
    let mut place = chance.below(100) as u8;
    let mut hour = 0;
    while place >= HOURS[hour] {
        place -= HOURS[hour];
        hour += 1;
    }
    day * DAY + (hour as i64 * 3_600 + chance.below(3_600) as i64) * SECOND + chance.below(1_000_000) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_season_sells_as_many_lines_as_were_asked_for_and_in_the_same_way_again() {
        let season = Season::new(1, 50_000);
        let days = FIRST_DAY..FIRST_DAY + DAYS;
        let sold: u64 = days
            .map(|day| season.sales_on(day).map(|(_, lines)| lines).sum::<u64>())
            .sum();
        assert_eq!(sold, 50_000);
        assert_eq!(HOURS.iter().map(|hour| u32::from(*hour)).sum::<u32>(), 100);
        assert!(Season::new(1, 50_000).events[7].id == season.events[7].id);
        assert!(Season::new(2, 50_000).events[7].id != season.events[7].id);
    }
}
