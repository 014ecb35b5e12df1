//! How things come in: the event log, the relay (outbox → log), the sink (log → lake), and the door at which
//! interactions are collected.
//!
//! This crate knows no SQL and no Delta: it moves records and offsets, and the lake's own commits say how far it came.

mod chain;
mod change;
pub mod collector;
mod decode;
pub mod log;
mod people;
mod record;
pub mod relay;
pub mod sink;
pub mod trace;

pub use log::{EventLog, LogError, LogOptions, Retention, partition_for};
pub use record::{Headers, HeadersBuilder, LogRecord, Record};
pub use relay::{Relay, RelayError, RelayOptions, RelayPosition};
pub use sink::{Purpose, Sink, SinkError, SinkOptions};

/// The topic of every change of the core, keyed by organizer and entity.
pub const CHANGES: &str = lakehouse::CHANGES;
/// The topic of what people did on pages, keyed by organizer and visitor.
pub const INTERACTIONS: &str = lakehouse::INTERACTIONS;
