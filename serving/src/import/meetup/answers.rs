//! RSVPs.

use super::super::{
    Report, moment,
    table::{self, Place},
};
use super::event_source;
use anyhow::Result;
use domain::Timestamp;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};
use transactional::imports::{ImportItem, ImportedOrder, ImportedPerson};

/// More guests than anyone brings. The real data has up to 99.
const MOST_GUESTS: i64 = 999;

/// All RSVPs of before 2008 were changed in this second, by Meetup: it tells nothing about when an event was.
const MIGRATION: Timestamp = Timestamp::from_millis(1_197_836_175_000);

pub(super) struct Answers {
    answers: Vec<(Place, Answer)>,
    /// In the order of the ids.
    events: BTreeMap<String, Sign>,
}

/// What the answers to one event tell of its time.
#[derive(Clone, Copy)]
pub(super) struct Sign {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

struct Answer {
    event_id: String,
    member_id: String,
    quantity: i64,
    kind: Kind,
    created_at: Timestamp,
    changed_at: Timestamp,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Yes,
    No,
    Waitlist,
}

/// `rsvp_id` is not read: hundreds of rows have -1 there. Event and member name an RSVP.
#[derive(Deserialize)]
struct Row {
    event_id: String,
    member_id: String,
    guests: i64,
    response: String,
    created: i64,
    mtime: i64,
}

impl Answers {
    pub(super) fn read(dir: &Path, report: &mut Report) -> Result<Self> {
        let columns = ["event_id", "member_id", "guests", "response", "created", "mtime"];
        let mut answers = Vec::new();
        let mut events: BTreeMap<String, Sign> = BTreeMap::new();
        let mut seen = HashSet::new();
        for (place, row) in table::rows::<Row>(dir, "rsvps.csv", &columns, report)? {
            let answer = match answer(row) {
                Ok(answer) => answer,
                Err(error) => {
                    report.leave_out("an RSVP that can't be true", format!("{place}: {error}"));
                    continue;
                }
            };
            if !seen.insert((answer.event_id.clone(), answer.member_id.clone())) {
                report.leave_out("an RSVP that was told before", place);
                continue;
            }
            let sign = answer.sign();
            let known = events.entry(answer.event_id.clone()).or_insert(sign);
            *known = Sign {
                first: known.first.min(sign.first),
                last: known.last.max(sign.last),
            };
            answers.push((place, answer));
        }
        Ok(Self { answers, events })
    }

    pub(super) fn events(&self) -> impl Iterator<Item = (&str, Sign)> {
        self.events.iter().map(|(id, sign)| (id.as_str(), *sign))
    }

    pub(super) fn of(&self, event_id: &str) -> Option<Sign> {
        self.events.get(event_id).copied()
    }

    pub(super) fn first(&self) -> Option<Timestamp> {
        self.events.values().map(|sign| sign.first).min()
    }

    /// The orders that the answers stand for, in the order in which they were placed.
    pub(super) fn orders(self, events: &HashSet<String>, report: &mut Report) -> Vec<ImportItem> {
        let mut answers = self.answers;
        answers.sort_by_key(|(_, answer)| answer.created_at);
        let mut orders = Vec::new();
        for (place, answer) in answers {
            if !events.contains(&answer.event_id) {
                report.leave_out("an RSVP to an unknown event", place);
                continue;
            }
            let cancelled_at = match answer.kind {
                Kind::Yes => None,
                Kind::No if answer.changed_at > answer.created_at => Some(answer.changed_at),
                Kind::No => {
                    report.leave_out("a \"no\" from the start, which is no order", place);
                    continue;
                }
                Kind::Waitlist => {
                    report.leave_out("a place on a waiting list, which is no order", place);
                    continue;
                }
            };
            orders.push(ImportItem::Order(ImportedOrder {
                source: format!("meetup:rsvp:{}:{}", answer.event_id, answer.member_id),
                event: event_source(&answer.event_id),
                person: ImportedPerson {
                    source: format!("meetup:member:{}", answer.member_id),
                    email: None,
                    name: None,
                },
                quantity: answer.quantity,
                placed_at: answer.created_at,
                cancelled_at,
            }));
        }
        orders
    }
}

impl Answer {
    fn sign(&self) -> Sign {
        let changed_at = if self.changed_at == MIGRATION {
            self.created_at
        } else {
            self.changed_at
        };
        Sign {
            first: self.created_at,
            last: self.created_at.max(changed_at),
        }
    }
}

fn answer(row: Row) -> Result<Answer, String> {
    if row.event_id.is_empty() || row.member_id.is_empty() {
        return Err("without event or member".to_owned());
    }
    if !(0..=MOST_GUESTS).contains(&row.guests) {
        return Err(format!("{} guests", row.guests));
    }
    let kind = match row.response.as_str() {
        "yes" => Kind::Yes,
        "no" => Kind::No,
        "waitlist" => Kind::Waitlist,
        other => return Err(format!("the answer {other:?}")),
    };
    Ok(Answer {
        event_id: row.event_id,
        member_id: row.member_id,
        quantity: 1 + row.guests,
        kind,
        created_at: moment(row.created)?,
        changed_at: moment(row.mtime)?,
    })
}
