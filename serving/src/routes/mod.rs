//! The routes, a file a resource. A handler tells its whole story: what it takes, what it does, what it answers.

pub mod access;
pub mod audit;
pub mod check_ins;
pub mod devices;
pub mod downloads;
pub mod erasure;
pub mod events;
pub mod gates;
pub mod health;
pub mod holds;
pub mod imports;
pub mod interactions;
pub mod metrics;
pub mod orders;
pub mod organizers;
pub mod pages;
pub mod payments;
pub mod promo_codes;
pub mod scanner;
pub mod scans;
pub mod session;
pub mod sql;
pub mod status;
pub mod ticket_types;
pub mod tickets;
pub mod venues;
