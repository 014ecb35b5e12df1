//! What a scanner needs to judge without a network, and then only what is new.
//!
//! A download has the list with its rules, the event, its types, its public keys, the tickets whose code is not the
//! first or that may not enter, what the list has seen of each ticket, and who comes with a ticket, in boxes that only
//! the ticket's own code opens ([`domain::attendee`]). Ids of tickets stand in it in the clear, people do not.
//!
//! Boxes and what was seen come page by page, in the order in which they changed: a cursor names the last that a
//! scanner has of each. A scanner keeps the cursor of its last page and goes on from there whenever it is online. A new
//! key makes new boxes of all tickets, and the cursor notices.

use super::door;
use crate::{
    Error, Result, Source, Store, Stored, events,
    sql::{self, Columns, binds},
    ticket_keys::NumberedKey,
    ticket_types,
};
use domain::{
    CheckInListId, Invalid, TicketId, Timestamp,
    attendee::{self, Attendee},
    changes::{CheckInList, Event, TicketType},
    check_in::{Due, Seen},
    ticket_code::Claim,
};
use std::{fmt, str::FromStr, sync::Arc};

#[derive(Debug)]
pub struct Download {
    pub list: Stored<CheckInList>,
    pub event: Stored<Event>,
    /// Number and public key of each that still verifies.
    pub keys: Vec<(u8, [u8; 32])>,
    pub ticket_types: Vec<Stored<TicketType>>,
    /// All of them, on the last page; None on those before.
    pub revocations: Option<Vec<Revocation>>,
    /// Label and box.
    pub attendees: Vec<(String, String)>,
    pub seen: Vec<SeenTicket>,
    pub cursor: DownloadCursor,
    /// Whether there is more after the cursor already.
    pub more: bool,
}

/// A ticket of which its code alone tells too little.
#[derive(Clone, Debug, PartialEq)]
pub struct Revocation {
    pub ticket_id: TicketId,
    /// Codes of other versions are revoked. A ticket that is not in this list has version 1.
    pub code_version: i64,
    pub cancelled: bool,
    pub blocked: bool,
    pub due: Due,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SeenTicket {
    pub ticket_id: TicketId,
    pub seen: Seen,
}

/// The place up to which a scanner has everything. Its text is nobody's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadCursor {
    keys: usize,
    attendees: Place,
    seen: Place,
}

type Place = (Timestamp, String);

/// Signing and sealing a page takes some tenths of a second at this size.
const PAGE: i64 = 5_000;

pub async fn download(store: &Store, id: CheckInListId, after: Option<DownloadCursor>) -> Result<Download> {
    let mut db = store.read().await?;
    let list = super::get_list(&mut db, id).await?;
    let event = events::get(&mut db, list.event_id).await?;
    let ticket_types = ticket_types::of_event(&mut db, list.event_id).await?;
    let keys = store.keys_of(list.event_id).await?;
    let start = || (Timestamp::from_micros(-1), String::new());
    let mut cursor = after.unwrap_or_else(|| DownloadCursor {
        keys: keys.len(),
        attendees: start(),
        seen: start(),
    });
    if cursor.keys != keys.len() {
        (cursor.keys, cursor.attendees) = (keys.len(), start());
    }
    let expected = expected(&mut db, &list, &mut cursor).await?;
    let seen = seen(&mut db, id, &mut cursor).await?;
    let more = [expected.len(), seen.len()].contains(&(PAGE as usize));
    let revocations = match more {
        true => None,
        false => Some(revocations(&mut db, &list).await?),
    };
    drop(db);
    let public = |key: &NumberedKey| (key.number, key.key.public().to_bytes());
    Ok(Download {
        keys: keys.iter().filter(|key| !key.revoked()).map(public).collect(),
        attendees: boxes(keys, expected).await?,
        list,
        event,
        ticket_types,
        revocations,
        seen,
        cursor,
        more,
    })
}

struct ExpectedTicket {
    ticket_id: TicketId,
    code_version: u16,
    coded_at: Timestamp,
    attendee: Attendee,
}

async fn expected(
    db: &mut impl Source,
    list: &CheckInList,
    cursor: &mut DownloadCursor,
) -> Result<Vec<ExpectedTicket>> {
    let sql = "select t.ticket_id as ticket_id, t.coded_at as coded_at, t.boxed_at as boxed_at, t.ticket_type_id as ticket_type_id,
                   t.code_version as code_version, p.name as name
               from tickets t left join people p on p.person_id = t.person_id
               where t.event_id = $1 and (t.boxed_at, t.ticket_id) > ($2, $3) and t.status = 'valid'
               order by t.boxed_at, t.ticket_id limit $4";
    let (at, after) = &cursor.attendees;
    let rows = sql::all(db, sql, binds![list.event_id, at, after, PAGE]).await?;
    let mut expected = Vec::with_capacity(rows.len());
    for row in &rows {
        let ticket = ExpectedTicket {
            ticket_id: row.parse("ticket_id")?,
            code_version: u16::try_from(row.int("code_version")?).map_err(|_| Error::not_found("ticket"))?,
            coded_at: row.time("coded_at")?,
            attendee: Attendee {
                ticket_type_id: row.parse("ticket_type_id")?,
                name: row.maybe_text("name")?,
            },
        };
        cursor.attendees = (row.time("boxed_at")?, ticket.ticket_id.to_string());
        expected.push(ticket);
    }
    Ok(expected)
}

/// A box for each code that a ticket may show: its version, signed by any key that was in use since.
async fn boxes(keys: Arc<Vec<NumberedKey>>, expected: Vec<ExpectedTicket>) -> Result<Vec<(String, String)>> {
    let seal = move || {
        let mut boxes = Vec::with_capacity(expected.len());
        for ticket in &expected {
            for key in keys.iter().filter(|key| key.may_have_signed(ticket.coded_at)) {
                let code = key.key.sign(Claim {
                    ticket_id: ticket.ticket_id,
                    code_version: ticket.code_version,
                    key_number: key.number,
                });
                boxes.push((attendee::label(&code), attendee::seal(&code, &ticket.attendee)?));
            }
        }
        Ok(boxes)
    };
    tokio::task::spawn_blocking(seal).await.map_err(|_| Error::Panicked)?
}

async fn seen(db: &mut impl Source, id: CheckInListId, cursor: &mut DownloadCursor) -> Result<Vec<SeenTicket>> {
    let sql = "select ticket_id, changed_at, entries, last_at, last_kind, first_at, first_gate, entered_at
               from ticket_list_state
               where check_in_list_id = $1 and (changed_at, ticket_id) > ($2, $3)
               order by changed_at, ticket_id limit $4";
    let (at, after) = &cursor.seen;
    let rows = sql::all(db, sql, binds![id, at, after, PAGE]).await?;
    if let Some(row) = rows.last() {
        cursor.seen = (row.time("changed_at")?, row.text("ticket_id")?);
    }
    let read = |row| {
        Ok(SeenTicket {
            ticket_id: Columns::parse(row, "ticket_id")?,
            seen: door::seen(row)?,
        })
    };
    rows.iter().map(read).collect()
}

async fn revocations(db: &mut impl Source, list: &CheckInList) -> Result<Vec<Revocation>> {
    let sql = "select t.ticket_id as ticket_id, t.code_version as code_version, t.status as status,
                   t.blocked as blocked, o.status as order_status, o.awaits_approval as awaits_approval
               from tickets t join orders o on o.order_id = t.order_id
               where t.event_id = $1 and (t.status = 'cancelled' or t.blocked = 1 or t.code_version > 1
                   or t.order_id in (select order_id from orders
                                     where event_id = $1 and status = 'pending' and reserved = 1))
               order by t.coded_at, t.ticket_id";
    let rows = sql::all(db, sql, binds![list.event_id]).await?;
    let read = |row: &crate::dialect::Row| {
        Ok(Revocation {
            ticket_id: row.parse("ticket_id")?,
            code_version: row.int("code_version")?,
            cancelled: row.text("status")? == "cancelled",
            blocked: row.int("blocked")? != 0,
            due: door::due(row)?,
        })
    };
    rows.iter().map(read).collect()
}

impl fmt::Display for DownloadCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((coded_at, coded), (seen_at, seen)) = (&self.attendees, &self.seen);
        let (coded_at, seen_at) = (coded_at.as_micros(), seen_at.as_micros());
        write!(f, "{}.{coded_at}.{coded}.{seen_at}.{seen}", self.keys)
    }
}

impl FromStr for DownloadCursor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("this is no cursor of a download");
        let parts: Vec<&str> = text.split('.').collect();
        let [keys, coded_at, coded, seen_at, seen] = parts[..] else {
            return Err(wrong());
        };
        let place = |at: &str, id: &str| -> Result<Place, Invalid> {
            if !id.is_empty() {
                id.parse::<TicketId>().map_err(|_| wrong())?;
            }
            Ok((Timestamp::from_micros(at.parse().map_err(|_| wrong())?), id.to_owned()))
        };
        Ok(Self {
            keys: keys.parse().map_err(|_| wrong())?,
            attendees: place(coded_at, coded)?,
            seen: place(seen_at, seen)?,
        })
    }
}
