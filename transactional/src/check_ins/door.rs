//! What a verdict asks for, read by one statement for one scan or many.

use super::{FirstScan, ON_ITS_WAY, Presentation, Scanner, ShownTicket, Verdict};
use crate::{
    Error, Result, Source, Stored,
    dialect::Row,
    rows,
    sql::{self, Columns, Value, binds},
};
use domain::{
    CheckInId, CheckInListId, Timestamp,
    changes::{CheckInList, Ticket},
    check_in::{self, Answer, Due, ListRules, Presented, Question, Refusal, Seen},
    event::EventStatus,
    order::OrderStatus,
};
use std::sync::{Arc, OnceLock};

pub(super) struct Doors {
    pub(super) list: Stored<CheckInList>,
    event: EventStatus,
    rules: ListRules,
    /// In the order of the scans.
    shown: Vec<Shown>,
}

#[derive(Clone)]
struct Shown {
    known: Option<Known>,
    earlier: Option<Earlier>,
}

#[derive(Clone)]
struct Known {
    shown: ShownTicket,
    valid_from: Option<Timestamp>,
    valid_to: Option<Timestamp>,
    due: Due,
    seen: Seen,
}

/// What became of the same scan when it was sent before.
#[derive(Clone)]
struct Earlier {
    check_in_id: CheckInId,
    accepted: bool,
    reason: Option<Refusal>,
    annulled: bool,
}

/// The statement for 1, 2, 4, … scans.
static SQL: [OnceLock<Arc<String>>; 7] = [const { OnceLock::new() }; 7];

fn statement(scans: usize) -> Arc<String> {
    let (list, ticket) = (rows::columns::<CheckInList>("l"), rows::columns::<Ticket>("t"));
    let place = |place: usize| {
        let first = 3 + 4 * place;
        format!("({place}, ${first}, ${}, ${}, ${})", first + 1, first + 2, first + 3)
    };
    let places: Vec<String> = (0..scans).map(place).collect();
    Arc::new(format!(
        "with shown (place, ticket_id, kind, nonce, code_hash) as (values {})
         select {list}, {ticket}, e.status as event_status, e.timezone as timezone, y.name as type_name,
             y.valid_from as valid_from, y.valid_to as valid_to, p.name as holder, s.entries as entries,
             o.status as order_status, o.awaits_approval as awaits_approval,
             s.last_at as last_at, s.last_kind as last_kind, s.first_at as first_at, s.first_gate as first_gate,
             s.entered_at as entered_at, c.check_in_id as earlier, c.accepted as earlier_accepted,
             c.reason as earlier_reason, c.annulled_at as annulled_at
         from shown h
         join check_in_lists l on l.check_in_list_id = $1
         join events e on e.event_id = l.event_id
         left join tickets t on t.ticket_id = h.ticket_id and t.event_id = l.event_id
         left join ticket_types y on y.ticket_type_id = t.ticket_type_id
         left join orders o on o.order_id = t.order_id
         left join people p on p.person_id = t.person_id
         left join ticket_list_state s on s.ticket_id = t.ticket_id and s.check_in_list_id = l.check_in_list_id
         left join check_ins c on c.check_in_id = (
             select k.check_in_id from check_ins k
             where k.check_in_list_id = $1 and k.nonce = h.nonce and k.kind = h.kind and k.scanned_by = $2
                 and (k.ticket_id = h.ticket_id or (k.ticket_id is null and k.code_hash = h.code_hash))
             order by k.accepted desc, k.check_in_id desc limit 1)
         order by h.place",
        places.join(", ")
    ))
}

impl Doors {
    /// At most [`super::IN_ONE_COMMAND`] scans. A nonce is its scanner's own: another's scan with it is another scan.
    pub(super) async fn find(
        db: &mut impl Source,
        id: CheckInListId,
        scanner: &Scanner,
        scans: &[Presentation],
    ) -> Result<Self> {
        let power = scans.len().next_power_of_two().ilog2() as usize;
        let sql = SQL.get(power).ok_or(Error::Panicked)?;
        let sql = sql.get_or_init(|| statement(1 << power)).clone();
        let mut values = binds![id, scanner.actor];
        for Presentation {
            scan, claim, code_hash, ..
        } in scans
        {
            values.extend(binds![
                claim.map(|claim| claim.ticket_id),
                scan.kind,
                scan.nonce,
                code_hash
            ]);
        }
        // What is left of the statement's places finds nothing.
        values.resize(2 + (4 << power), Value::NoText);
        let rows = sql::all(db, sql, values).await?;
        let row = rows.first().ok_or_else(|| Error::not_found("check-in list"))?;
        let list: Stored<CheckInList> = rows::decode(row, 0)?;
        Ok(Self {
            event: row.parse("event_status")?,
            rules: ListRules {
                reentry: list.reentry,
                multi_entry: list.multi_entry,
                include_pending: list.include_pending,
                ticket_types: list.ticket_types.iter().map(|listed| listed.ticket_type_id).collect(),
                opens_at: list.opens_at,
                closes_at: list.closes_at,
                min_gap_minutes: list.min_gap_minutes,
                once_a_day: list.once_a_day,
                timezone: row.text("timezone")?,
                emptied_at: list.emptied_at,
            },
            list,
            shown: rows.iter().take(scans.len()).map(Shown::read).collect::<Result<_>>()?,
        })
    }

    pub(super) fn seen(&self, place: usize) -> Option<&Seen> {
        Some(&self.shown[place].known.as_ref()?.seen)
    }

    /// The verdict, and what the list has seen of the ticket after it if the scan counts.
    pub(super) fn verdict(&self, place: usize, shown: &Presentation, now: Timestamp) -> (Verdict, Option<Seen>) {
        let Shown { known, earlier } = &self.shown[place];
        let mut verdict = Verdict {
            accepted: false,
            reason: Some(Refusal::Invalid),
            forced: false,
            repeated: false,
            check_in_id: None,
            ticket: known.as_ref().map(|known| known.shown.clone()),
            first: None,
        };
        if let Some(earlier) = earlier.as_ref().filter(|earlier| earlier.accepted) {
            verdict.accepted = !earlier.annulled;
            verdict.reason = if earlier.annulled {
                Some(Refusal::Annulled)
            } else {
                earlier.reason
            };
            verdict.forced = verdict.accepted && verdict.reason.is_some();
            (verdict.repeated, verdict.check_in_id) = (true, Some(earlier.check_in_id));
            return (verdict, None);
        }
        let mut after = None;
        if let (Some(known), Some(claim), None) = (known, shown.claim, shown.scan.refused) {
            let old = i64::from(claim.code_version) != known.shown.ticket.code_version;
            let answer = self.answer(known, old, shown, now);
            (verdict.accepted, verdict.reason, verdict.forced) = (answer.accepted, answer.reason, answer.forced);
            if answer.reason == Some(Refusal::AlreadyRedeemed) {
                let first = |at| FirstScan {
                    at,
                    gate: known.seen.first_gate.clone(),
                };
                verdict.first = known.seen.first_at.map(first);
            }
            after = answer.accepted.then_some(answer.seen);
        }
        verdict.reason = shown.scan.refused.or(verdict.reason);
        if let Some(earlier) = earlier.as_ref().filter(|_| !verdict.accepted)
            && earlier.reason == verdict.reason
        {
            (verdict.repeated, verdict.check_in_id) = (true, Some(earlier.check_in_id));
        }
        (verdict, after)
    }

    fn answer(&self, known: &Known, code_is_old: bool, shown: &Presentation, now: Timestamp) -> Answer {
        let ticket = &known.shown.ticket;
        let question = Question {
            scan: check_in::Scan {
                kind: shown.scan.kind,
                scanned_at: shown.scan.scanned_at.unwrap_or(now),
                gate: shown.scan.gate.clone(),
                force: shown.scan.force,
                ignore_unpaid: shown.scan.ignore_unpaid,
            },
            presented: Presented {
                ticket: ticket.status,
                blocked: ticket.blocked,
                due: known.due,
                code_is_old,
                event: self.event,
                ticket_type_id: Some(ticket.ticket_type_id),
                valid_from: known.valid_from,
                valid_to: known.valid_to,
            },
            rules: self.rules.clone(),
            seen: known.seen.clone(),
        };
        let answer = question.answer();
        let mut of_now = question;
        let at = &mut of_now.scan.scanned_at;
        *at = (*at).clamp(now - ON_ITS_WAY, now + ON_ITS_WAY);
        match of_now.answer() {
            now if shown.live && answer.accepted && now.reason == Some(Refusal::InvalidTime) => now,
            _ => answer,
        }
    }

    /// Lets the scans that follow know of one that was written.
    pub(super) fn remember(&mut self, place: usize, shown: &[Presentation], verdict: &Verdict, seen: Option<&Seen>) {
        let Some(check_in_id) = verdict.check_in_id else { return };
        let this = &shown[place];
        let ticket = |shown: &Presentation| shown.claim.map(|claim| claim.ticket_id);
        for (later, known) in shown.iter().zip(&mut self.shown).skip(place + 1) {
            let same_ticket = known.known.is_some() && ticket(later) == ticket(this);
            if let (true, Some(known), Some(seen)) = (same_ticket, &mut known.known, seen) {
                known.seen = seen.clone();
            }
            let same_scan = later.scan.kind == this.scan.kind && later.scan.nonce == this.scan.nonce;
            if same_scan && (same_ticket || later.code_hash == this.code_hash) {
                known.earlier = Some(Earlier {
                    check_in_id,
                    accepted: verdict.accepted,
                    reason: verdict.reason,
                    annulled: false,
                });
            }
        }
    }
}

impl Shown {
    fn read(row: &Row) -> Result<Self> {
        let known = match rows::decode_optional::<Ticket>(row, rows::width::<CheckInList>())? {
            None => None,
            Some(ticket) => Some(Known {
                shown: ShownTicket {
                    ticket,
                    type_name: row.text("type_name")?,
                    holder: row.maybe_text("holder")?,
                },
                valid_from: row.maybe_time("valid_from")?,
                valid_to: row.maybe_time("valid_to")?,
                due: due(row)?,
                seen: seen(row)?,
            }),
        };
        let earlier = match row.maybe_text("earlier")? {
            None => None,
            Some(id) => Some(Earlier {
                check_in_id: sql::parse(&id)?,
                accepted: row.int("earlier_accepted")? != 0,
                reason: maybe(row, "earlier_reason")?,
                annulled: row.maybe_int("annulled_at")?.is_some(),
            }),
        };
        Ok(Self { known, earlier })
    }
}

/// What a ticket's order waits for, from its `order_status` and `awaits_approval`.
pub(super) fn due(row: &Row) -> Result<Due> {
    Ok(match (row.parse("order_status")?, row.int("awaits_approval")? != 0) {
        (OrderStatus::Pending, true) => Due::Approval,
        (OrderStatus::Pending, false) => Due::Payment,
        _ => Due::Nothing,
    })
}

/// What a list has seen of a ticket, from columns that are null where it has seen nothing.
pub(super) fn seen(row: &Row) -> Result<Seen> {
    Ok(Seen {
        entries: row.maybe_int("entries")?.unwrap_or(0),
        last_at: row.maybe_time("last_at")?,
        last_kind: maybe(row, "last_kind")?,
        first_at: row.maybe_time("first_at")?,
        first_gate: row.maybe_text("first_gate")?,
        entered_at: row.maybe_time("entered_at")?,
    })
}

fn maybe<T: std::str::FromStr<Err = domain::Invalid>>(row: &Row, column: &str) -> Result<Option<T>> {
    row.maybe_text(column)?.map(|text| sql::parse(&text)).transpose()
}
