//! The core: every command that sells, admits and manages, and the one store of truth that they write to.
//!
//! A command is a function on [`Tx`]; the writer runs it under a savepoint, and commits it together with its changes.
//! A query is a function on any [`Source`]. This crate owns sqlx; no SQL and no connection leaves it.

pub mod access;
pub mod audit;
pub mod check_ins;
pub mod correlation;
pub mod devices;
mod dialect;
pub mod erasure;
mod error;
pub mod events;
pub mod gates;
pub mod holds;
pub mod idempotency;
pub mod imports;
pub mod insights;
mod leases;
pub mod ledger;
pub mod mail;
pub mod names;
pub mod orders;
pub mod organizers;
mod outbox;
mod page;
pub mod payments;
pub mod people;
mod person_keys;
pub mod pools;
mod processes;
pub mod promo_codes;
mod quotes;
pub mod reconciliation;
mod rows;
mod secrets;
mod sql;
mod store;
mod sweeper;
pub mod ticket_keys;
pub mod ticket_types;
pub mod tickets;
mod tx;
pub mod venues;
pub mod waiting_list;
pub mod webhooks;
mod writer;

pub use error::{Error, Kind, Refusal, Result};
pub use idempotency::{IdempotencyKey, Once};
pub use leases::Lease;
pub use page::{Cursor, Page, PageRequest};
pub use person_keys::{PersonKeys, has_sealed};
pub use processes::Process;
pub use store::{Reader, Store, StoreOptions};
pub use sweeper::Swept;
pub use tx::{Source, Stored, Tx};

#[cfg(test)]
#[allow(clippy::duplicate_mod, reason = "the suite is compiled once a database")]
mod tests;
