//! What the business is, and nothing else: ids, money, time, the life of events, orders and tickets, the verdict at a
//! door, and the registry of changes that every other crate derives its schemas from.
//!
//! The domain knows no SQL, no Arrow, no network, no clock of its own and no async.

pub mod alert;
pub mod attendee;
pub mod changes;
pub mod check_in;
pub mod event;
mod ids;
pub mod interaction;
pub mod message;
mod money;
pub mod order;
pub mod pricing;
pub mod record;
pub mod role;
pub mod schedule;
mod text;
pub mod ticket_code;
mod time;

pub use ids::*;
pub use money::{Currency, Money};
pub use role::Role;
pub use text::{Email, Label, Slug, is_hidden};
pub use time::{Timestamp, check_timezone};

/// A value that breaks a rule of the domain, said so that a person can mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Invalid {
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}
