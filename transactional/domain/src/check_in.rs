//! The verdict at a door. One pure function, so that a scanner without a network can give the same one.

use crate::{Timestamp, event::EventStatus, order::TicketStatus, record::states};

states! {
    ScanKind {
        Entry = "entry",
        Exit = "exit",
    }
    /// Why a scan is refused, in the order in which the rules are asked.
    Refusal {
        Invalid = "invalid",
        Revoked = "revoked",
        Cancelled = "cancelled",
        EventClosed = "event_closed",
        InvalidTime = "invalid_time",
        TicketType = "ticket_type",
        AlreadyRedeemed = "already_redeemed",
    }
}

/// What a door knows of a ticket when its code has been verified.
#[derive(Clone, Debug)]
pub struct Presented {
    pub ticket: TicketStatus,
    pub event: EventStatus,
    /// The code on the paper is older than the ticket's newest code.
    pub code_is_old: bool,
    pub type_is_on_list: bool,
    pub valid_from: Option<Timestamp>,
    pub valid_to: Option<Timestamp>,
}

/// What a check-in list allows.
#[derive(Clone, Copy, Debug)]
pub struct ListRules {
    /// After an exit, the ticket may enter again.
    pub reentry: bool,
    /// Every entry counts, without an exit between.
    pub multi_entry: bool,
}

/// What this list has seen of this ticket: accepted scans only.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub entries: i64,
    pub last: Option<ScanKind>,
}

/// `Ok` if the person may pass. `force` records what already happened at a door: it overrides every reason but an
/// invalid code, which [`crate::ticket_code`] has found before this is asked.
pub fn judge(
    kind: ScanKind,
    scanned_at: Timestamp,
    shown: &Presented,
    rules: ListRules,
    seen: Seen,
) -> Result<(), Refusal> {
    let refusals = [
        (shown.code_is_old, Refusal::Revoked),
        (shown.ticket == TicketStatus::Cancelled, Refusal::Cancelled),
        (
            kind == ScanKind::Entry && !shown.event.doors_may_open(),
            Refusal::EventClosed,
        ),
        (
            kind == ScanKind::Entry && !within(scanned_at, shown.valid_from, shown.valid_to),
            Refusal::InvalidTime,
        ),
        (!shown.type_is_on_list, Refusal::TicketType),
        (
            kind == ScanKind::Entry && !may_enter_again(rules, seen),
            Refusal::AlreadyRedeemed,
        ),
    ];
    match refusals.into_iter().find(|(applies, _)| *applies) {
        Some((_, refusal)) => Err(refusal),
        None => Ok(()),
    }
}

fn within(at: Timestamp, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
    from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to)
}

fn may_enter_again(rules: ListRules, seen: Seen) -> bool {
    rules.multi_entry || seen.entries == 0 || (rules.reentry && seen.last == Some(ScanKind::Exit))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONCE: ListRules = ListRules {
        reentry: false,
        multi_entry: false,
    };
    const REENTRY: ListRules = ListRules {
        reentry: true,
        multi_entry: false,
    };

    fn shown() -> Presented {
        Presented {
            ticket: TicketStatus::Valid,
            event: EventStatus::Published,
            code_is_old: false,
            type_is_on_list: true,
            valid_from: None,
            valid_to: Some(Timestamp::from_micros(100)),
        }
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn a_second_entry_needs_an_exit_and_a_list_that_allows_it() {
        let inside = Seen {
            entries: 1,
            last: Some(ScanKind::Entry),
        };
        let outside = Seen {
            entries: 1,
            last: Some(ScanKind::Exit),
        };
        assert_eq!(
            judge(ScanKind::Entry, at(1), &shown(), REENTRY, inside),
            Err(Refusal::AlreadyRedeemed)
        );
        assert_eq!(judge(ScanKind::Entry, at(1), &shown(), REENTRY, outside), Ok(()));
        assert_eq!(
            judge(ScanKind::Entry, at(1), &shown(), ONCE, outside),
            Err(Refusal::AlreadyRedeemed)
        );
        let multi = ListRules {
            reentry: false,
            multi_entry: true,
        };
        assert_eq!(judge(ScanKind::Entry, at(1), &shown(), multi, inside), Ok(()));
    }

    #[test]
    fn an_exit_comes_first_or_twice_or_late() {
        let exited = Seen {
            entries: 0,
            last: Some(ScanKind::Exit),
        };
        assert_eq!(judge(ScanKind::Exit, at(500), &shown(), ONCE, exited), Ok(()));
        assert_eq!(judge(ScanKind::Entry, at(1), &shown(), ONCE, exited), Ok(()));
        assert_eq!(
            judge(ScanKind::Entry, at(100), &shown(), ONCE, Seen::default()),
            Err(Refusal::InvalidTime)
        );
    }

    #[test]
    fn the_first_reason_in_order_is_the_one_told() {
        let shown = Presented {
            code_is_old: true,
            ticket: TicketStatus::Cancelled,
            type_is_on_list: false,
            ..shown()
        };
        assert_eq!(
            judge(ScanKind::Entry, at(1), &shown, ONCE, Seen::default()),
            Err(Refusal::Revoked)
        );
        let shown = Presented {
            code_is_old: false,
            ..shown
        };
        assert_eq!(
            judge(ScanKind::Entry, at(1), &shown, ONCE, Seen::default()),
            Err(Refusal::Cancelled)
        );
    }
}
