//! What events are called: by their titles, and with their days where an organizer has several of one title.

use super::{
    columns::{PanelData, Row},
    panel::{Asking, objects},
};
use chrono::{Datelike, NaiveDate};
use domain::EventId;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// So many are looked up; a page with more names has them by their titles alone.
const MOST: usize = 1_000;

/// What an event can be called.
#[derive(Debug, PartialEq)]
pub(super) struct EventName {
    pub(super) with_day: String,
    /// There is another one with the same title.
    pub(super) is_one_of_several: bool,
}

impl Asking {
    /// Of those among these ids that can be seen. What can't be had is left out: the figures matter more.
    pub(super) async fn event_names(&self, ids: &BTreeSet<String>) -> BTreeMap<String, EventName> {
        // Ids of events, and nothing else that stands in an address.
        let ids = ids.iter().filter_map(|id| id.parse::<EventId>().ok()).take(MOST);
        let ids: Vec<String> = ids.map(|id| format!("'{id}'")).collect();
        if ids.is_empty() {
            return BTreeMap::new();
        }
        let sql = format!(
            "with known as (select event_id, title, local_time(starts_at, timezone) as starts_at, \
             count(*) over (partition by organizer_id, title) as alike, \
             count(*) over (partition by organizer_id, title, starts_on) as on_one_day from staging.stg_events) \
             select * from known where cast(event_id as varchar) in ({})",
            ids.join(", ")
        );
        let found = async { objects(self.session_sql(&sql).await?).await };
        let rows = found.await.unwrap_or_default();
        rows.iter().filter_map(|row| named(row, self.today())).collect()
    }

    /// Where rows have an event's title beside its id, the title becomes a name that no other event has.
    pub(super) async fn name_events(&self, panels: &mut [PanelData]) {
        // Who goes on by the title needs it as it is.
        let goes_on_by_title = |data: &&mut PanelData| data.drill.as_ref().is_some_and(|drill| drill.by == "title");
        let panels = panels.iter_mut().filter(|data| !goes_on_by_title(data));
        let mut rows: Vec<&mut Row> = panels.flat_map(|data| &mut data.rows).collect();
        rows.retain(|row| row.contains_key("title"));
        let ids: BTreeSet<String> = rows.iter().filter_map(|row| id_of(row)).map(str::to_owned).collect();
        let names = self.event_names(&ids).await;
        for row in rows {
            let name = id_of(row).and_then(|id| names.get(id));
            if let Some(name) = name.filter(|name| name.is_one_of_several) {
                row.insert("title".to_owned(), name.with_day.clone().into());
            }
        }
    }
}

/// `Late Quartet, 19 Nov`; the year where it is another one.
pub(super) fn with_day(title: &str, at: &str, today: NaiveDate) -> Option<String> {
    let day: NaiveDate = at.get(..10)?.parse().ok()?;
    let how = if day.year() == today.year() {
        "%-d %b"
    } else {
        "%-d %b %Y"
    };
    Some(format!("{title}, {}", day.format(how)))
}

fn id_of(row: &Row) -> Option<&str> {
    row.get("event_id").and_then(Value::as_str)
}

fn named(row: &Row, today: NaiveDate) -> Option<(String, EventName)> {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let several = |name: &str| row.get(name).and_then(Value::as_i64).is_some_and(|count| count > 1);
    let at = text("starts_at")?;
    let mut with_day = with_day(text("title")?, at, today)?;
    if let Some(time) = at.get(11..16).filter(|_| several("on_one_day")) {
        with_day = format!("{with_day}, {time}");
    }
    let name = EventName {
        with_day,
        is_one_of_several: several("alike"),
    };
    Some((id_of(row)?.to_owned(), name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_told_from_others_by_its_day_and_on_one_day_by_its_time() {
        let today = "2026-03-04".parse().unwrap();
        let name = |at: &str, alike: i64, on_one_day: i64| {
            let row = json!({
                "event_id": "e", "title": "Late Quartet", "starts_at": at, "alike": alike, "on_one_day": on_one_day,
            });
            let (_, name) = named(row.as_object().unwrap(), today).unwrap();
            (name.with_day, name.is_one_of_several)
        };
        assert_eq!(
            name("2026-11-19T20:00:00", 1, 1),
            ("Late Quartet, 19 Nov".to_owned(), false)
        );
        assert_eq!(
            name("2027-01-02T20:00:00", 2, 1),
            ("Late Quartet, 2 Jan 2027".to_owned(), true)
        );
        assert_eq!(
            name("2026-11-19T18:30:00", 3, 2),
            ("Late Quartet, 19 Nov, 18:30".to_owned(), true)
        );
        assert_eq!(named(json!({ "event_id": "e" }).as_object().unwrap(), today), None);
    }
}
