use super::*;
use proptest::prelude::*;

fn once() -> ListRules {
    ListRules {
        timezone: "Europe/Vienna".into(),
        ..ListRules::default()
    }
}

fn reentry() -> ListRules {
    ListRules {
        reentry: true,
        ..once()
    }
}

fn multi() -> ListRules {
    ListRules {
        multi_entry: true,
        ..once()
    }
}

fn shown() -> Presented {
    Presented {
        ticket: TicketStatus::Valid,
        blocked: false,
        due: Due::Nothing,
        code_is_old: false,
        event: EventStatus::Published,
        ticket_type_id: None,
        valid_from: None,
        valid_to: None,
    }
}

fn scan(kind: ScanKind, at: Timestamp) -> Scan {
    Scan {
        kind,
        scanned_at: at,
        gate: None,
        force: false,
        ignore_unpaid: false,
    }
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_micros(minutes * 60_000_000)
}

fn entry(minutes: i64) -> Scan {
    scan(ScanKind::Entry, at(minutes))
}

fn exit(minutes: i64) -> Scan {
    scan(ScanKind::Exit, at(minutes))
}

fn time(text: &str) -> Scan {
    scan(ScanKind::Entry, text.parse().unwrap())
}

fn seen(scans: &[Scan]) -> Seen {
    scans.iter().fold(Seen::default(), Seen::after)
}

#[test]
fn a_second_entry_needs_an_exit_and_a_list_that_allows_it() {
    let (inside, outside) = (seen(&[entry(1)]), seen(&[entry(1), exit(2)]));
    let again = |rules: &ListRules, seen: &Seen| judge(&entry(3), &shown(), rules, seen);
    assert_eq!(again(&reentry(), &inside), Err(Refusal::AlreadyRedeemed));
    assert_eq!(again(&reentry(), &outside), Ok(()));
    assert_eq!(again(&once(), &outside), Err(Refusal::AlreadyRedeemed));
    assert_eq!(again(&multi(), &inside), Ok(()));
}

#[test]
fn an_exit_comes_first_or_twice_or_late() {
    let ends = Presented {
        valid_to: Some(at(100)),
        ..shown()
    };
    let exited = seen(&[exit(1)]);
    assert_eq!(judge(&exit(500), &ends, &once(), &exited), Ok(()));
    assert_eq!(judge(&entry(2), &ends, &once(), &exited), Ok(()));
    assert_eq!(
        judge(&entry(100), &ends, &once(), &Seen::default()),
        Err(Refusal::InvalidTime)
    );
}

#[test]
fn the_first_reason_in_order_is_the_one_told() {
    let listed = ListRules {
        ticket_types: vec![TicketTypeId::new()],
        closes_at: Some(at(0)),
        min_gap_minutes: Some(60),
        ..once()
    };
    let mut rules = listed;
    let mut all = Presented {
        ticket: TicketStatus::Cancelled,
        blocked: true,
        due: Due::Approval,
        code_is_old: true,
        event: EventStatus::Postponed,
        ..shown()
    };
    let inside = seen(&[entry(1)]);
    let mut told = Vec::new();
    while let Err(reason) = judge(&entry(2), &all, &rules, &inside) {
        told.push(reason);
        match reason {
            Refusal::Revoked => all.code_is_old = false,
            Refusal::Cancelled => all.ticket = TicketStatus::Valid,
            Refusal::EventClosed => all.event = EventStatus::Published,
            Refusal::Blocked => all.blocked = false,
            Refusal::Unapproved => all.due = Due::Payment,
            Refusal::Unpaid => all.due = Due::Nothing,
            Refusal::InvalidTime => rules.closes_at = None,
            Refusal::TicketType => rules.ticket_types.clear(),
            Refusal::Rules => rules.min_gap_minutes = None,
            _ => rules.multi_entry = true,
        }
    }
    assert_eq!(
        told,
        Refusal::ALL[2..],
        "no code and a scan taken back are found before"
    );
}

#[test]
fn a_list_has_its_hours_for_those_who_come_in() {
    let rules = ListRules {
        opens_at: Some(at(10)),
        closes_at: Some(at(20)),
        ..once()
    };
    let verdict = |scan: &Scan| judge(scan, &shown(), &rules, &Seen::default());
    assert_eq!(verdict(&entry(9)), Err(Refusal::InvalidTime));
    assert_eq!(verdict(&entry(10)), Ok(()));
    assert_eq!(verdict(&entry(20)), Err(Refusal::InvalidTime));
    assert_eq!(verdict(&exit(25)), Ok(()));
}

#[test]
fn who_has_not_paid_enters_only_where_the_list_and_the_scan_allow_it() {
    let owing = |due| Presented { due, ..shown() };
    for (listed, ignored, paid) in [
        (false, false, Err(Refusal::Unpaid)),
        (false, true, Err(Refusal::Unpaid)),
        (true, false, Err(Refusal::Unpaid)),
        (true, true, Ok(())),
    ] {
        let rules = ListRules {
            include_pending: listed,
            ..once()
        };
        let scan = Scan {
            ignore_unpaid: ignored,
            ..entry(1)
        };
        let verdict = |due| judge(&scan, &owing(due), &rules, &Seen::default());
        assert_eq!(verdict(Due::Payment), paid);
        assert_eq!(verdict(Due::Approval), Err(Refusal::Unapproved));
        assert_eq!(
            judge(&exit(2), &owing(Due::Payment), &rules, &seen(&[entry(1)])),
            Ok(())
        );
    }
}

#[test]
fn entries_keep_their_distance_and_what_can_not_be_told_is_refused() {
    let rules = ListRules {
        min_gap_minutes: Some(180),
        ..multi()
    };
    let entered = seen(&[entry(1_000)]);
    let verdict = |minutes: i64| judge(&entry(minutes), &shown(), &rules, &entered);
    assert_eq!(verdict(1_175), Err(Refusal::Rules));
    assert_eq!(verdict(1_180), Ok(()));
    assert_eq!(verdict(999), Err(Refusal::Rules), "older than what is known");
    assert_eq!(judge(&exit(1_001), &shown(), &rules, &entered), Ok(()));
    let nowhere = ListRules {
        once_a_day: true,
        timezone: "Mars/Olympus".into(),
        ..multi()
    };
    assert_eq!(
        judge(&entry(1), &shown(), &nowhere, &Seen::default()),
        Err(Refusal::Rules)
    );
}

#[test]
fn a_day_is_one_of_the_events_time_zone_also_when_the_clock_is_changed() {
    let rules = ListRules {
        once_a_day: true,
        ..multi()
    };
    let allowed = |first: &str, second: &str| judge(&time(second), &shown(), &rules, &seen(&[time(first)])) == Ok(());
    // On the 29th of March 2026 a day in Vienna has 23 hours, on the 25th of October 25.
    assert!(
        allowed("2026-03-28T22:59:00Z", "2026-03-28T23:00:00Z"),
        "midnight at UTC+1"
    );
    assert!(
        !allowed("2026-03-28T23:00:00Z", "2026-03-29T21:59:00Z"),
        "23 hours are one day"
    );
    assert!(
        allowed("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        "midnight at UTC+2"
    );
    assert!(
        !allowed("2026-10-24T22:00:00Z", "2026-10-25T22:59:00Z"),
        "25 hours are one day"
    );
    assert!(allowed("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"));
}

#[test]
fn who_was_let_out_with_everybody_may_come_back_if_the_list_allows_it() {
    let inside = seen(&[entry(1)]);
    let emptied = |rules: ListRules| ListRules {
        emptied_at: Some(at(5)),
        ..rules
    };
    assert_eq!(judge(&entry(6), &shown(), &emptied(reentry()), &inside), Ok(()));
    assert_eq!(
        judge(&entry(6), &shown(), &emptied(once()), &inside),
        Err(Refusal::AlreadyRedeemed)
    );
    assert!(!inside.inside(Some(at(5))) && inside.inside(None) && inside.inside(Some(at(0))));
    assert_eq!(
        judge(&entry(3), &shown(), &emptied(reentry()), &inside),
        Err(Refusal::AlreadyRedeemed),
        "a scan from before"
    );
}

#[test]
fn a_question_and_its_answer_travel_as_json() {
    let question = Question {
        scan: Scan {
            force: true,
            gate: Some("North".into()),
            ..entry(2)
        },
        presented: shown(),
        rules: once(),
        seen: seen(&[entry(1)]),
    };
    let text = serde_json::to_string(&question).unwrap();
    let answer = serde_json::from_str::<Question>(&text).unwrap().answer();
    assert!(answer.accepted && answer.forced && answer.reason == Some(Refusal::AlreadyRedeemed));
    assert_eq!(answer.seen.entries, 2);
    let text = serde_json::to_value(&answer).unwrap();
    assert_eq!(text["reason"], "already_redeemed");
    assert_eq!(text["seen"]["last_at"], 120_000_000);
    let refused = Question {
        scan: entry(2),
        ..question.clone()
    };
    assert_eq!(
        (refused.answer().accepted, refused.answer().seen),
        (false, question.seen)
    );
}

proptest! {
    #[test]
    fn what_a_list_has_seen_does_not_depend_on_the_order(
        scans in prop::collection::vec((any::<bool>(), 0..6i64, 0..3u8), 0..8), swaps in prop::collection::vec((0..8usize, 0..8usize), 8)
    ) {
        let mut scans: Vec<Scan> = scans
            .into_iter()
            .map(|(enters, minute, gate)| Scan {
                gate: (gate > 0).then(|| gate.to_string()),
                ..if enters { entry(minute) } else { exit(minute) }
            })
            .collect();
        let in_order = seen(&scans);
        for (one, other) in swaps {
            if one < scans.len() && other < scans.len() {
                scans.swap(one, other);
            }
        }
        prop_assert_eq!(seen(&scans), in_order);
    }
}
