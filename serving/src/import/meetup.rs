//! A folder of CSV files as the Meetup API of 2016 gave them: `groups`, `venues`, `rsvps`, and, in one of the two public
//! data sets, `events`. Where there are no event rows, the events are made from what the RSVPs tell.
//!
//! A "yes" is an order of one ticket for the member and one for each guest, placed when the RSVP was created. A "no" that
//! was changed after it was created is an order that was cancelled then: the export keeps only the last answer, and
//! nobody takes back what they never said. A "no" from the start and a place on the waiting list are no orders.

mod answers;
mod places;

use self::{answers::Answers, places::Places};
use super::{Imported, Report, language, moment, plausible, series, status, table, text};
use anyhow::{Context, Result};
use chrono::NaiveDate;
use domain::{Currency, Label, Slug, Timestamp};
use serde::Deserialize;
use std::{
    collections::{HashMap, HashSet},
    path::Path,
    time::Duration,
};
use transactional::imports::{ImportItem, ImportedEvent, ImportedOrganizer};

/// How long an event lasts where nobody says so: half of the events of which it is known last two hours.
pub(super) const USUAL_LENGTH: Duration = Duration::from_secs(2 * 3600);

/// When a recurring event of which only the day is known begins, in local time.
const EVENING: u32 = 18;

/// The organizer of events whose group nobody tells.
const UNKNOWN_GROUP: &str = "meetup:group:unknown";

pub(crate) fn read(dir: &Path, now: Timestamp) -> Result<Imported> {
    let mut report = Report::default();
    let answers = Answers::read(dir, &mut report)?;
    let places = Places::read(dir, &mut report)?;
    report.note(format!(
        "the time zone {} and the country, from where the venues lie",
        places.timezone
    ));
    report.note("two hours for every event, and free entry in USD: the export tells neither length nor price");
    let mut groups = groups(dir, &mut report)?;
    let events = match dir.join("events.csv").is_file() {
        true => told_events(dir, &groups, &answers, &places, now, &mut report)?,
        false => {
            groups.insert(0, unknown_group(&places, &answers)?);
            guessed_events(&answers, &places, now, &mut report)?
        }
    };
    let mut items = organizers(&groups, &places)?;
    items.extend(places.venues(&events));
    let known: HashSet<String> = events.iter().map(|event| event.id.clone()).collect();
    items.extend(events.into_iter().map(|event| ImportItem::Event(event.item)));
    items.extend(answers.orders(&known, &mut report));
    Ok(Imported { items, report })
}

struct Group {
    source: String,
    id: String,
    name: Label,
    slug: Slug,
    urlname: String,
    created_at: Timestamp,
}

/// An event, with Meetup's own ids.
struct Event {
    id: String,
    venue_id: Option<String>,
    item: ImportedEvent,
}

#[derive(Deserialize)]
struct GroupRow {
    id: String,
    name: String,
    urlname: String,
    created: i64,
}

fn groups(dir: &Path, report: &mut Report) -> Result<Vec<Group>> {
    let mut seen = HashSet::new();
    let mut groups = Vec::new();
    for (place, row) in table::rows::<GroupRow>(dir, "groups.csv", &["id", "name", "urlname", "created"], report)? {
        let (Some(name), Some(slug)) = (Label::nearest(&row.name), Slug::nearest(&row.urlname)) else {
            report.leave_out("a group without a name", place);
            continue;
        };
        match moment(row.created) {
            Err(error) => report.leave_out("a group at an impossible time", format!("{place}: {error}")),
            Ok(_) if !seen.insert(row.id.clone()) => report.leave_out("a group that was told before", place),
            Ok(created_at) => groups.push(Group {
                source: group_source(&row.id),
                id: row.id,
                name,
                slug,
                urlname: row.urlname,
                created_at,
            }),
        }
    }
    Ok(groups)
}

fn unknown_group(places: &Places, answers: &Answers) -> Result<Group> {
    let city = places.city.as_deref().unwrap_or("elsewhere");
    let name = format!("Meetup in {city}, group unknown");
    Ok(Group {
        source: format!("{UNKNOWN_GROUP}:{city}"),
        id: String::new(),
        slug: Slug::nearest(&name).context("a slug")?,
        name: Label::nearest(&name).context("a name")?,
        urlname: String::new(),
        created_at: answers.first().unwrap_or(super::EARLIEST),
    })
}

fn organizers(groups: &[Group], places: &Places) -> Result<Vec<ImportItem>> {
    let currency = currency()?;
    Ok(groups
        .iter()
        .map(|group| {
            ImportItem::Organizer(ImportedOrganizer {
                source: group.source.clone(),
                slug: group.slug.clone(),
                name: group.name.clone(),
                currency,
                timezone: places.timezone.to_string(),
                city: None,
                country: places.country.map(str::to_owned),
                created_at: group.created_at,
            })
        })
        .collect())
}

#[derive(Deserialize)]
struct EventRow {
    id: String,
    name: String,
    time: i64,
    group_id: String,
    venue_id: String,
    status: String,
    description: String,
}

fn told_events(
    dir: &Path,
    groups: &[Group],
    answers: &Answers,
    places: &Places,
    now: Timestamp,
    report: &mut Report,
) -> Result<Vec<Event>> {
    let columns = ["id", "name", "time", "group_id", "venue_id", "status", "description"];
    let groups: HashMap<&str, &Group> = groups.iter().map(|group| (group.id.as_str(), group)).collect();
    let mut seen = HashSet::new();
    let mut events = Vec::new();
    for (place, row) in table::rows::<EventRow>(dir, "events.csv", &columns, report)? {
        let Some(group) = groups.get(row.group_id.as_str()) else {
            report.leave_out("an event of an unknown group", place);
            continue;
        };
        let (title, starts_at) = match (Label::nearest(&row.name), moment(row.time)) {
            (Some(title), Ok(starts_at)) => (title, starts_at),
            (None, _) => {
                report.leave_out("an event without a title", place);
                continue;
            }
            (_, Err(error)) => {
                report.leave_out("an event at an impossible time", format!("{place}: {error}"));
                continue;
            }
        };
        if !seen.insert(row.id.clone()) {
            report.leave_out("an event that was told before", place);
            continue;
        }
        events.push(told_event(row, title, starts_at, group, answers, places, now)?);
    }
    Ok(events)
}

fn told_event(
    row: EventRow,
    title: Label,
    starts_at: Timestamp,
    group: &Group,
    answers: &Answers,
    places: &Places,
    now: Timestamp,
) -> Result<Event> {
    let ends_at = starts_at + USUAL_LENGTH;
    let venue_id = places.knows(&row.venue_id).then_some(row.venue_id);
    let description = text::from_html(&row.description);
    let item = ImportedEvent {
        source: event_source(&row.id),
        organizer: group.source.clone(),
        venue: venue_id.as_deref().map(|venue| places::source(&group.source, venue)),
        status: status(row.status == "cancelled", ends_at, now),
        language: language::of(title.as_str(), description.as_deref()).map(str::to_owned),
        title,
        description,
        category: None,
        url: Some(format!("https://www.meetup.com/{}/events/{}/", group.urlname, row.id)),
        starts_at,
        ends_at,
        timezone: places.timezone.to_string(),
        currency: currency()?,
        capacity: None,
        price_minor: 0,
        // The first answer is the first sign of it.
        created_at: answers.of(&row.id).map_or(starts_at, |sign| sign.first.min(starts_at)),
    };
    Ok(Event {
        id: row.id,
        venue_id,
        item,
    })
}

/// Events of which nothing is known but their answers. Members answer up to the last hours: where both are known, the
/// middle event begins seven hours after its last answer. An event of a series tells its day in its id.
fn guessed_events(answers: &Answers, places: &Places, now: Timestamp, report: &mut Report) -> Result<Vec<Event>> {
    let organizer = unknown_group(places, answers)?.source;
    let mut events = Vec::new();
    let mut by_series = 0;
    for (id, sign) in answers.events() {
        let day = series::day(id).and_then(|day| evening(day, places.timezone));
        by_series += usize::from(day.is_some());
        let starts_at = day.unwrap_or(sign.last);
        let ends_at = starts_at + USUAL_LENGTH;
        let item = ImportedEvent {
            source: event_source(id),
            organizer: organizer.clone(),
            venue: None,
            status: status(false, ends_at, now),
            title: Label::nearest(&format!("Meetup event {id}")).context("a title")?,
            description: None,
            category: None,
            language: None,
            url: None,
            starts_at,
            ends_at,
            timezone: places.timezone.to_string(),
            currency: currency()?,
            capacity: None,
            price_minor: 0,
            created_at: sign.first.min(starts_at),
        };
        events.push(Event {
            id: id.to_owned(),
            venue_id: None,
            item,
        });
    }
    report.note(format!(
        "{} events, for the folder has no event rows: no RSVP tells its group or venue, so one organizer has them all",
        events.len()
    ));
    report.note(format!(
        "{by_series} of them in the evening of the day that the id of a series tells, {} when the last RSVP was made",
        events.len() - by_series
    ));
    Ok(events)
}

fn evening(day: NaiveDate, zone: chrono_tz::Tz) -> Option<Timestamp> {
    let local = day.and_hms_opt(EVENING, 0, 0)?.and_local_timezone(zone).earliest()?;
    plausible(Timestamp::from_micros(local.timestamp_micros()))
}

fn group_source(id: &str) -> String {
    format!("meetup:group:{id}")
}

pub(super) fn event_source(id: &str) -> String {
    format!("meetup:event:{id}")
}

/// Meetup's own. No money moved, so it says nothing about the members' countries.
pub(super) fn currency() -> Result<Currency> {
    "USD".parse().context("a currency")
}

#[cfg(test)]
mod tests;
