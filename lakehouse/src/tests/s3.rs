//! The suite on an object store, and what only such a one does.

mod cache;
mod credentials;
mod faults;
mod puts;

use super::*;

type Place = S3;

#[path = "suite/mod.rs"]
mod suite;
