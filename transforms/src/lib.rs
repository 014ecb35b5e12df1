//! The SQL project: what every figure means, in `.sql` files that read each other, each with a `.yml` beside it that
//! says what one row is and what has to be true of it; and the program that plans, keeps, runs and tests them.
//!
//! `staging/` takes up the lake's tables, one transform each. `intermediate/` has steps that several marts share.
//! `marts/` has what people ask for. `metrics/` says what figures can be asked of them, by any dimension, and `questions/`
//! has answers with a name. A transform reads others by `{{ ref('…') }}` and the lake by `{{ source('lake', '…') }}`; SQL sees it as `staging.…`, `intermediate.…` or `marts.…`, behind the
//! same wall between organizers as the lake itself.
//!
//! # Positions
//!
//! A view of the lake stands at a [`Position`](lakehouse::relations::Position): every change up to a `seq`, every
//! interaction before an offset a partition. A run computes rows as of one such view and commits them to a Delta table
//! (`LAKE_URL/marts/…`) *with* the position, as application transactions. A commit names the position that it moves on
//! from, so a run that comes second, or again after a crash, commits nothing. How stale a table is, is a subtraction.
//!
//! # An answer is kept rows and what has come since
//!
//! A query at position E finds kept rows as of P and makes up the difference, exactly, in one of two ways. Which one a
//! mart uses, its `.yml` says.
//!
//! - **rollup**, for facts: rows that stand for something that happened, and never change. What takes a fact back is a
//!   fact of its own (a cancellation stands at its own minute, and leaves the sale where it was). The changes of the
//!   lake are such rows, and between P and E there are few. The transform's SQL is run over these alone, and its rows
//!   are merged with the kept ones by the function that each column names (`sum`, `min`, `max`; they are associative,
//!   so it doesn't matter in which portions the facts come). A run appends its portion and now and then merges small
//!   files.
//! - **overwrite**, for states: rows follow from the newest version of things, and a change may move them anywhere. But
//!   each row has a key (an event, a person, a session on a day), and a change touches the keys that it names. Keys
//!   that nothing touched between P and E have the rows that they had; for the others the transform's SQL is run at E,
//!   filtered by the key. Which keys are touched follows from the key's columns in each table that the transform reads;
//!   where a row has a say in keys that it doesn't name, a query of the `.yml` finds them. A key is a part of the thing
//!   that never changes, such as an order's event, so that the version before touches no other. Late rows reopen only
//!   the keys that they name.
//!
//! A rebuild computes all rows in one commit. Where a transform has a key, it does so in parts, so that it needs memory for
//! one alone: some days at a time if the key has a day, and else a range of ids.
//!
//! A **view** keeps nothing, and reads others' answers. A **table** is computed as a whole now and then, for what looks
//! across organizers and may be minutes old; it alone may answer from the past.
//!
//! # What makes it wrong, and what prevents it
//!
//! - *A transform means something else now.* Each has a fingerprint of its SQL and of all that it reads, committed with
//!   its rows. Rows with another fingerprint are not used, and the next run rebuilds the table, in one commit.
//! - *A process has not read as far as a mart was computed.* It leaves the kept rows aside, and computes from what it
//!   has.
//! - *The SQL depends on when it is run.* Clocks, such as `now()`, and chance stand in no transform that keeps rows; the
//!   loader refuses them.
//! - *Nobody noticed.* A test makes up histories, with runs, commits, crashes and a second process in between, and
//!   compares every transform's answer with a rebuild after every step.
//!
//! Money never adds across currencies: every row has one. A day in a mart about events is a day of the event's own time
//! zone, which may change: so rows are kept by the minute or the quarter of an hour in UTC, and those by day, whose key is
//! the event, are computed again when it does.

mod answer;
mod check;
mod docs;
pub mod metrics;
pub mod project;
mod questions;
mod run;

pub use check::Checked;
pub use project::Project;
pub use questions::{Question, question, questions};
pub use run::{How, Ran, Runner};

#[cfg(test)]
mod tests;
