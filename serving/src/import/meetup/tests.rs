use super::*;
use crate::import::tests::{real, today};
use domain::event::EventStatus;
use std::fs;

/// A folder with one group and one venue, and the RSVPs and events given.
fn folder(rsvps: &str, events: Option<&str>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |file: &str, header: &str, rows: &str| {
        fs::write(dir.path().join(file), format!("{header}\n{rows}")).unwrap();
    };
    write(
        "groups.csv",
        "id,name,urlname,created",
        "5,Hikers,Hikers-Missoula,1249738648000\n",
    );
    write(
        "venues.csv",
        "id,name,city,address_1,address_2,lat,lon",
        "7,\"Caras, Park\",Missoula,1 Road,a@b.cd,46.8,-113.9\n",
    );
    write(
        "rsvps.csv",
        "rsvp_id,event_id,member_id,guests,response,created,mtime",
        rsvps,
    );
    if let Some(events) = events {
        write(
            "events.csv",
            "id,name,time,utc_offset,group_id,venue_id,status,description",
            events,
        );
    }
    dir
}

#[derive(Debug, Default, PartialEq)]
struct Counts {
    organizers: usize,
    venues: usize,
    events: usize,
    paid: usize,
    paid_tickets: i64,
    cancelled: usize,
    cancelled_tickets: i64,
}

fn count(items: &[ImportItem]) -> Counts {
    let mut counts = Counts::default();
    for item in items {
        match item {
            ImportItem::Organizer(_) => counts.organizers += 1,
            ImportItem::Venue(_) => counts.venues += 1,
            ImportItem::Event(_) => counts.events += 1,
            ImportItem::Order(order) if order.cancelled_at.is_none() => {
                counts.paid += 1;
                counts.paid_tickets += order.quantity;
            }
            ImportItem::Order(order) => {
                counts.cancelled += 1;
                counts.cancelled_tickets += order.quantity;
            }
        }
    }
    counts
}

/// Everything stands after what it refers to, and no source twice.
fn assert_in_order(items: &[ImportItem]) {
    let mut seen: HashSet<&str> = HashSet::new();
    for item in items {
        let (source, needs): (&String, Vec<&String>) = match item {
            ImportItem::Organizer(organizer) => (&organizer.source, vec![]),
            ImportItem::Venue(venue) => (&venue.source, vec![&venue.organizer]),
            ImportItem::Event(event) => (
                &event.source,
                [&event.organizer].into_iter().chain(&event.venue).collect(),
            ),
            ImportItem::Order(order) => (&order.source, vec![&order.event]),
        };
        for need in needs {
            assert!(seen.contains(need.as_str()), "{source} needs {need}");
        }
        assert!(seen.insert(source), "{source} twice");
    }
}

#[test]
fn an_answer_is_an_order_a_cancelled_order_or_none() {
    let rsvps = "1,e1,m1,2,yes,1358540068000,1359144519000\n\
                 -1,e1,m2,0,no,1358540068000,1359144519000\n\
                 -1,e1,m3,0,no,1358540068000,1358540068000\n\
                 3,e1,m4,0,no,1285819236000,1285819233000\n\
                 4,e1,m5,0,waitlist,1358540068000,1359144519000\n";
    let event = "e1,Walk,1359800000000,-25200000,5,7,past,<p>A <b>walk</b></p>\n";
    let dir = folder(rsvps, Some(event));
    let imported = read(dir.path(), today()).unwrap();
    let orders: Vec<(&str, i64, Option<i64>)> = imported
        .items
        .iter()
        .filter_map(|item| match item {
            ImportItem::Order(order) => Some((
                order.source.as_str(),
                order.quantity,
                order.cancelled_at.map(Timestamp::as_millis),
            )),
            _ => None,
        })
        .collect();
    assert_eq!(
        orders,
        [
            ("meetup:rsvp:e1:m1", 3, None),
            ("meetup:rsvp:e1:m2", 1, Some(1_359_144_519_000))
        ]
    );
    assert_eq!(imported.report.rows("a \"no\" from the start, which is no order"), 2);
    assert_eq!(imported.report.rows("a place on a waiting list, which is no order"), 1);
    let [_, ImportItem::Venue(venue), ImportItem::Event(event), ..] = &imported.items[..] else {
        panic!("{:?}", imported.items);
    };
    assert_eq!(event.description.as_deref(), Some("A walk"));
    assert_eq!(
        (event.timezone.as_str(), event.status),
        ("America/Denver", EventStatus::Ended)
    );
    assert_eq!(event.venue.as_ref(), Some(&venue.source));
    assert_eq!(
        event.created_at.as_millis(),
        1_285_819_236_000,
        "the first answer is the first sign"
    );
    assert_eq!(
        venue.details.address.as_deref(),
        Some("1 Road"),
        "a mail address is no part of an address"
    );
}

#[test]
fn garbage_among_the_rows_is_counted_and_named() {
    let rsvps = "1,e1,m1,-3,yes,1358540068000,1358540068000\n\
                 2,e1,m2,0,perhaps,1358540068000,1358540068000\n\
                 3,e1,m3,0,yes,-5,1358540068000\n\
                 4,e1,m4,99999999999999999999,yes,1358540068000,1358540068000\n\
                 5,e1,,0,yes,1358540068000,1358540068000\n\
                 6,gone,m6,0,yes,1358540068000,1358540068000\n\
                 7,e1,m7,0,yes,1358540068000,1358540068000\n\
                 8,e1,m7,5,yes,1358540069000,1358540069000\n";
    let event = "e1,Walk,1359800000000,-25200000,5,999,past,\n\
                 e1,Walk,1359800000000,-25200000,5,999,past,\n\
                 e2,Lost,1359800000000,-25200000,6,7,past,\n\
                 e3,,1359800000000,-25200000,5,7,past,\n\
                 e4,Never,0,-25200000,5,7,past,\n";
    let dir = folder(rsvps, Some(event));
    let imported = read(dir.path(), today()).unwrap();
    let counts = count(&imported.items);
    assert_eq!(
        (counts.events, counts.venues, counts.paid, counts.paid_tickets),
        (1, 0, 1, 1)
    );
    let report = &imported.report;
    assert_eq!(report.rows("an RSVP that can't be true"), 4);
    assert_eq!(
        report.left_out["an RSVP that can't be true"].first[0],
        "rsvps.csv:2: -3 guests"
    );
    assert_eq!(report.rows("a row that can't be read"), 1);
    for once in [
        "an RSVP to an unknown event",
        "an RSVP that was told before",
        "an event that was told before",
        "an event of an unknown group",
        "an event without a title",
        "an event at an impossible time",
    ] {
        assert_eq!(report.rows(once), 1, "{once}\n{report}");
    }
}

#[test]
fn without_event_rows_the_answers_tell_when_an_event_was() {
    let rsvps = "1,100,m1,0,yes,1143214740000,1197836175000\n\
                 2,100,m2,0,no,1143214750000,1197836175000\n\
                 3,fxmptlyvjbqb,m1,0,yes,1463965188000,1463965188000\n";
    let dir = folder(rsvps, None);
    let imported = read(dir.path(), today()).unwrap();
    assert_in_order(&imported.items);
    let events: Vec<(String, String)> = imported
        .items
        .iter()
        .filter_map(|item| match item {
            ImportItem::Event(event) => Some((event.title.to_string(), event.starts_at.to_string())),
            _ => None,
        })
        .collect();
    let expected = [
        // Not the day of 2007 on which Meetup changed all its rows.
        ("Meetup event 100", "2006-03-24T15:39:10.000000Z"),
        // Six o'clock in the evening in Missoula, on the day that the id tells.
        ("Meetup event fxmptlyvjbqb", "2016-06-13T00:00:00.000000Z"),
    ];
    assert_eq!(events, expected.map(|(title, at)| (title.to_owned(), at.to_owned())));
}

#[test]
fn a_folder_without_its_files_is_an_error_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let error = read(dir.path(), today()).unwrap_err();
    assert!(format!("{error:#}").contains("rsvps.csv can't be read"), "{error:#}");
}

#[test]
fn montana_gives_every_yes_and_every_cancellation() {
    let Some(dir) = real("meetup-montana") else { return };
    let imported = read(&dir, today()).unwrap();
    assert_in_order(&imported.items);
    let expected = Counts {
        organizers: 13,
        venues: 276,
        events: 1_391,
        paid: 7_616,
        paid_tickets: 8_045,
        cancelled: 680,
        cancelled_tickets: 682,
    };
    assert_eq!(count(&imported.items), expected, "{}", imported.report);
    assert_eq!(
        imported.report.rows("a \"no\" from the start, which is no order"),
        2_120
    );
    assert_eq!(imported.report.rows("an event that was told before"), 5);
    assert_eq!(imported.report.rows("a venue that was told before"), 15);
    assert_eq!(imported.report.left_out.len(), 3, "{}", imported.report);
}

#[test]
fn houston_gives_every_yes_and_every_cancellation() {
    let Some(dir) = real("meetup-houston") else { return };
    let imported = read(&dir, today()).unwrap();
    assert_in_order(&imported.items);
    let expected = Counts {
        organizers: 65,
        venues: 598,
        events: 3_434,
        paid: 28_505,
        paid_tickets: 40_872,
        cancelled: 5_679,
        cancelled_tickets: 5_695,
    };
    assert_eq!(count(&imported.items), expected, "{}", imported.report);
    assert_eq!(
        imported.report.rows("a \"no\" from the start, which is no order"),
        8_442
    );
    assert_eq!(
        imported.report.rows("a place on a waiting list, which is no order"),
        121
    );
}

#[test]
fn the_day_in_a_recurring_events_id_is_right_96_times_of_100() {
    let Some(dir) = real("meetup-montana") else { return };
    let imported = read(&dir, today()).unwrap();
    let (mut told, mut right) = (0, 0);
    for item in &imported.items {
        let ImportItem::Event(event) = item else { continue };
        let Some(day) = series::day(&event.source) else {
            continue;
        };
        told += 1;
        let start = chrono::DateTime::from_timestamp_millis(event.starts_at.as_millis()).unwrap();
        right += usize::from(start.with_timezone(&chrono_tz::Tz::America__Denver).date_naive() == day);
    }
    assert_eq!(told, 809);
    assert!(right * 100 >= told * 96, "{right} of {told}");
}
