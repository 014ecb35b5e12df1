//! Venues, and what they tell of the folder: its city, country and time zone.

use super::super::{Report, table, text};
use super::Event;
use anyhow::Result;
use chrono_tz::Tz;
use domain::{Label, Timestamp};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};
use transactional::{
    imports::{ImportItem, ImportedVenue},
    venues::VenueDetails,
};

pub(super) struct Places {
    /// In the order of the ids.
    venues: BTreeMap<String, VenueDetails>,
    pub(super) timezone: Tz,
    pub(super) country: Option<&'static str>,
    /// Where most venues are.
    pub(super) city: Option<String>,
}

/// The western edge of each zone of the mainland of the United States, roughly. Montana and Texas are far from the edges
/// that matter.
const ZONES: &[(f64, Tz)] = &[
    (-85.0, Tz::America__New_York),
    (-102.0, Tz::America__Chicago),
    (-115.0, Tz::America__Denver),
    (-125.0, Tz::America__Los_Angeles),
];

#[derive(Deserialize)]
struct Row {
    id: String,
    name: String,
    city: String,
    address_1: String,
    address_2: String,
    lat: f64,
    lon: f64,
}

impl Places {
    pub(super) fn read(dir: &Path, report: &mut Report) -> Result<Self> {
        let columns = ["id", "name", "city", "address_1", "address_2", "lat", "lon"];
        let mut venues = BTreeMap::new();
        for (place, row) in table::rows::<Row>(dir, "venues.csv", &columns, report)? {
            if venues.contains_key(&row.id) {
                report.leave_out("a venue that was told before", place);
                continue;
            }
            match details(&row) {
                Some(details) => drop(venues.insert(row.id, details)),
                None => report.leave_out("a venue without a name", place),
            }
        }
        let zone = zone(&venues);
        let country = zone.map(|_| "US");
        for venue in venues.values_mut() {
            venue.country = country.map(str::to_owned);
            venue.timezone = zone.map(|zone| zone.to_string());
        }
        Ok(Self {
            city: commonest_city(&venues),
            venues,
            timezone: zone.unwrap_or(Tz::UTC),
            country,
        })
    }

    pub(super) fn knows(&self, venue_id: &str) -> bool {
        self.venues.contains_key(venue_id)
    }

    /// A venue belongs to an organizer here, so one where two groups meet is told twice. Venues without an event belong to
    /// the organizer of unknown group, if there is one: no other folder has any.
    pub(super) fn venues(&self, events: &[Event]) -> Vec<ImportItem> {
        // An organizer has a venue from its first event there.
        let mut pairs: BTreeMap<(&str, &str), Timestamp> = BTreeMap::new();
        for event in events {
            if let Some(venue_id) = &event.venue_id {
                let since = pairs
                    .entry((&event.item.organizer, venue_id))
                    .or_insert(event.item.created_at);
                *since = event.item.created_at.min(*since);
            }
        }
        let of_unknown = |event: &&Event| event.item.organizer.starts_with(super::UNKNOWN_GROUP);
        if let Some(first) = events
            .iter()
            .filter(of_unknown)
            .min_by_key(|event| event.item.created_at)
        {
            let all = self
                .venues
                .keys()
                .map(|id| ((first.item.organizer.as_str(), id.as_str()), first.item.created_at));
            pairs.extend(all);
        }
        let item = |((organizer, venue_id), created_at): ((&str, &str), Timestamp)| {
            ImportItem::Venue(ImportedVenue {
                source: source(organizer, venue_id),
                organizer: organizer.to_owned(),
                details: self.venues[venue_id].clone(),
                created_at,
            })
        };
        pairs.into_iter().map(item).collect()
    }
}

pub(super) fn source(organizer: &str, venue_id: &str) -> String {
    format!("{organizer}:venue:{venue_id}")
}

fn details(row: &Row) -> Option<VenueDetails> {
    let on_earth = row.lat.abs() <= 90.0 && row.lon.abs() <= 180.0 && (row.lat, row.lon) != (0.0, 0.0);
    // Somebody wrote a mail address here. It is no part of an address, and personal data does not belong to a venue.
    let lines = [&row.address_1, &row.address_2]
        .into_iter()
        .filter_map(|line| text::some(line));
    let address = lines.filter(|line| !line.contains('@')).collect::<Vec<_>>().join(", ");
    Some(VenueDetails {
        name: Label::nearest(&row.name)?,
        address: text::some(&address),
        city: text::some(&row.city),
        country: None,
        latitude: on_earth.then_some(row.lat),
        longitude: on_earth.then_some(row.lon),
        timezone: None,
    })
}

/// The zone of the middle venue.
fn zone(venues: &BTreeMap<String, VenueDetails>) -> Option<Tz> {
    let mut longitudes: Vec<f64> = venues
        .values()
        .filter(|venue| venue.latitude.is_some_and(|latitude| (25.0..49.5).contains(&latitude)))
        .filter_map(|venue| venue.longitude)
        .collect();
    longitudes.sort_by(f64::total_cmp);
    let middle = *longitudes.get(longitudes.len() / 2)?;
    let (_, zone) = ZONES.iter().find(|(west, _)| middle < -60.0 && middle >= *west)?;
    Some(*zone)
}

fn commonest_city(venues: &BTreeMap<String, VenueDetails>) -> Option<String> {
    let mut cities: HashMap<&str, usize> = HashMap::new();
    for city in venues.values().filter_map(|venue| venue.city.as_deref()) {
        *cities.entry(city).or_default() += 1;
    }
    let most = cities
        .into_iter()
        .max_by_key(|(city, count)| (*count, std::cmp::Reverse(*city)));
    most.map(|(city, _)| city.to_owned())
}
