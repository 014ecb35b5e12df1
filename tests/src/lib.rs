//! What the tests and the benchmarks share: a data folder and the real program on it, a client that speaks HTTP to it,
//! and a small world of organizers and events to act in.
//!
//! All of it blocks: a buyer is a thread. Nothing here knows how the program is built inside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a world that can't be built is a failed test"
)]

pub mod cluster;
pub mod erasure;
pub mod figures;
mod http;
pub mod load;
pub mod proxy;
pub mod python;
mod random;
mod receiver;
mod server;
pub mod sql;
mod world;

pub use http::{Client, Request, Response, gzip};
pub use random::Random;
pub use receiver::{Received, Receiver};
pub use server::{Home, Server, program};
pub use world::{
    Buyer, Purchase, Show, event, interaction, iso, now_micros, order_body, organizer, scan, ticket_type, token, uuid7,
};
