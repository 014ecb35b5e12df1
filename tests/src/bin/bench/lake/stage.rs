//! What was there before anything was sold: organizers, events, ticket types, promo codes, check-in lists. And, when an
//! event is over, that it is.

use super::{
    chance::mix,
    sales::Told,
    season::{DAY, Event, FIRST_DAY, SECOND, Season},
};

/// Everything that is set up before the first sale.
pub(super) fn set_up(season: &Season) -> Vec<Told> {
    let mut told = Vec::new();
    for (place, organizer) in season.organizers.iter().enumerate() {
        let payload = format!(
            r#"{{"id":"{}","slug":"organizer-{place}","name":"Organizer {place}","currency":"{}","timezone":"{}","platform_fee_bps":250,"created_at":{}}}"#,
            organizer.id,
            organizer.currency,
            organizer.timezone,
            FIRST_DAY * DAY,
        );
        told.push(at_first(place, "organizer.created", organizer.id, 1, payload));
    }
    for (place, event) in season.events.iter().enumerate() {
        let organizer = event.organizer;
        let of_event = |change_type, id, payload| at_first(organizer, change_type, id, 1, payload);
        told.push(of_event("event.published", event.id, state(season, place, "published")));
        for ticket_type in &event.types {
            let payload = format!(
                r#"{{"ticket_type_id":"{}","event_id":"{}","name":"{}","hidden":false,"min_per_order":1,"max_per_order":10,"pools":[],"prices":[]}}"#,
                ticket_type.id, event.id, ticket_type.name,
            );
            told.push(of_event("ticket_type.created", ticket_type.id, payload));
        }
        for (code, name) in event.codes.into_iter().zip(["FRIENDS", "PRESS"]) {
            let payload = format!(
                r#"{{"promo_code_id":"{code}","event_id":"{}","code":"{name}","kind":"percent","value":1000,"buy_quantity":0,"free_quantity":0,"ticket_types":[],"pool_id":"{code}","for_audience":false,"active":true}}"#,
                event.id,
            );
            told.push(of_event("promo_code.created", code, payload));
        }
        let payload = format!(
            r#"{{"check_in_list_id":"{}","event_id":"{}","name":"Doors","reentry":false,"multi_entry":false,"include_pending":false,"ticket_types":[],"once_a_day":false}}"#,
            event.list, event.id,
        );
        told.push(of_event("check_in_list.created", event.list, payload));
    }
    told
}

/// The events that ended the day before.
pub(super) fn ended(season: &Season, day: i64) -> Vec<Told> {
    let over = |(_, event): &(usize, &Event)| event.day == day - 1;
    let events = season.events.iter().enumerate().filter(over);
    let told = events.map(|(place, event)| Told {
        at: day * DAY + SECOND,
        version: 2,
        ..at_first(
            event.organizer,
            "event.ended",
            event.id,
            2,
            state(season, place, "ended"),
        )
    });
    told.collect()
}

fn at_first(organizer: usize, change_type: &'static str, id: super::chance::Id, version: i64, payload: String) -> Told {
    Told {
        at: FIRST_DAY * DAY,
        organizer,
        change_type,
        id,
        version,
        actor: "staff",
        request: mix(organizer as u64, 11),
        payload,
    }
}

fn state(season: &Season, place: usize, status: &str) -> String {
    let event = &season.events[place];
    let organizer = &season.organizers[event.organizer];
    format!(
        r#"{{"event_id":"{}","title":"Event {place}","category":"{}","status":"{status}","starts_at":{},"ends_at":{},"timezone":"{}","currency":"{}","charges":[],"pay_at_door":false,"approval_required":false}}"#,
        event.id,
        event.category,
        event.starts_at,
        event.starts_at + 3 * 3_600 * SECOND,
        organizer.timezone,
        organizer.currency,
    )
}
