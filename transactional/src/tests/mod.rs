//! The core as its callers use it. The suite runs on each database; every test has one of its own.

mod backends;
mod postgres;
mod proxy;
mod sqlite;
mod world;

use crate::{
    Error, Result, Store, StoreOptions, Stored, audit::AuditSnapshot, check_ins, events, holds, orders, organizers,
    payments::TestProvider, pools, ticket_types, tickets,
};
use backends::{Backend, Postgres, Sqlite};
use domain::{
    CheckInListId, EventId, TicketTypeId, Timestamp,
    changes::{Change, Hold, Ticket},
    event::EventStatus,
};
use std::time::Duration;
use world::*;
