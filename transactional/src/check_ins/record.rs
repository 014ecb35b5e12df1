//! What scans leave behind: their rows, the state of their tickets, the attendance, and conflicts.

use super::{Presentation, Scanner, Verdict, attendance, door::Doors};
use crate::{
    Result, Stored, Tx, rows,
    sql::{self, Columns, Value, binds},
};
use domain::{
    CheckInId, CheckInListId, TicketId, TicketTypeId, Timestamp,
    changes::{CheckIn, CheckInList},
    check_in::{ScanKind, Seen},
};
use std::collections::{BTreeMap, BTreeSet};

/// Judges scans one after the other and writes what comes of them.
pub(super) async fn record(
    tx: &mut Tx,
    scanner: Scanner,
    id: CheckInListId,
    mut shown: Vec<Presentation>,
) -> Result<Vec<Verdict>> {
    for presentation in &mut shown {
        let gate = &mut presentation.scan.gate;
        *gate = gate.take().or_else(|| scanner.gate.clone());
    }
    let mut doors = Doors::find(tx, id, &scanner, &shown).await?;
    let (mut verdicts, mut change_types, mut records) = (Vec::new(), Vec::new(), Vec::new());
    let mut counted = Counted::default();
    for place in 0..shown.len() {
        let (mut verdict, after) = doors.verdict(place, &shown[place], tx.now());
        if !verdict.repeated {
            let record = check_in(&doors.list, &scanner, &shown[place], &verdict, tx.now());
            verdict.check_in_id = Some(record.check_in_id);
            if let (Some(after), Some(before), Some(known)) = (&after, doors.seen(place), &verdict.ticket) {
                counted.add(&doors.list, known.ticket.ticket_type_id, &record, before, after);
            }
            doors.remember(place, &shown, &verdict, after.as_ref());
            change_types.push(match verdict.accepted {
                true => "check_in.accepted",
                false => "check_in.refused",
            });
            records.push(record);
        }
        verdicts.push(verdict);
    }
    let private = [("scanned_by", Value::Text(scanner.actor))];
    tx.create_each(doors.list.organizer_id, &change_types, records, &private)?;
    counted.write(tx, doors.list).await?;
    Ok(verdicts)
}

fn check_in(
    list: &Stored<CheckInList>,
    scanner: &Scanner,
    shown: &Presentation,
    verdict: &Verdict,
    received_at: Timestamp,
) -> CheckIn {
    let Presentation { scan, code_hash, .. } = shown;
    CheckIn {
        check_in_id: CheckInId::new(),
        check_in_list_id: list.check_in_list_id,
        event_id: list.event_id,
        ticket_id: verdict.ticket.as_ref().map(|known| known.ticket.ticket_id),
        kind: scan.kind,
        accepted: verdict.accepted,
        reason: verdict.reason,
        forced: verdict.forced,
        force_sent: scan.force,
        gate: scan.gate.clone(),
        device_id: scanner.device_id,
        nonce: scan.nonce.clone(),
        scanned_at: scan.scanned_at.unwrap_or(received_at),
        received_at,
        note: scan.note.clone(),
        code_hash: (!verdict.accepted).then(|| code_hash.clone()),
        conflicts_with: None,
        annulled_at: None,
    }
}

/// Entries, exits, tickets that have entered, tickets inside.
pub(super) type Counts = [i64; 4];

/// What one command's scans add up to.
#[derive(Default)]
struct Counted {
    states: BTreeMap<TicketId, Seen>,
    attendance: BTreeMap<(TicketTypeId, String), Counts>,
    /// Tickets whose scans may conflict.
    suspicious: BTreeSet<TicketId>,
}

impl Counted {
    fn add(&mut self, list: &CheckInList, ticket_type: TicketTypeId, scan: &CheckIn, before: &Seen, after: &Seen) {
        let Some(ticket_id) = scan.ticket_id else { return };
        self.states.insert(ticket_id, after.clone());
        let gate = scan.gate.clone().unwrap_or_default();
        let counts = self.attendance.entry((ticket_type, gate)).or_default();
        for (count, difference) in counts.iter_mut().zip(difference(list, scan.kind, 1, before, after)) {
            *count += difference;
        }
        let late = before.last_at.is_some_and(|last_at| scan.scanned_at <= last_at);
        let twice = scan.kind == ScanKind::Entry && before.last_kind == Some(ScanKind::Entry);
        if late || twice {
            self.suspicious.insert(ticket_id);
        }
    }

    async fn write(self, tx: &mut Tx, list: Stored<CheckInList>) -> Result<()> {
        let id = list.check_in_list_id;
        for (ticket_id, seen) in &self.states {
            keep(tx, id, *ticket_id, seen);
        }
        for ((ticket_type, gate), counts) in &self.attendance {
            count(tx, id, *ticket_type, gate, *counts);
        }
        for ticket_id in self.suspicious {
            link(tx, &list, ticket_id).await?;
        }
        let more_inside = self.attendance.values().any(|counts| counts[3] > 0);
        if more_inside { alert(tx, list).await } else { Ok(()) }
    }
}

pub(super) fn difference(list: &CheckInList, kind: ScanKind, scans: i64, before: &Seen, after: &Seen) -> Counts {
    let entered = |seen: &Seen| i64::from(seen.entries > 0);
    let inside = |seen: &Seen| i64::from(seen.inside(list.emptied_at));
    [
        if kind == ScanKind::Entry { scans } else { 0 },
        if kind == ScanKind::Exit { scans } else { 0 },
        entered(after) - entered(before),
        inside(after) - inside(before),
    ]
}

/// Keeps what a list has seen of a ticket.
pub(super) fn keep(tx: &mut Tx, list: CheckInListId, ticket: TicketId, seen: &Seen) {
    let sql = "insert into ticket_list_state (ticket_id, check_in_list_id, entries, last_at, last_kind, first_at,
                   first_gate, entered_at, changed_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
               on conflict (ticket_id, check_in_list_id) do update set
                   entries = excluded.entries, last_at = excluded.last_at, last_kind = excluded.last_kind,
                   first_at = excluded.first_at, first_gate = excluded.first_gate,
                   entered_at = excluded.entered_at, changed_at = excluded.changed_at";
    let values = binds![
        ticket,
        list,
        seen.entries,
        seen.last_at,
        seen.last_kind,
        seen.first_at,
        seen.first_gate,
        seen.entered_at,
        tx.batch_time,
    ];
    tx.defer(sql, values, 1);
}

/// Adds to a list's attendance.
pub(super) fn count(tx: &mut Tx, list: CheckInListId, ticket_type: TicketTypeId, gate: &str, counts: Counts) {
    let sql = "insert into attendance (check_in_list_id, ticket_type_id, gate, entries, exits, entered, inside)
               values ($1, $2, $3, $4, $5, $6, $7)
               on conflict (check_in_list_id, ticket_type_id, gate) do update set
                   entries = attendance.entries + excluded.entries, exits = attendance.exits + excluded.exits,
                   entered = attendance.entered + excluded.entered, inside = attendance.inside + excluded.inside";
    let [entries, exits, entered, inside] = counts;
    let values = binds![list, ticket_type, gate, entries, exits, entered, inside];
    tx.defer(sql, values, 1);
}

/// Finds the conflicts among a ticket's scans, by the scanners' times and in whatever order they came: an entry
/// conflicts with the entry before it if nobody went out between them. Tells of what is new, and of what a late exit has
/// settled.
pub(super) async fn link(tx: &mut Tx, list: &CheckInList, ticket: TicketId) -> Result<()> {
    if list.multi_entry {
        return Ok(());
    }
    let id = list.check_in_list_id;
    let sql = "select emptied_at from emptied_lists where check_in_list_id = $1";
    let emptied = sql::all(tx, sql, binds![id]).await?;
    let emptied: Vec<Timestamp> = emptied
        .iter()
        .map(|row| row.time("emptied_at"))
        .collect::<Result<_>>()?;
    let mut before: Option<(CheckInId, Timestamp)> = None;
    for mut scan in scans(tx, id, ticket).await? {
        let at = scan.scanned_at;
        let entry = scan.kind == ScanKind::Entry;
        let between = |entered_at: Timestamp| emptied.iter().any(|out| entered_at <= *out && *out < at);
        let conflict = before
            .filter(|(_, entered_at)| entry && !between(*entered_at))
            .map(|(id, _)| id);
        before = entry.then_some((scan.check_in_id, at));
        if scan.conflicts_with != conflict {
            scan.conflicts_with = conflict;
            let change_type = match conflict {
                Some(_) => "check_in.conflict",
                None => "check_in.settled",
            };
            tx.change(change_type, &mut scan)?;
        }
    }
    Ok(())
}

/// The scans of a ticket that count, by the scanners' time; an exit after an entry of the same moment.
pub(super) async fn scans(tx: &mut Tx, list: CheckInListId, ticket: TicketId) -> Result<Vec<Stored<CheckIn>>> {
    let condition = "t.ticket_id = $1 and t.check_in_list_id = $2 and t.accepted = 1 and t.annulled_at is null
                     order by t.scanned_at, t.kind, t.check_in_id";
    rows::find(tx, condition, binds![ticket, list]).await
}

/// Tells once that as many are inside as the list's alert is set to.
async fn alert(tx: &mut Tx, mut list: Stored<CheckInList>) -> Result<()> {
    let Some(alert_at) = list.alert_at.filter(|_| list.alerted_at.is_none()) else {
        return Ok(());
    };
    if attendance::inside(tx, list.check_in_list_id).await? >= alert_at {
        list.alerted_at = Some(tx.now());
        tx.change("check_in_list.capacity_reached", &mut list)?;
    }
    Ok(())
}
