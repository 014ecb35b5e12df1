//! The waiting list: who could not be sold tickets gets those that come back, in the order in which people joined. An
//! offer is a hold like any other, only that it lasts longer; it is made in the transaction that frees the capacity, so
//! nobody can be faster.

use crate::{
    Error, Page, PageRequest, Result, Source, Store, Stored, Tx, events,
    holds::{self, LineRequest},
    mail::{self, Content, Recipient},
    orders,
    page::{self, Filter, Order},
    people, rows,
    sql::{self, Columns, binds},
    ticket_types,
};
use domain::{
    Email, EventId, TicketTypeId, WaitingEntryId,
    changes::{Hold, WaitingEntry},
    message::Language,
    order::{HoldStatus, WaitingStatus},
};
use std::{collections::BTreeSet, time::Duration};

#[derive(Clone, Debug)]
pub struct Joining {
    pub event_id: EventId,
    pub ticket_type_id: TicketTypeId,
    pub quantity: i64,
    pub email: Email,
    pub name: Option<String>,
    pub language: Language,
}

/// How long an offer of what has come back stands, if the event does not end before.
pub const OFFERED_FOR: Duration = Duration::from_secs(24 * 3600);
/// Entries that one command looks at.
const MOST_AT_ONCE: i64 = 100;
const SECRET: &str = "waiting-list";

/// Joins the list. If tickets are to be had, the offer comes at once.
pub async fn join(tx: &mut Tx, joining: Joining) -> Result<Stored<WaitingEntry>> {
    let event = events::get(tx, joining.event_id).await?;
    if !event.status.on_sale() {
        return Err(Error::refused("not_on_sale", format!("this event is {}", event.status)));
    }
    let types = ticket_types::of_event(tx, event.event_id).await?;
    let ticket_type = types
        .iter()
        .find(|ticket_type| ticket_type.ticket_type_id == joining.ticket_type_id && !ticket_type.hidden)
        .ok_or_else(|| {
            Error::refused("ticket_type_unknown", "this event has no such ticket type").at("ticket_type_id")
        })?;
    if !(ticket_type.min_per_order..=ticket_type.max_per_order).contains(&joining.quantity) {
        let (least, most) = (ticket_type.min_per_order, ticket_type.max_per_order);
        let message = format!("an order has {least} to {most} of these tickets");
        return Err(Error::refused("quantity", message).at("quantity"));
    }
    let name = orders::tidy(joining.name, "name")?;
    let known = people::by_email(tx, event.organizer_id, &joining.email).await?;
    if let Some(person) = &known {
        let there = "t.ticket_type_id = $1 and t.person_id = $2 and t.status in ('waiting', 'offered')";
        let found = rows::find::<WaitingEntry>(tx, there, binds![joining.ticket_type_id, person.person_id]);
        if !found.await?.is_empty() {
            return Err(Error::conflict(
                "waiting_already",
                "this address waits for these tickets already",
            ));
        }
    }
    let person = people::register(tx, event.organizer_id, known, joining.email, name, None)?;
    let entry = WaitingEntry {
        waiting_entry_id: WaitingEntryId::new(),
        event_id: event.event_id,
        ticket_type_id: joining.ticket_type_id,
        person_id: person.person_id,
        quantity: joining.quantity,
        status: WaitingStatus::Waiting,
        joined_at: tx.now(),
        hold_id: None,
        offer_expires_at: None,
    };
    let id = entry.waiting_entry_id;
    let private = [("language", sql::Bind::value(&joining.language))];
    tx.create_with(event.organizer_id, "waiting_entry.joined", entry, &private)?;
    // While tickets are on sale, waiting keeps them for no longer than buying does.
    offer_for(tx, event.event_id, holds::HELD_FOR).await?;
    get(tx, id).await
}

/// Leaves the list; an offer goes to the next.
pub async fn leave(tx: &mut Tx, id: WaitingEntryId) -> Result<Stored<WaitingEntry>> {
    let mut entry = get(tx, id).await?;
    match (entry.status, entry.hold_id) {
        (WaitingStatus::Offered, Some(hold)) => {
            holds::release(tx, hold).await?;
            get(tx, id).await
        }
        (WaitingStatus::Waiting, _) => {
            change(tx, &mut entry, WaitingStatus::Left)?;
            Ok(entry)
        }
        (status, _) => Err(Error::conflict(
            "not_waiting",
            format!("this entry is {status} already"),
        )),
    }
}

pub async fn get(db: &mut impl Source, id: WaitingEntryId) -> Result<Stored<WaitingEntry>> {
    rows::get(db, &id).await
}

/// In the order in which they joined.
pub async fn list(db: &mut impl Source, event_id: EventId, page: PageRequest) -> Result<Page<Stored<WaitingEntry>>> {
    let filter = Filter::default().and("event_id =", &event_id);
    page::list(db, filter, Some("joined_at"), Order::Ascending, &page).await
}

/// Offers what is free to those who wait. To be called when capacity has come back.
pub(crate) async fn offer(tx: &mut Tx, event_id: EventId) -> Result<()> {
    offer_for(tx, event_id, OFFERED_FOR).await
}

async fn offer_for(tx: &mut Tx, event_id: EventId, standing: Duration) -> Result<()> {
    let in_turn = "t.event_id = $1 and t.status = 'waiting'
                   and exists (select 1 from events e where e.event_id = $1 and e.status = 'published')
                   order by t.joined_at, t.waiting_entry_id limit $2";
    let waiting: Vec<Stored<WaitingEntry>> = rows::find(tx, in_turn, binds![event_id, MOST_AT_ONCE]).await?;
    // Who wants fewer than are free may be further down; a type that has none left need not be tried again.
    let mut gone = BTreeSet::new();
    for mut entry in waiting {
        if gone.contains(&(entry.ticket_type_id, entry.quantity)) {
            continue;
        }
        let line = LineRequest {
            ticket_type_id: entry.ticket_type_id,
            quantity: entry.quantity,
        };
        match holds::offer(tx, event_id, line, entry.waiting_entry_id, standing).await {
            Ok(hold) => {
                entry.hold_id = Some(hold.hold_id);
                entry.offer_expires_at = Some(hold.expires_at);
                change(tx, &mut entry, WaitingStatus::Offered)?;
                tell(tx, &entry).await?;
            }
            Err(Error::Refused(_)) => {
                gone.insert((entry.ticket_type_id, entry.quantity));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn tell(tx: &mut Tx, entry: &WaitingEntry) -> Result<()> {
    let sql = "select language from waiting_entries where waiting_entry_id = $1";
    let language = sql::one(tx, sql, binds![entry.waiting_entry_id])
        .await?
        .parse("language")?;
    let content = Content::WaitingListOffer {
        waiting_entry_id: entry.waiting_entry_id,
    };
    mail::queue(tx, Recipient::Person(entry.person_id), language, content)?;
    Ok(())
}

/// What has become of an offer's hold is what becomes of its entry.
pub(crate) async fn hold_ended(tx: &mut Tx, hold: &Hold) -> Result<()> {
    let Some(id) = hold.waiting_entry_id else {
        return Ok(());
    };
    let status = match hold.status {
        HoldStatus::Active => return Ok(()),
        HoldStatus::Converted => WaitingStatus::Taken,
        HoldStatus::Expired => WaitingStatus::Expired,
        HoldStatus::Released => WaitingStatus::Left,
    };
    let mut entry = get(tx, id).await?;
    change(tx, &mut entry, status)
}

/// The event is over for good, so nobody waits for it any more. A list may be long: the sweeper closes it in parts.
pub(crate) fn close_soon(tx: &mut Tx, event_id: EventId) {
    let sql = "update events set waiting_list_closes = 1 where event_id = $1";
    tx.defer(sql, binds![event_id], 1);
}

/// Closes lists of events that are over, so many entries at once. Returns how many there were.
pub(crate) async fn close(tx: &mut Tx, limit: i64) -> Result<u64> {
    // An offer that is checked out already ends with its order.
    let condition = "t.status in ('waiting', 'offered')
                     and t.event_id in (select event_id from events where waiting_list_closes = 1)
                     and not exists (select 1 from orders o where o.hold_id = t.hold_id and o.status = 'pending')
                     limit $1";
    let open: Vec<Stored<WaitingEntry>> = rows::find(tx, condition, binds![limit]).await?;
    if open.is_empty() {
        let sql = "update events set waiting_list_closes = 0 where waiting_list_closes = 1";
        sql::execute(tx, sql, binds![]).await?;
    }
    let count = open.len() as u64;
    for mut entry in open {
        match (entry.status, entry.hold_id) {
            (WaitingStatus::Offered, Some(id)) => {
                let mut hold = holds::get(tx, id).await?;
                holds::close(tx, &mut hold, HoldStatus::Released).await?;
            }
            _ => change(tx, &mut entry, WaitingStatus::Left)?,
        }
    }
    Ok(count)
}

/// A person who is erased waits no longer.
pub(crate) async fn leave_all(tx: &mut Tx, person_id: domain::PersonId) -> Result<()> {
    let there = "t.person_id = $1 and t.status = 'waiting'";
    for mut entry in rows::find::<WaitingEntry>(tx, there, binds![person_id]).await? {
        change(tx, &mut entry, WaitingStatus::Left)?;
    }
    Ok(())
}

fn change(tx: &mut Tx, entry: &mut Stored<WaitingEntry>, status: WaitingStatus) -> Result<()> {
    entry.status = status;
    let change_type = match status {
        WaitingStatus::Waiting => "waiting_entry.joined",
        WaitingStatus::Offered => "waiting_entry.offered",
        WaitingStatus::Taken => "waiting_entry.taken",
        WaitingStatus::Expired => "waiting_entry.expired",
        WaitingStatus::Left => "waiting_entry.left",
    };
    tx.change(change_type, entry)
}

impl Store {
    /// What lets somebody see and leave their place in the list.
    pub fn waiting_secret(&self, id: WaitingEntryId) -> String {
        self.key().sign(SECRET, &id.to_string())
    }

    pub fn is_waiting_secret(&self, id: WaitingEntryId, secret: &str) -> bool {
        self.key().verifies(SECRET, &id.to_string(), secret)
    }
}
