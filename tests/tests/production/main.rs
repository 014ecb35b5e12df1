//! Bilten as it runs in production: several processes on PostgreSQL, Apache Kafka and S3, and what becomes of them when
//! any part fails.

#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a long test says how it goes, and a step that fails is a failed test"
)]

mod erasure;
mod faults;
mod load;
mod network;
mod roles;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tests that kill the servers which others use have to take turns.
fn my_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
