//! Reads what other programs exported, and says it in the core's words: organizers, venues, events, orders, in an order
//! in which each comes after what it refers to. Nothing here writes; the core takes the items, and taking them again
//! changes nothing, because every id is derived from its `source`.
//!
//! A row that can't be understood never stops an import. It is counted, and the first few are named.

mod language;
pub(crate) mod meetup;
pub(crate) mod rladies;
mod series;
mod table;
mod text;

use domain::{Timestamp, event::EventStatus};
use std::{collections::BTreeMap, fmt};
use transactional::imports::ImportItem;

/// How many rows of one kind are named: enough to find the cause, few enough to read.
const NAMED: usize = 3;

/// What a folder holds.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) items: Vec<ImportItem>,
    pub(crate) report: Report,
}

/// What of the folder is not among the items, and what had to be assumed where the folder says nothing.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) left_out: BTreeMap<&'static str, LeftOut>,
    pub(crate) notes: Vec<String>,
}

#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    pub(crate) rows: u64,
    /// Where the first few stand: file, line, and what is wrong there.
    pub(crate) first: Vec<String>,
}

impl Report {
    fn leave_out(&mut self, why: &'static str, place: impl fmt::Display) {
        let left_out = self.left_out.entry(why).or_default();
        left_out.rows += 1;
        if left_out.first.len() < NAMED {
            left_out.first.push(place.to_string());
        }
    }

    fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }

    /// How many rows were left out for this reason.
    #[cfg(test)]
    fn rows(&self, why: &str) -> u64 {
        self.left_out.get(why).map_or(0, |left_out| left_out.rows)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (why, LeftOut { rows, first }) in &self.left_out {
            writeln!(
                f,
                "left out: {rows} × {why} ({}{})",
                first.join("; "),
                if *rows > NAMED as u64 { "; …" } else { "" }
            )?;
        }
        for what in &self.notes {
            writeln!(f, "note: {what}")?;
        }
        Ok(())
    }
}

/// Times outside of these are typing errors or garbage: Meetup was founded in 2002.
const EARLIEST: Timestamp = Timestamp::from_millis(1_009_843_200_000);
const LATEST: Timestamp = Timestamp::from_millis(4_102_444_800_000);

/// Milliseconds since 1970.
fn moment(millis: i64) -> Result<Timestamp, String> {
    plausible(Timestamp::from_millis(millis)).ok_or_else(|| format!("{millis} is no time between 2002 and 2100"))
}

fn plausible(at: Timestamp) -> Option<Timestamp> {
    (EARLIEST..LATEST).contains(&at).then_some(at)
}

/// An export says how things stood on its day. What was to come then and lies behind us now has ended.
fn status(cancelled: bool, ends_at: Timestamp, now: Timestamp) -> EventStatus {
    if cancelled {
        EventStatus::Cancelled
    } else if ends_at <= now {
        EventStatus::Ended
    } else {
        EventStatus::Published
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// The day on which the tests' clock stands still.
    pub(super) fn today() -> Timestamp {
        "2026-11-01T00:00:00Z".parse().unwrap()
    }

    /// A folder of the real data, which is no part of the repository. None, said aloud, where it is not at hand.
    pub(super) fn real(folder: &str) -> Option<PathBuf> {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(folder);
        if path.is_dir() {
            return Some(path);
        }
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "CI=true, but the real data is missing: {}",
            path.display()
        );
        eprintln!("left out: this test needs {}", path.display());
        None
    }

    #[test]
    fn a_report_counts_all_and_names_the_first() {
        let mut report = Report::default();
        for line in 2..12 {
            report.leave_out("no time", format!("rsvps.csv:{line}"));
        }
        assert_eq!(report.rows("no time"), 10);
        assert_eq!(
            report.to_string(),
            "left out: 10 × no time (rsvps.csv:2; rsvps.csv:3; rsvps.csv:4; …)\n"
        );
    }

    #[test]
    fn absurd_times_are_none() {
        for wrong in [-1, 0, 1_475_205_171, i64::MAX, i64::MIN] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
        assert_eq!(moment(1_475_205_171_000).unwrap().as_millis(), 1_475_205_171_000);
    }
}
