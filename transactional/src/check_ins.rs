//! Doors: check-in lists, and the redeeming of tickets. Every scan is stored, the refused ones with their reason.

use crate::{
    Error, Page, PageRequest, Result, Source, Store, Stored, Tx, events,
    page::{self, Filter, Order},
    rows,
    sql::{self, Columns, binds},
    ticket_types,
};
use domain::{
    CheckInId, CheckInListId, EventId, Label, TicketTypeId, Timestamp,
    changes::{CheckIn, CheckInList, ListedType, Ticket, TicketType},
    check_in::{ListRules, Presented, Refusal, ScanKind, Seen, judge},
    event::EventStatus,
    ticket_code::Claim,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

#[derive(Clone, Debug)]
pub struct ListDetails {
    pub name: Label,
    pub reentry: bool,
    pub multi_entry: bool,
    /// Empty: every ticket type of the event.
    pub ticket_types: Vec<TicketTypeId>,
}

/// One presentation of a code at a door.
#[derive(Clone, Debug)]
pub struct Scan {
    pub check_in_list_id: CheckInListId,
    pub code: String,
    pub kind: ScanKind,
    /// Chosen by the scanner: the same for every attempt to send the same scan.
    pub nonce: String,
    /// None: now.
    pub scanned_at: Option<Timestamp>,
    pub gate: Option<String>,
    /// It has happened already: record it, whatever the rules say.
    pub force: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub accepted: bool,
    /// Why not, or why not if it had not been forced.
    pub reason: Option<Refusal>,
    pub forced: bool,
    /// This scan was accepted before; nothing was written now.
    pub repeated: bool,
    /// None for a simulation.
    pub check_in_id: Option<CheckInId>,
    /// None for a code that is not of this event.
    pub ticket: Option<Stored<Ticket>>,
    /// The first entry, for a ticket that is in already.
    pub first: Option<FirstScan>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirstScan {
    pub at: Timestamp,
    pub gate: Option<String>,
}

/// An event has no more lists than this, so that they are read without paging.
const MOST_LISTS: usize = 100;

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
    let record = list_record(tx, id, list.event_id, details).await?;
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

/// The newest first.
pub async fn list_check_ins(
    db: &mut impl Source,
    id: CheckInListId,
    page: PageRequest,
) -> Result<Page<Stored<CheckIn>>> {
    let filter = Filter::default().and("check_in_list_id =", &id);
    page::list(db, filter, Some("received_at"), Order::Descending, &page).await
}

/// Admits, or says why not. The signature is verified before the writer is asked, since it takes the longest.
pub async fn redeem(store: &Store, actor: impl Into<String>, scan: Scan) -> Result<Verdict> {
    check(&scan)?;
    let claim = claim(store, &scan).await?;
    store
        .write(actor, move |tx| Box::pin(record_scan(tx, scan, claim)))
        .await
}

/// The verdict that [`redeem`] would give now, without a trace.
pub async fn simulate(store: &Store, scan: Scan) -> Result<Verdict> {
    check(&scan)?;
    let claim = claim(store, &scan).await?;
    let mut db = store.peek().await?;
    let door = Door::find(&mut db, &scan, claim).await?;
    Ok(door.verdict(&scan, claim, scan.scanned_at.unwrap_or_else(Timestamp::now)))
}

async fn claim(store: &Store, scan: &Scan) -> Result<Option<Claim>> {
    let event_id = store.owner_of_list(scan.check_in_list_id).await?.event_id;
    store.verified_claim(event_id, &scan.code).await
}

async fn record_scan(tx: &mut Tx, scan: Scan, claim: Option<Claim>) -> Result<Verdict> {
    let door = Door::find(tx, &scan, claim).await?;
    let received_at = tx.now();
    let scanned_at = scan.scanned_at.unwrap_or(received_at);
    let mut verdict = door.verdict(&scan, claim, scanned_at);
    if verdict.repeated {
        return Ok(verdict);
    }
    let record = CheckIn {
        check_in_id: CheckInId::new(),
        check_in_list_id: scan.check_in_list_id,
        event_id: door.list.event_id,
        ticket_id: verdict.ticket.as_ref().map(|ticket| ticket.ticket_id),
        kind: scan.kind,
        accepted: verdict.accepted,
        reason: verdict.reason,
        forced: verdict.forced,
        gate: scan.gate,
        nonce: scan.nonce,
        scanned_at,
        received_at,
    };
    if verdict.accepted {
        count(tx, &record);
    }
    let change_type = if verdict.accepted {
        "check_in.accepted"
    } else {
        "check_in.refused"
    };
    let stored = tx.create(door.list.organizer_id, change_type, record)?;
    verdict.check_in_id = Some(stored.check_in_id);
    Ok(verdict)
}

/// Adds an accepted scan to what the list has seen. The last scan is the last by the scanner's time: a scanner that was
/// offline sends old ones late.
fn count(tx: &mut Tx, scan: &CheckIn) {
    let sql = "insert into ticket_list_state
                   (ticket_id, check_in_list_id, entries, last_kind, last_at, first_at, first_gate)
               values ($1, $2, $3, $4, $5, $6, $7)
               on conflict (ticket_id, check_in_list_id) do update set
                   entries = ticket_list_state.entries + excluded.entries,
                   last_kind = case when excluded.last_at >= ticket_list_state.last_at
                       then excluded.last_kind else ticket_list_state.last_kind end,
                   last_at = case when excluded.last_at >= ticket_list_state.last_at
                       then excluded.last_at else ticket_list_state.last_at end,
                   first_gate = case when ticket_list_state.first_at is null
                       then excluded.first_gate else ticket_list_state.first_gate end,
                   first_at = coalesce(ticket_list_state.first_at, excluded.first_at)";
    let entry = scan.kind == ScanKind::Entry;
    let values = binds![
        scan.ticket_id,
        scan.check_in_list_id,
        i64::from(entry),
        scan.kind,
        scan.scanned_at,
        entry.then_some(scan.scanned_at),
        scan.gate.as_ref().filter(|_| entry),
    ];
    tx.defer(sql, values, 1);
}

/// Everything that a verdict asks, read by one statement.
struct Door {
    list: Stored<CheckInList>,
    event: EventStatus,
    shown: Option<Shown>,
}

struct Shown {
    ticket: Stored<Ticket>,
    valid_from: Option<Timestamp>,
    valid_to: Option<Timestamp>,
    seen: Seen,
    first: Option<FirstScan>,
    /// An accepted scan with the same nonce: why it would have been refused, if it was forced.
    earlier: Option<(CheckInId, Option<Refusal>)>,
}

impl Door {
    async fn find(db: &mut impl Source, scan: &Scan, claim: Option<Claim>) -> Result<Self> {
        static SQL: LazyLock<Arc<String>> = LazyLock::new(|| {
            let (list, ticket) = (rows::columns::<CheckInList>("l"), rows::columns::<Ticket>("t"));
            Arc::new(format!(
                "select {list}, {ticket}, e.status as event_status, y.valid_from as valid_from,
                     y.valid_to as valid_to, s.entries as entries, s.last_kind as last_kind, s.first_at as first_at,
                     s.first_gate as first_gate, c.check_in_id as earlier, c.reason as earlier_reason
                 from check_in_lists l
                 join events e on e.event_id = l.event_id
                 left join tickets t on t.ticket_id = $2 and t.event_id = l.event_id
                 left join ticket_types y on y.ticket_type_id = t.ticket_type_id
                 left join ticket_list_state s
                     on s.ticket_id = t.ticket_id and s.check_in_list_id = l.check_in_list_id
                 left join check_ins c on c.ticket_id = t.ticket_id and c.check_in_list_id = l.check_in_list_id
                     and c.kind = $3 and c.nonce = $4 and c.accepted = 1
                 where l.check_in_list_id = $1"
            ))
        });
        let ticket_id = claim.map(|claim| claim.ticket_id);
        let values = binds![scan.check_in_list_id, ticket_id, scan.kind, scan.nonce];
        let row = sql::optional(db, SQL.clone(), values).await?;
        let row = row.ok_or_else(|| Error::not_found("check-in list"))?;
        let shown = match rows::decode_optional(&row, rows::width::<CheckInList>())? {
            None => None,
            Some(ticket) => Some(Shown {
                ticket,
                valid_from: row.maybe_time("valid_from")?,
                valid_to: row.maybe_time("valid_to")?,
                seen: Seen {
                    entries: row.maybe_int("entries")?.unwrap_or(0),
                    last: row.maybe_text("last_kind")?.map(|kind| sql::parse(&kind)).transpose()?,
                },
                first: match row.maybe_time("first_at")? {
                    Some(at) => Some(FirstScan {
                        at,
                        gate: row.maybe_text("first_gate")?,
                    }),
                    None => None,
                },
                earlier: match row.maybe_text("earlier")? {
                    Some(id) => {
                        let reason = row.maybe_text("earlier_reason")?;
                        Some((sql::parse(&id)?, reason.map(|reason| sql::parse(&reason)).transpose()?))
                    }
                    None => None,
                },
            }),
        };
        Ok(Self {
            list: rows::decode(&row, 0)?,
            event: row.parse("event_status")?,
            shown,
        })
    }

    fn verdict(&self, scan: &Scan, claim: Option<Claim>, scanned_at: Timestamp) -> Verdict {
        let (Some(shown), Some(claim)) = (&self.shown, claim) else {
            return Verdict {
                accepted: false,
                reason: Some(Refusal::Invalid),
                forced: false,
                repeated: false,
                check_in_id: None,
                ticket: None,
                first: None,
            };
        };
        let ticket = Some(shown.ticket.clone());
        if let Some((id, reason)) = shown.earlier {
            return Verdict {
                accepted: true,
                reason,
                forced: reason.is_some(),
                repeated: true,
                check_in_id: Some(id),
                ticket,
                first: None,
            };
        }
        let listed = &self.list.ticket_types;
        let presented = Presented {
            ticket: shown.ticket.status,
            event: self.event,
            code_is_old: i64::from(claim.code_version) != shown.ticket.code_version,
            type_is_on_list: listed.is_empty()
                || listed
                    .iter()
                    .any(|listed| listed.ticket_type_id == shown.ticket.ticket_type_id),
            valid_from: shown.valid_from,
            valid_to: shown.valid_to,
        };
        let rules = ListRules {
            reentry: self.list.reentry,
            multi_entry: self.list.multi_entry,
        };
        let reason = judge(scan.kind, scanned_at, &presented, rules, shown.seen).err();
        let forced = reason.is_some() && scan.force;
        Verdict {
            accepted: reason.is_none() || forced,
            reason,
            forced,
            repeated: false,
            check_in_id: None,
            ticket,
            first: shown.first.clone().filter(|_| reason == Some(Refusal::AlreadyRedeemed)),
        }
    }
}

async fn list_record(tx: &mut Tx, id: CheckInListId, event_id: EventId, details: ListDetails) -> Result<CheckInList> {
    let types: Vec<Stored<TicketType>> = ticket_types::of_event(tx, event_id).await?;
    let known: BTreeSet<TicketTypeId> = types.iter().map(|ticket_type| ticket_type.ticket_type_id).collect();
    let listed: BTreeSet<TicketTypeId> = details.ticket_types.into_iter().collect();
    if !listed.is_subset(&known) {
        return Err(Error::refused("ticket_type_unknown", "this event has no such ticket type").at("ticket_types"));
    }
    Ok(CheckInList {
        check_in_list_id: id,
        event_id,
        name: details.name,
        reentry: details.reentry,
        multi_entry: details.multi_entry,
        ticket_types: listed
            .into_iter()
            .map(|ticket_type_id| ListedType { ticket_type_id })
            .collect(),
    })
}

fn check(scan: &Scan) -> Result<()> {
    let line = |text: &str, most: usize| text.len() <= most && !text.chars().any(char::is_control);
    if scan.nonce.is_empty() || !line(&scan.nonce, 100) {
        return Err(Error::refused("invalid", "a nonce is 1 to 100 characters").at("nonce"));
    }
    if !scan.gate.as_deref().is_none_or(|gate| line(gate, 100)) {
        return Err(Error::refused("invalid", "a gate's name is at most 100 characters").at("gate"));
    }
    Ok(())
}
