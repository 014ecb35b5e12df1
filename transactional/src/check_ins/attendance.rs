//! How many are inside, and who is expected.

use super::{ShownTicket, door};
use crate::{
    Result, Source, Stored, rows,
    sql::{self, Columns, binds},
    ticket_types,
};
use domain::{
    CheckInListId, TicketTypeId,
    changes::{CheckInList, Ticket},
    check_in::Seen,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

/// A list's attendance as of the last answered scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendance {
    /// Tickets that are inside now.
    pub inside: i64,
    /// Tickets that have entered at least once.
    pub entered: i64,
    /// Valid tickets of the list's types.
    pub expected: i64,
    pub types: Vec<TypeCount>,
    pub gates: Vec<GateCount>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeCount {
    pub ticket_type_id: TicketTypeId,
    pub name: String,
    pub inside: i64,
    pub entered: i64,
    pub expected: i64,
}

/// What passed a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateCount {
    /// None: scans that named no gate.
    pub gate: Option<String>,
    pub entries: i64,
    pub exits: i64,
}

pub async fn attendance(db: &mut impl Source, id: CheckInListId) -> Result<Attendance> {
    let list = super::get_list(db, id).await?;
    let mut types: BTreeMap<TicketTypeId, TypeCount> = BTreeMap::new();
    for kind in ticket_types::of_event(db, list.event_id).await? {
        let count = TypeCount {
            ticket_type_id: kind.ticket_type_id,
            name: kind.name.to_string(),
            inside: 0,
            entered: 0,
            expected: 0,
        };
        types.insert(kind.ticket_type_id, count);
    }
    let sql = "select ticket_type_id, count(*) as tickets from tickets
               where event_id = $1 and status = 'valid' and order_id not in (
                   select order_id from orders
                   where event_id = $1 and status = 'pending' and reserved = 1 and awaits_approval = 1)
               group by ticket_type_id";
    for row in sql::all(db, sql, binds![list.event_id]).await? {
        let id: TicketTypeId = row.parse("ticket_type_id")?;
        if let Some(count) = types.get_mut(&id).filter(|_| is_listed(&list, id)) {
            count.expected = row.int("tickets")?;
        }
    }
    let mut gates: BTreeMap<String, GateCount> = BTreeMap::new();
    let sql =
        "select ticket_type_id, gate, entries, exits, entered, inside from attendance where check_in_list_id = $1";
    for row in sql::all(db, sql, binds![id]).await? {
        let id: TicketTypeId = row.parse("ticket_type_id")?;
        if let Some(count) = types.get_mut(&id) {
            count.inside += row.int("inside")?;
            count.entered += row.int("entered")?;
        }
        let (gate, entries, exits) = (row.text("gate")?, row.int("entries")?, row.int("exits")?);
        let count = gates.entry(gate.clone()).or_insert_with(|| GateCount {
            gate: Some(gate).filter(|gate| !gate.is_empty()),
            entries: 0,
            exits: 0,
        });
        count.entries += entries;
        count.exits += exits;
    }
    let sum = |of: fn(&TypeCount) -> i64| types.values().map(of).sum();
    Ok(Attendance {
        inside: sum(|count| count.inside),
        entered: sum(|count| count.entered),
        expected: sum(|count| count.expected),
        types: types
            .into_values()
            .filter(|count| count.entered != 0 || is_listed(&list, count.ticket_type_id))
            .collect(),
        gates: gates
            .into_values()
            .filter(|count| count.entries != 0 || count.exits != 0)
            .collect(),
    })
}

fn is_listed(list: &CheckInList, id: TicketTypeId) -> bool {
    list.ticket_types.is_empty() || list.ticket_types.iter().any(|listed| listed.ticket_type_id == id)
}

pub(super) async fn inside(db: &mut impl Source, id: CheckInListId) -> Result<i64> {
    let sql = "select cast(coalesce(sum(inside), 0) as bigint) as inside from attendance where check_in_list_id = $1";
    sql::one(db, sql, binds![id]).await?.int("inside")
}

/// A ticket that was searched for, and what the list has seen of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    pub shown: ShownTicket,
    pub seen: Seen,
    pub inside: bool,
}

/// Fewer characters would list the guests rather than find one.
const SHORTEST_SEARCH: usize = 3;
const MOST_FOUND: i64 = 20;

/// Tickets of the list's event whose holder's name contains this text, or whose order has this code. For a door where
/// a code can't be read.
pub async fn search(db: &mut impl Source, id: CheckInListId, text: &str) -> Result<Vec<Expected>> {
    static SQL: LazyLock<Arc<String>> = LazyLock::new(|| {
        let ticket = rows::columns::<Ticket>("t");
        Arc::new(format!(
            "select {ticket}, y.name as type_name, p.name as holder, s.entries as entries, s.last_at as last_at,
                 s.last_kind as last_kind, s.first_at as first_at, s.first_gate as first_gate,
                 s.entered_at as entered_at
             from tickets t
             join ticket_types y on y.ticket_type_id = t.ticket_type_id
             join people p on p.person_id = t.person_id
             join orders o on o.order_id = t.order_id
             left join ticket_list_state s on s.ticket_id = t.ticket_id and s.check_in_list_id = $1
             where t.event_id = $2 and (lower(p.name) like $3 escape '!' or o.code = $4)
             order by p.name, t.ticket_id limit $5"
        ))
    });
    let text = text.trim();
    let list = super::get_list(db, id).await?;
    if text.chars().count() < SHORTEST_SEARCH {
        return Ok(Vec::new());
    }
    let name = text
        .to_lowercase()
        .replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_");
    let values = binds![id, list.event_id, format!("%{name}%"), text.to_uppercase(), MOST_FOUND];
    let found = sql::all(db, SQL.clone(), values).await?;
    found.iter().map(|row| expected(&list, row)).collect()
}

fn expected(list: &Stored<CheckInList>, row: &crate::dialect::Row) -> Result<Expected> {
    let seen = door::seen(row)?;
    Ok(Expected {
        shown: ShownTicket {
            ticket: rows::decode(row, 0)?,
            type_name: row.text("type_name")?,
            holder: row.maybe_text("holder")?,
        },
        inside: seen.inside(list.emptied_at),
        seen,
    })
}
