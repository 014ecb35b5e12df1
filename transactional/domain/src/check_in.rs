//! The verdict at a door. One pure function, so that a scanner without a network gives the same one as the server and
//! counts as it does. Whatever goes in and comes out is plain serde; times are microseconds since 1970, UTC.

use crate::{TicketTypeId, Timestamp, event::EventStatus, order::TicketStatus, record::states};
use serde::{Deserialize, Serialize};
use std::time::Duration;

states! {
    ScanKind {
        Entry = "entry",
        Exit = "exit",
    }
    /// What a ticket's order still waits for.
    Due {
        Nothing = "nothing",
        /// It is paid at the door, or later.
        Payment = "payment",
        /// The organizer has to say yes.
        Approval = "approval",
    }
    /// Why a scan is refused, in the order in which the rules are asked.
    Refusal {
        /// No code of this event: nothing is known of who shows it.
        Invalid = "invalid",
        /// This very scan was accepted and then taken back.
        Annulled = "annulled",
        /// The ticket has a newer code.
        Revoked = "revoked",
        Cancelled = "cancelled",
        EventClosed = "event_closed",
        /// The organizer's staff has blocked the ticket.
        Blocked = "blocked",
        /// The organizer has not approved the order.
        Unapproved = "unapproved",
        /// Outside of the ticket's or of the list's time.
        InvalidTime = "invalid_time",
        TicketType = "ticket_type",
        /// The order is to be paid first.
        Unpaid = "unpaid",
        /// Too soon after the last entry, or the second one of a day; or nobody can tell.
        Rules = "rules",
        AlreadyRedeemed = "already_redeemed",
    }
}

/// One presentation of a ticket, as a scanner tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    pub kind: ScanKind,
    pub scanned_at: Timestamp,
    pub gate: Option<String>,
    /// It has happened at a door already: count it, whatever the rules say.
    pub force: bool,
    /// Let in who has not paid yet, on a list that includes pending orders.
    pub ignore_unpaid: bool,
}

/// What a door knows of a ticket when its code has been verified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presented {
    pub ticket: TicketStatus,
    pub blocked: bool,
    pub due: Due,
    /// The code on the paper is older than the ticket's newest code.
    pub code_is_old: bool,
    pub event: EventStatus,
    /// None: the door doesn't know it. A list for certain types then refuses.
    pub ticket_type_id: Option<TicketTypeId>,
    pub valid_from: Option<Timestamp>,
    pub valid_to: Option<Timestamp>,
}

/// What a check-in list allows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListRules {
    /// After an exit, the ticket may enter again.
    pub reentry: bool,
    /// Every entry counts, without an exit between.
    pub multi_entry: bool,
    /// Who has not paid yet may be let in, if the scan says so.
    pub include_pending: bool,
    /// Empty: every ticket type of the event.
    pub ticket_types: Vec<TicketTypeId>,
    /// People enter from then on.
    pub opens_at: Option<Timestamp>,
    /// From then on nobody enters any more.
    pub closes_at: Option<Timestamp>,
    /// So long after an entry the ticket enters again at the earliest.
    pub min_gap_minutes: Option<i64>,
    /// One entry on a day of the event's time zone.
    pub once_a_day: bool,
    /// The event's, by its IANA name.
    pub timezone: String,
    /// When everybody who was inside was let out at once, the last time.
    pub emptied_at: Option<Timestamp>,
}

/// What a list has seen of a ticket: accepted scans only. It is the same in whatever order the scans become known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    pub entries: i64,
    /// The last scan by the scanners' time. Of two at the same moment the exit is the later one.
    pub last_at: Option<Timestamp>,
    pub last_kind: Option<ScanKind>,
    /// The first entry.
    pub first_at: Option<Timestamp>,
    pub first_gate: Option<String>,
    /// The last entry.
    pub entered_at: Option<Timestamp>,
}

/// All that a verdict asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub scan: Scan,
    pub presented: Presented,
    pub rules: ListRules,
    pub seen: Seen,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub accepted: bool,
    /// Why not, or why not if it had not been forced.
    pub reason: Option<Refusal>,
    /// It would have been refused.
    pub forced: bool,
    /// What the list has seen now.
    pub seen: Seen,
}

impl Question {
    pub fn answer(&self) -> Answer {
        let reason = judge(&self.scan, &self.presented, &self.rules, &self.seen).err();
        let accepted = reason.is_none() || self.scan.force;
        Answer {
            accepted,
            reason,
            forced: accepted && reason.is_some(),
            seen: match accepted {
                true => self.seen.clone().after(&self.scan),
                false => self.seen.clone(),
            },
        }
    }
}

/// `Ok` if the person may pass. `force` overrides every reason but an invalid code, which [`crate::ticket_code`] has
/// found before this is asked.
pub fn judge(scan: &Scan, shown: &Presented, rules: &ListRules, seen: &Seen) -> Result<(), Refusal> {
    let (at, entry) = (scan.scanned_at, scan.kind == ScanKind::Entry);
    let in_time = || within(at, shown.valid_from, shown.valid_to) && within(at, rules.opens_at, rules.closes_at);
    let reason = if shown.code_is_old {
        Refusal::Revoked
    } else if shown.ticket == TicketStatus::Cancelled {
        Refusal::Cancelled
    } else if entry && !shown.event.doors_may_open() {
        Refusal::EventClosed
    } else if shown.blocked {
        Refusal::Blocked
    } else if entry && shown.due == Due::Approval {
        Refusal::Unapproved
    } else if entry && !in_time() {
        Refusal::InvalidTime
    } else if !rules.lists(shown.ticket_type_id) {
        Refusal::TicketType
    } else if entry && shown.due == Due::Payment && !(rules.include_pending && scan.ignore_unpaid) {
        Refusal::Unpaid
    } else if entry && !rules.pace(at, seen).unwrap_or(false) {
        Refusal::Rules
    } else if entry && !rules.may_enter(at, seen) {
        Refusal::AlreadyRedeemed
    } else {
        return Ok(());
    };
    Err(reason)
}

fn within(at: Timestamp, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
    from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to)
}

impl ListRules {
    fn lists(&self, ticket_type: Option<TicketTypeId>) -> bool {
        self.ticket_types.is_empty() || ticket_type.is_some_and(|id| self.ticket_types.contains(&id))
    }

    /// Whether enough time has passed since the last entry. None: it can't be told, for want of a time zone or because
    /// the scan is older than the last entry that is known.
    fn pace(&self, at: Timestamp, seen: &Seen) -> Option<bool> {
        let zone = match self.once_a_day {
            true => Some(self.timezone.parse::<chrono_tz::Tz>().ok()?),
            false => None,
        };
        let Some(entered_at) = seen
            .entered_at
            .filter(|_| self.once_a_day || self.min_gap_minutes.is_some())
        else {
            return Some(true);
        };
        if at < entered_at {
            return None;
        }
        let gap = Duration::from_secs(60 * u64::try_from(self.min_gap_minutes.unwrap_or(0)).ok()?);
        Some(at.since(entered_at) >= gap && zone.is_none_or(|zone| at.date_in(zone) != entered_at.date_in(zone)))
    }

    fn may_enter(&self, at: Timestamp, seen: &Seen) -> bool {
        let emptied = self.emptied_at.filter(|emptied_at| *emptied_at < at);
        self.multi_entry || seen.entries == 0 || (self.reentry && !seen.inside(emptied))
    }
}

impl Seen {
    /// What the list has seen after one more scan that was accepted.
    #[must_use]
    pub fn after(mut self, scan: &Scan) -> Self {
        let (at, rank) = (scan.scanned_at, |kind| kind == ScanKind::Exit);
        if self
            .last_at
            .zip(self.last_kind)
            .is_none_or(|(last, kind)| (last, rank(kind)) <= (at, rank(scan.kind)))
        {
            (self.last_at, self.last_kind) = (Some(at), Some(scan.kind));
        }
        if scan.kind == ScanKind::Entry {
            self.entries += 1;
            self.entered_at = self.entered_at.max(Some(at));
            if self
                .first_at
                .is_none_or(|first| (at, &scan.gate) < (first, &self.first_gate))
            {
                (self.first_at, self.first_gate) = (Some(at), scan.gate.clone());
            }
        }
        self
    }

    /// Whether the person is inside, with what is known. Who came in before the list was emptied is not.
    pub fn inside(&self, emptied_at: Option<Timestamp>) -> bool {
        self.last_kind == Some(ScanKind::Entry) && self.last_at > emptied_at
    }
}

#[cfg(test)]
mod tests;
