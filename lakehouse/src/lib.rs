//! The lake: one Delta table an entity, each with a tail of rows that are newer than its last commit, and SQL over both.
//!
//! `Lake::publish` makes rows of several tables visible at one moment; a committer writes them to Delta together with
//! the log's offsets; a `Session` answers a principal's queries from one view of all tables. `Relations` are what others
//! define over them. After a crash the tail is
//! gone, and the sink reads it again from `Lake::committed`.
//!
//! This crate knows no log, no core and no HTTP. It owns arrow, datafusion and deltalake, and hands on what others need.

mod cache;
mod catalog;
mod commit;
mod coop;
mod current;
pub mod decode;
mod engine;
pub mod erase;
mod error;
mod fault;
mod follow;
mod functions;
mod group;
mod growth;
mod guard;
pub mod kept;
mod lake;
mod latest;
mod layout;
mod maintain;
mod memory;
mod options;
pub mod output;
pub mod postgres;
pub mod relations;
mod remote;
mod scan;
mod session;
mod size;
mod snapshot;
mod spill;
mod store;
mod sum;
mod system;
mod tables;
mod values;
mod view;

#[cfg(test)]
#[allow(clippy::duplicate_mod, reason = "the suite is compiled once a place")]
mod tests;

pub use arrow;
pub use arrow::{array::RecordBatch, datatypes::SchemaRef};
pub use async_trait::async_trait;
pub use error::{Error, ErrorKind, Result};
pub use fault::Fault;
pub use lake::{Lag, Lake, Publish};
pub use layout::{Layout, PageRanges};
pub use options::LakeOptions;
pub use parquet::basic::{Compression, ZstdLevel};
pub use session::{Principal, QueryStream, Session};
pub use tables::{CHANGES, INTERACTIONS, TableSpec, UNROUTED, table_specs};
pub use values::{Described, Parameter};
