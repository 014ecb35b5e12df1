//! Log → lake. One task reads partitions, decodes, and publishes each round to the lake at one moment: rows of all tables,
//! and offsets.
//!
//! A process that answers queries reads all partitions, puts changes back into the order of the core (see `chain`), and
//! publishes the watermark up to which every command is there as a whole. One that only commits reads the partitions
//! that its group gave to it, each as it is: what they add up to, the readers find out.
//!
//! The lake is the only one who remembers how far this came. Whatever happens, the sink starts again at the offsets that
//! the lake committed, and the lake drops the rows that a table already holds.

mod begin;
mod rounds;

pub(crate) use begin::newest;

use crate::{EventLog, LogError, RelayPosition, log::Membership};
use lakehouse::Lake;
use rounds::Run;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use transactional::Store;

/// Records that stay in the log below what the lake committed: they tell a restart where in the core's order it is. Two
/// of the relay's batches, should all of them have gone into one partition.
pub const KEPT_BELOW: u64 = 4_096;

/// The group that shares the partitions out among sinks.
const GROUP: &str = "bilten-sink";

/// What a sink is for. One may be for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// Rows become visible to queries, in the core's order.
    pub answers: bool,
    /// Rows are committed, those of the partitions that the group gives to this process.
    pub commits: bool,
}

impl Default for Purpose {
    fn default() -> Self {
        Self {
            answers: true,
            commits: true,
        }
    }
}

#[derive(Clone, Debug)]
pub struct SinkOptions {
    pub purpose: Purpose,
    /// Publishes are at least so far apart: rows that come together are cheaper.
    pub publish_every: Duration,
    /// Bytes that are read of a partition in one round, and so what waits in memory of each.
    pub read_bytes: usize,
    /// Looks at the log at least this often, though it is woken for each append.
    pub poll: Duration,
    /// A change that others wait for is given up after this time. Too short, and a relay that waits for its disk lets
    /// half a command be seen; too long, and one lost record holds up all that follow.
    pub gap_timeout: Duration,
    pub report_every: Duration,
    pub retain_every: Duration,
    /// Between attempts after a failure, doubling from the first to the second.
    pub backoff: (Duration, Duration),
}

impl Default for SinkOptions {
    fn default() -> Self {
        Self {
            purpose: Purpose::default(),
            publish_every: Duration::from_millis(20),
            read_bytes: 4 << 20,
            poll: Duration::from_secs(1),
            gap_timeout: Duration::from_secs(30),
            report_every: Duration::from_millis(500),
            retain_every: Duration::from_secs(30),
            backoff: (Duration::from_millis(50), Duration::from_secs(1)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// New records would get offsets that the lake believes to hold already, and would be dropped.
    #[error(
        "the lake holds {topic}/{partition} up to offset {committed} but the log ends at {end}: the log was lost or replaced; \
         bring the right one back, or move the lake away so that both begin anew"
    )]
    LogIsBehind {
        topic: &'static str,
        partition: u32,
        committed: u64,
        end: u64,
    },
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Lake(#[from] lakehouse::Error),
    #[error("the keys that open what the log holds of people can't be had: {0}")]
    Keys(#[from] transactional::Error),
    #[error("decoding broke off: {0}")]
    Decode(#[from] tokio::task::JoinError),
}

impl SinkError {
    /// Trying again would end in the same way.
    fn is_final(&self) -> bool {
        matches!(
            self,
            SinkError::LogIsBehind { .. }
                | SinkError::Log(LogError::Closed | LogError::UnknownPartition { .. })
                | SinkError::Lake(lakehouse::Error::Closed)
        )
    }
}

pub struct Sink {
    log: Arc<dyn EventLog>,
    lake: Lake,
    options: SinkOptions,
    relay: Option<watch::Receiver<RelayPosition>>,
    keys: Option<Store>,
    caught_up: watch::Sender<bool>,
}

/// A partition on its way into the lake.
#[derive(Debug)]
struct Reader {
    topic: &'static str,
    partition: u32,
    /// The next offset to read.
    next: u64,
    /// The next offset to publish.
    applied: u64,
    /// The end of the partition when reading began.
    end_at_start: u64,
    /// The newest change read, where no chain knows it.
    newest: i64,
}

impl Sink {
    pub fn new(log: Arc<dyn EventLog>, lake: Lake, options: SinkOptions) -> Self {
        Self {
            log,
            lake,
            options,
            relay: None,
            keys: None,
            caught_up: watch::Sender::new(false),
        }
    }

    /// Reports how far the relay is along with the sink's own lag.
    #[must_use]
    pub fn reporting(mut self, relay: watch::Receiver<RelayPosition>) -> Self {
        self.relay = Some(relay);
        self
    }

    /// Opens what changes tell of people with the keys that this core has. Without one, nobody has a key.
    #[must_use]
    pub fn with_keys_of(mut self, core: Store) -> Self {
        self.keys = Some(core);
        self
    }

    /// True from when all that the log held at the start is published. Before that, after a crash, tables may be at
    /// different positions.
    pub fn caught_up(&self) -> watch::Receiver<bool> {
        self.caught_up.subscribe()
    }

    /// Works until it is told to stop. It fails only for what trying again can't mend.
    pub async fn run(self, stop: CancellationToken) -> Result<(), SinkError> {
        let (first, longest) = self.options.backoff;
        let mut pause = first;
        let mut membership: Option<Box<dyn Membership>> = None;
        while !stop.is_cancelled() {
            let begun = Instant::now();
            let work = async {
                if self.options.purpose.commits && membership.is_none() {
                    membership = Some(self.log.join(GROUP).await?);
                }
                Run::begin(&self, membership.as_deref()).await?.rounds().await
            };
            let error = tokio::select! {
                result = work => match result {
                    Err(error) => error,
                    Ok(never) => match never {},
                },
                // A publish that is under way is seen as a whole or not at all, and what isn't committed is read again.
                () = stop.cancelled() => break,
            };
            if error.is_final() {
                return Err(error);
            }
            tracing::error!(%error, "the sink begins again at what the lake has committed");
            if begun.elapsed() > 2 * longest {
                pause = first;
            }
            let _ = timeout(pause, stop.cancelled()).await;
            pause = (pause * 2).min(longest);
        }
        if let Some(membership) = membership {
            membership.leave().await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
