//! The scanner page judges without a server, in TypeScript. It gives the domain's verdicts: here is a table of thousands
//! of them, made anew each time, and the page's own tests go through it.

use crate::{file_in, vitest};
use domain::{
    TicketId, TicketTypeId, Timestamp,
    attendee::{self, Attendee},
    check_in::{Due, ListRules, Presented, Question, Scan, ScanKind, Seen},
    event::EventStatus,
    order::TicketStatus,
    ticket_code::{Claim, EventKey, TicketCode},
};
use serde_json::{Value, json};
use tests::Random;

const QUESTIONS: usize = 8_000;
const CODES: usize = 300;
const MINUTE: i64 = 60_000_000;
/// Midnight in Vienna before the clock is changed, once to 23 hours and once to 25.
const NIGHTS: [&str; 2] = ["2026-03-28T23:00:00Z", "2026-10-24T22:00:00Z"];

#[test]
fn the_page_gives_the_verdicts_of_the_domain() {
    let mut random = Random::announced("verdicts");
    let questions: Vec<Value> = (0..QUESTIONS)
        .map(|_| {
            let question = question(&mut random);
            json!({ "question": question, "answer": question.answer() })
        })
        .collect();
    let told = |reason: Value| {
        questions
            .iter()
            .filter(|case| case["answer"]["reason"] == reason)
            .count()
    };
    for reason in [
        "revoked",
        "cancelled",
        "event_closed",
        "blocked",
        "unapproved",
        "unpaid",
        "invalid_time",
        "ticket_type",
        "rules",
        "already_redeemed",
    ] {
        assert!(
            told(json!(reason)) > 20,
            "{reason} is hardly asked: {}",
            told(json!(reason))
        );
    }
    assert!(told(Value::Null) > QUESTIONS / 20, "hardly anybody is let in");
    let codes: Vec<Value> = (0..CODES).map(|_| code(&mut random)).collect();
    let folder = tempfile::tempdir().unwrap();
    let table = json!({ "questions": questions, "codes": codes, "key": hex(&key(7).public().to_bytes()) });
    let file = file_in(&folder, "verdicts.json", &table.to_string());
    vitest(
        "scanner",
        "vitest.twin.config.ts",
        ("BILTEN_VERDICTS", file.to_str().unwrap()),
    );
}

/// One of them. What matters most stands first, and is twice as likely.
fn pick<T: Clone>(random: &mut Random, choices: &[T]) -> T {
    let place = random.below(choices.len() as u64 + 1) as usize;
    choices[place.saturating_sub(1)].clone()
}

fn maybe<T>(random: &mut Random, make: impl FnOnce(&mut Random) -> T) -> Option<T> {
    (random.below(3) == 0).then(|| make(random))
}

fn chance(random: &mut Random, one_in: u64) -> bool {
    random.below(one_in) == 0
}

/// Often the same moment, or one beside it, or the other side of a midnight.
fn moment(random: &mut Random) -> Timestamp {
    let night: Timestamp = pick(random, &NIGHTS).parse().unwrap();
    let minutes = pick(random, &[0, 0, 30, 60, 61, 23 * 60, 24 * 60, 25 * 60]);
    let micros = pick(random, &[0, 1, -1]);
    Timestamp::from_micros(night.as_micros() + minutes * MINUTE + micros)
}

fn scan(random: &mut Random) -> Scan {
    Scan {
        kind: pick(random, &[ScanKind::Entry, ScanKind::Exit]),
        scanned_at: moment(random),
        gate: pick(
            random,
            &[
                Some("Nord".into()),
                Some("Süd".into()),
                Some("\u{ffee}".into()),
                Some("🎪".into()),
                None,
            ],
        ),
        force: chance(random, 5),
        ignore_unpaid: chance(random, 2),
    }
}

fn types() -> [TicketTypeId; 3] {
    let id = |number: u8| format!("018f0000-0000-7000-8000-00000000000{number}").parse().unwrap();
    [id(1), id(2), id(3)]
}

fn question(random: &mut Random) -> Question {
    let scans = random.below(4);
    let seen = (0..scans).fold(Seen::default(), |seen, _| seen.after(&scan(random)));
    Question {
        scan: scan(random),
        presented: Presented {
            ticket: match chance(random, 12) {
                true => TicketStatus::Cancelled,
                false => TicketStatus::Valid,
            },
            blocked: chance(random, 12),
            due: match chance(random, 5) {
                true => pick(random, &[Due::Payment, Due::Payment, Due::Approval]),
                false => Due::Nothing,
            },
            code_is_old: chance(random, 12),
            event: match chance(random, 5) {
                true => pick(random, EventStatus::ALL),
                false => EventStatus::Published,
            },
            ticket_type_id: maybe(random, |random| pick(random, &types())),
            valid_from: maybe(random, moment),
            valid_to: maybe(random, moment),
        },
        rules: rules(random),
        seen,
    }
}

fn rules(random: &mut Random) -> ListRules {
    ListRules {
        reentry: chance(random, 2),
        multi_entry: chance(random, 3),
        include_pending: chance(random, 2),
        ticket_types: match chance(random, 4) {
            true => types()[..1 + random.below(2) as usize].to_vec(),
            false => Vec::new(),
        },
        opens_at: maybe(random, moment).filter(|_| chance(random, 2)),
        closes_at: maybe(random, moment).filter(|_| chance(random, 2)),
        min_gap_minutes: maybe(random, |random| pick(random, &[60, 0, 1, 30, 24 * 60])),
        once_a_day: chance(random, 3),
        timezone: pick(
            random,
            &[
                "Europe/Vienna",
                "UTC",
                "Asia/Kathmandu",
                "America/St_Johns",
                "Mars/Olympus",
            ],
        )
        .into(),
        emptied_at: maybe(random, moment),
    }
}

fn key(seed: u8) -> EventKey {
    EventKey::from_seed(&[seed; 32])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A code that is good, or of another key, or with a letter changed, cut off or added; and its box.
fn code(random: &mut Random) -> Value {
    let seed = pick(random, &[7, 7, 7, 8]);
    let claim = Claim {
        ticket_id: TicketId::new(),
        code_version: random.below(1 << 16) as u16,
        key_number: pick(random, &[0, 0, 1]),
    };
    let signed = key(seed).sign(claim);
    let holder = Attendee {
        ticket_type_id: types()[0],
        name: pick(
            random,
            &[Some("Ada Lovelace".to_owned()), Some("Zoë 🎫 بتول".to_owned()), None],
        ),
    };
    let sealed = attendee::seal(&signed, &holder).unwrap();
    let text = spoilt(random, signed.to_string());
    let read: Option<TicketCode> = text.parse().ok();
    let good = read.as_ref().filter(|code| key(7).public().verifies(code));
    let claim = good
        .and_then(|code| code.claim().ok())
        .filter(|claim| claim.key_number == 0);
    let opened = read.as_ref().and_then(|code| attendee::open(code, &sealed).ok());
    json!({
        "text": text,
        "claim": claim.map(|claim| json!({ "ticketId": claim.ticket_id, "codeVersion": claim.code_version, "keyNumber": claim.key_number })),
        "box": sealed,
        "label": read.as_ref().map(attendee::label),
        "opened": opened.map(|opened| json!({ "ticketTypeId": opened.ticket_type_id, "name": opened.name })),
    })
}

fn spoilt(random: &mut Random, mut text: String) -> String {
    let place = random.below(text.len() as u64) as usize;
    match random.below(6) {
        0 => text.replace_range(place..=place, pick(random, &["A", "_", "=", "+", " ", "9"])),
        1 => text.truncate(place),
        2 => text.insert_str(0, pick(random, &[" ", "A", "\n"])),
        _ => {}
    }
    text
}
