//! The R-Ladies archive: `chapters.json`, and `events_<year>.json` with events of more than 200 chapters in many languages.
//! It tells how many people answered, but not who or when, so it gives a catalogue without orders.

use super::{
    Imported, Report, language,
    meetup::{USUAL_LENGTH, currency, event_source},
    plausible, status, text,
};
use anyhow::{Context, Result, bail};
use domain::{Label, Slug, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{
    collections::{BTreeMap, HashSet, btree_map::Entry},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use transactional::{
    imports::{ImportItem, ImportedEvent, ImportedOrganizer, ImportedVenue},
    venues::VenueDetails,
};

pub(crate) fn read(dir: &Path, now: Timestamp) -> Result<Imported> {
    let mut archive = Archive::default();
    for (place, row) in rows(&dir.join("chapters.json"), &mut archive.report)? {
        archive.chapter(&place, row);
    }
    for file in event_files(dir)? {
        for (place, row) in rows(&file, &mut archive.report)? {
            archive.event(&place, row, now)?;
        }
    }
    archive.finish()
}

#[derive(Default)]
struct Archive {
    /// By the name in their address.
    groups: BTreeMap<String, Group>,
    /// By source.
    venues: BTreeMap<String, ImportedVenue>,
    events: Vec<ImportItem>,
    seen: HashSet<String>,
    answers: u64,
    report: Report,
}

struct Group {
    name: Label,
    city: Option<String>,
    country: Option<String>,
    timezone: String,
    created_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChapterRow {
    name: String,
    urlname: String,
    city: String,
    country: String,
    timezone: String,
    founded_date: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventRow {
    id: String,
    title: String,
    description: String,
    status: String,
    date_time: String,
    duration: String,
    event_url: String,
    rsvps: AnswerCounts,
    venues: Vec<VenueRow>,
    group: GroupRow,
    created_time: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerCounts {
    yes_count: u64,
}

#[derive(Deserialize)]
struct GroupRow {
    name: String,
    urlname: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VenueRow {
    id: String,
    name: String,
    address: String,
    city: String,
    country: String,
    lat: f64,
    lon: f64,
    venue_type: String,
}

impl Archive {
    fn chapter(&mut self, place: &str, row: ChapterRow) {
        let (Some(name), Some(created_at)) = (Label::nearest(&row.name), time(&row.founded_date)) else {
            return self
                .report
                .leave_out("a chapter without a name or a day of foundation", place);
        };
        let timezone = match row.timezone.parse::<chrono_tz::Tz>() {
            Ok(zone) => zone.to_string(),
            Err(_) => {
                self.report
                    .leave_out("a time zone that nobody knows (UTC instead)", place);
                "UTC".to_owned()
            }
        };
        let group = Group {
            name,
            city: text::some(&row.city),
            country: country(&row.country),
            timezone,
            created_at,
        };
        if self.groups.insert(row.urlname, group).is_some() {
            self.report.leave_out("a chapter that was told before", place);
        }
    }

    fn event(&mut self, place: &str, row: EventRow, now: Timestamp) -> Result<()> {
        let (starts_at, created_at) = match (time(&row.date_time), time(&row.created_time)) {
            (Some(starts_at), Some(created_at)) => (starts_at, created_at.min(starts_at)),
            _ => {
                self.report.leave_out("an event at an impossible time", place);
                return Ok(());
            }
        };
        let (Some(title), Some(group_name)) = (Label::nearest(&row.title), Label::nearest(&row.group.name)) else {
            self.report.leave_out("an event without a title or a group", place);
            return Ok(());
        };
        if !self.seen.insert(row.id.clone()) {
            self.report.leave_out("an event that was told before", place);
            return Ok(());
        }
        self.answers += row.rsvps.yes_count;
        let timezone = self.timezone_of(&row.group.urlname, group_name, created_at);
        let ends_at = starts_at + length(&row.duration).unwrap_or(USUAL_LENGTH);
        let description = text::plain(&row.description);
        let venue = self.venue_of(&row, created_at);
        self.events.push(ImportItem::Event(ImportedEvent {
            source: event_source(&row.id),
            organizer: group_source(&row.group.urlname),
            venue,
            status: status(row.status == "CANCELLED", ends_at, now),
            language: language::of(title.as_str(), description.as_deref()).map(str::to_owned),
            title,
            description,
            category: None,
            url: text::some(&row.event_url).filter(|url| url.starts_with("https://")),
            starts_at,
            ends_at,
            timezone,
            currency: currency()?,
            capacity: None,
            price_minor: 0,
            created_at,
        }));
        Ok(())
    }

    /// Some groups have no chapter any more: of them we know what their events tell.
    fn timezone_of(&mut self, urlname: &str, name: Label, created_at: Timestamp) -> String {
        let group = self.groups.entry(urlname.to_owned()).or_insert_with(|| Group {
            name,
            city: None,
            country: None,
            timezone: "UTC".to_owned(),
            created_at,
        });
        group.created_at = group.created_at.min(created_at);
        group.timezone.clone()
    }

    /// The place where people meet, if they do not meet online alone.
    fn venue_of(&mut self, row: &EventRow, created_at: Timestamp) -> Option<String> {
        let venue = row.venues.iter().find(|venue| venue.venue_type != "online")?;
        let organizer = group_source(&row.group.urlname);
        let source = format!("{organizer}:venue:{}", venue.id);
        if let Entry::Vacant(vacant) = self.venues.entry(source.clone()) {
            let details = details(venue)?;
            vacant.insert(ImportedVenue {
                source: source.clone(),
                organizer,
                details,
                created_at,
            });
        }
        Some(source)
    }

    fn finish(mut self) -> Result<Imported> {
        self.report.note(format!(
            "no orders: the archive only counts the {} people who said yes",
            self.answers
        ));
        self.report
            .note("two hours for events that tell no length, and free entry in USD: the archive tells no price");
        let mut items = Vec::new();
        for (urlname, group) in self.groups {
            items.push(ImportItem::Organizer(ImportedOrganizer {
                source: group_source(&urlname),
                slug: Slug::nearest(&urlname).with_context(|| format!("the group {urlname:?} has no name"))?,
                name: group.name,
                currency: currency()?,
                timezone: group.timezone,
                city: group.city,
                country: group.country,
                created_at: group.created_at,
            }));
        }
        items.extend(self.venues.into_values().map(ImportItem::Venue));
        items.extend(self.events);
        Ok(Imported {
            items,
            report: self.report,
        })
    }
}

/// The entries of a JSON array, each with its place. An entry that doesn't fit is left out.
fn rows<T: DeserializeOwned>(path: &Path, report: &mut Report) -> Result<Vec<(String, T)>> {
    let text = fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
    let entries: Vec<&RawValue> =
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON array", path.display()))?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let mut rows = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let place = format!("{file}, entry {}", index + 1);
        match serde_json::from_str(entry.get()) {
            Ok(row) => rows.push((place, row)),
            Err(error) => report.leave_out("an entry that can't be read", format!("{place}: {error}")),
        }
    }
    Ok(rows)
}

fn event_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("{} can't be read", dir.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("events_") && name.ends_with(".json") {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!(
            "{} holds no events_<year>.json: is it the R-Ladies archive?",
            dir.display()
        );
    }
    files.sort();
    Ok(files)
}

fn details(venue: &VenueRow) -> Option<VenueDetails> {
    let on_earth = venue.lat.abs() <= 90.0 && venue.lon.abs() <= 180.0 && (venue.lat, venue.lon) != (0.0, 0.0);
    Some(VenueDetails {
        name: Label::nearest(&venue.name)?,
        address: text::some(&venue.address),
        city: text::some(&venue.city),
        country: country(&venue.country),
        latitude: on_earth.then_some(venue.lat),
        longitude: on_earth.then_some(venue.lon),
        timezone: None,
    })
}

fn group_source(urlname: &str) -> String {
    format!("rladies:group:{urlname}")
}

/// ISO 3166 in capital letters, however it was written.
fn country(code: &str) -> Option<String> {
    let two = code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic());
    two.then(|| code.to_ascii_uppercase())
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().and_then(plausible)
}

/// An ISO 8601 duration of days, hours, minutes and seconds. None if it is none, or nothing.
fn length(text: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    let mut digits = String::new();
    for c in text.strip_prefix('P')?.chars() {
        let unit = match c {
            '0'..='9' => {
                digits.push(c);
                continue;
            }
            'T' if digits.is_empty() => continue,
            'D' => 86_400,
            'H' => 3_600,
            'M' => 60,
            'S' => 1,
            _ => return None,
        };
        seconds = digits.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(seconds)?;
        digits.clear();
    }
    // A year is longer than any event, and adding it to a time can't go wrong.
    (digits.is_empty() && (1..=366 * 86_400).contains(&seconds)).then_some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::tests::{real, today};
    use domain::event::EventStatus;

    #[test]
    fn iso_durations_are_read_and_nothing_else() {
        assert_eq!(length("PT1H30M"), Some(Duration::from_secs(5_400)));
        assert_eq!(length("P1DT2H"), Some(Duration::from_secs(93_600)));
        for none in [
            "",
            "PT0S",
            "PT",
            "1H",
            "PT1.5H",
            "PT1H30",
            "P1Y",
            "PT99999999999999999999H",
            "PT18446744073709551615H",
        ] {
            assert_eq!(length(none), None, "{none}");
        }
    }

    #[test]
    fn a_bad_entry_is_left_out_and_the_others_come() {
        let dir = tempfile::tempdir().unwrap();
        let good = r#"{"id":"1","title":"Tidy","description":"","status":"PAST","dateTime":"2021-12-29T19:00:00-05:00",
            "duration":"PT0S","eventUrl":"javascript:alert(1)","rsvps":{"yesCount":3,"waitlistCount":0,"totalCount":3},
            "venues":[],"group":{"name":"R-Ladies X","urlname":"muhq_deleted@1@x"},"createdTime":"2022-04-25T00:46:35-04:00"}"#;
        fs::write(dir.path().join("chapters.json"), "[]").unwrap();
        fs::write(
            dir.path().join("events_2021.json"),
            format!("[{{\"id\":7}}, {good}, {good}]"),
        )
        .unwrap();
        let imported = read(dir.path(), today()).unwrap();
        assert_eq!(imported.report.rows("an entry that can't be read"), 1);
        assert_eq!(imported.report.rows("an event that was told before"), 1);
        let [ImportItem::Organizer(organizer), ImportItem::Event(event)] = &imported.items[..] else {
            panic!("{:?}", imported.items);
        };
        assert_eq!(organizer.slug.as_str(), "muhq-deleted-1-x");
        assert_eq!(event.ends_at, event.starts_at + USUAL_LENGTH);
        assert_eq!((event.url.as_deref(), event.created_at), (None, event.starts_at));
    }

    #[test]
    fn a_folder_with_something_else_is_an_error_that_says_so() {
        let dir = tempfile::tempdir().unwrap();
        assert!(format!("{:#}", read(dir.path(), today()).unwrap_err()).contains("chapters.json"));
        fs::write(dir.path().join("chapters.json"), "[]").unwrap();
        assert!(
            read(dir.path(), today())
                .unwrap_err()
                .to_string()
                .contains("events_<year>.json")
        );
        fs::write(dir.path().join("events_2021.json"), "\u{feff}garbage").unwrap();
        assert!(
            read(dir.path(), today())
                .unwrap_err()
                .to_string()
                .contains("events_2021.json")
        );
    }

    #[test]
    fn the_archive_gives_its_catalogue_in_many_languages() {
        let Some(dir) = real("rladies") else { return };
        let imported = read(&dir, today()).unwrap();
        let (mut organizers, mut venues, mut events, mut cancelled, mut held) = (0, 0, 0, 0, 0);
        let mut languages: BTreeMap<String, usize> = BTreeMap::new();
        for item in &imported.items {
            match item {
                ImportItem::Organizer(_) => organizers += 1,
                ImportItem::Venue(_) => venues += 1,
                ImportItem::Event(event) => {
                    events += 1;
                    cancelled += usize::from(event.status == EventStatus::Cancelled);
                    held += usize::from(event.venue.is_some());
                    *languages.entry(event.language.clone().unwrap_or_default()).or_default() += 1;
                }
                ImportItem::Order(_) => panic!("the archive has no orders"),
            }
        }
        assert_eq!(
            (organizers, venues, events, cancelled, held),
            (262, 1_363, 5_227, 223, 2_724)
        );
        assert!(imported.report.left_out.is_empty(), "{}", imported.report);
        assert!(
            languages["en"] > 3_000 && languages["es"] > 1_000 && languages["pt"] > 200,
            "{languages:?}"
        );
        assert!(languages.len() > 15 && languages[""] < 250, "{languages:?}");
    }
}
