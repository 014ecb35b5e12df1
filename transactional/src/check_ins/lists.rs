//! Check-in lists: which tickets a door admits, and by which rules.

use super::{attendance, record};
use crate::{
    Error, Result, Source, Stored, Tx, events, rows,
    sql::{self, Columns, binds},
    ticket_types,
};
use domain::{
    CheckInListId, EventId, Label, TicketId, TicketTypeId, Timestamp,
    changes::{CheckInList, ListedType, TicketType},
};
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub struct ListDetails {
    pub name: Label,
    pub reentry: bool,
    pub multi_entry: bool,
    pub include_pending: bool,
    /// Empty: every ticket type of the event.
    pub ticket_types: Vec<TicketTypeId>,
    pub opens_at: Option<Timestamp>,
    pub closes_at: Option<Timestamp>,
    pub min_gap_minutes: Option<i64>,
    pub once_a_day: bool,
    pub alert_at: Option<i64>,
}

/// An event has no more lists than this, so that they are read without paging.
const MOST_LISTS: usize = 100;
/// A year.
const LONGEST_GAP: i64 = 366 * 24 * 60;

pub async fn create_list(tx: &mut Tx, event_id: EventId, details: ListDetails) -> Result<Stored<CheckInList>> {
    let event = events::get(tx, event_id).await?;
    if lists(tx, event_id).await?.len() >= MOST_LISTS {
        return Err(Error::refused(
            "too_many",
            format!("an event has at most {MOST_LISTS} check-in lists"),
        ));
    }
    let record = list_record(tx, CheckInListId::new(), event_id, details).await?;
    tx.create(event.organizer_id, "check_in_list.created", record)
}

pub async fn update_list(tx: &mut Tx, id: CheckInListId, details: ListDetails) -> Result<Stored<CheckInList>> {
    let mut list = get_list(tx, id).await?;
    if details.multi_entry != list.multi_entry {
        // What a conflict is depends on it, for the scans of before as well.
        let message = "whether every entry counts is said when a list is made; make another list";
        return Err(Error::conflict("multi_entry_fixed", message).at("multi_entry"));
    }
    let mut record = list_record(tx, id, list.event_id, details).await?;
    record.emptied_at = list.emptied_at;
    if record.alert_at == list.alert_at {
        record.alerted_at = list.alerted_at;
    }
    if record != list.value {
        list.value = record;
        tx.change("check_in_list.updated", &mut list)?;
    }
    Ok(list)
}

pub async fn get_list(db: &mut impl Source, id: CheckInListId) -> Result<Stored<CheckInList>> {
    rows::get(db, &id).await
}

pub async fn lists(db: &mut impl Source, event_id: EventId) -> Result<Vec<Stored<CheckInList>>> {
    rows::find(db, "t.event_id = $1 order by t.check_in_list_id", binds![event_id]).await
}

/// All who are inside are out. Returns how many that were.
pub async fn empty_list(tx: &mut Tx, id: CheckInListId) -> Result<i64> {
    let mut list = get_list(tx, id).await?;
    let before = attendance::inside(tx, id).await?;
    let now = tx.now();
    (list.emptied_at, list.alerted_at) = (Some(now), None);
    let sql = "insert into emptied_lists (check_in_list_id, emptied_at) values ($1, $2)";
    sql::execute(tx, sql, binds![id, now]).await?;
    let sql = "update attendance set inside = 0 where check_in_list_id = $1";
    sql::execute(tx, sql, binds![id]).await?;
    // A scanner whose clock is ahead has let them in later than now.
    let sql = "select s.ticket_id as ticket_id, t.ticket_type_id as ticket_type_id, s.last_kind as last_kind
               from ticket_list_state s join tickets t on t.ticket_id = s.ticket_id
               where s.check_in_list_id = $1 and s.last_at > $2";
    for row in sql::all(tx, sql, binds![id, now]).await? {
        if row.text("last_kind")? == "entry" {
            record::count(tx, id, row.parse("ticket_type_id")?, "", [0, 0, 0, 1]);
        }
        let ticket_id: TicketId = row.parse("ticket_id")?;
        record::link(tx, &list, ticket_id).await?;
    }
    tx.change("check_in_list.emptied", &mut list)?;
    Ok(before - attendance::inside(tx, id).await?)
}

async fn list_record(tx: &mut Tx, id: CheckInListId, event_id: EventId, details: ListDetails) -> Result<CheckInList> {
    let types: Vec<Stored<TicketType>> = ticket_types::of_event(tx, event_id).await?;
    let known: BTreeSet<TicketTypeId> = types.iter().map(|ticket_type| ticket_type.ticket_type_id).collect();
    let listed: BTreeSet<TicketTypeId> = details.ticket_types.into_iter().collect();
    if !listed.is_subset(&known) {
        return Err(Error::refused("ticket_type_unknown", "this event has no such ticket type").at("ticket_types"));
    }
    let wrong = |field: &str, message: &str| Err(Error::refused("invalid", message).at(field));
    if details
        .opens_at
        .zip(details.closes_at)
        .is_some_and(|(opens, closes)| closes <= opens)
    {
        return wrong("closes_at", "a list closes after it opens");
    }
    if details
        .min_gap_minutes
        .is_some_and(|gap| !(1..=LONGEST_GAP).contains(&gap))
    {
        return wrong("min_gap_minutes", "a gap between entries is one minute to a year");
    }
    if details.alert_at.is_some_and(|alert_at| alert_at < 1) {
        return wrong("alert_at", "an alert is at one person or more");
    }
    Ok(CheckInList {
        check_in_list_id: id,
        event_id,
        name: details.name,
        reentry: details.reentry,
        multi_entry: details.multi_entry,
        include_pending: details.include_pending,
        ticket_types: listed
            .into_iter()
            .map(|ticket_type_id| ListedType { ticket_type_id })
            .collect(),
        opens_at: details.opens_at,
        closes_at: details.closes_at,
        min_gap_minutes: details.min_gap_minutes,
        once_a_day: details.once_a_day,
        alert_at: details.alert_at,
        alerted_at: None,
        emptied_at: None,
    })
}
