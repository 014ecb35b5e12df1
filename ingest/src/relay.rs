//! Outbox → log. Changes leave the core in the order of their `seq`, each into the partition of its key.
//!
//! Nothing is lost: the cursor is saved after the append, so what a crash interrupts is sent again. Nothing doubles: an
//! append is atomic and a partition's changes are in order, so whatever isn't above the newest change of its partition
//! is there already. That also lets the cursor lag: it is saved now and then, not with each batch.

use crate::{
    CHANGES, EventLog, LogError, Record, change, log, partition_for,
    sink::{KEPT_BELOW, newest},
    trace::TracedBatch,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};
use transactional::Store;

#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// Most changes that are taken from the outbox at once.
    pub batch: usize,
    /// Looks at the outbox at least this often, though it is woken for each commit.
    pub poll: Duration,
    /// Saves the cursor this often.
    pub save_every: Duration,
    /// Relayed changes that stay in the outbox.
    pub keep: i64,
    /// Between attempts after a failure, doubling from the first to the second.
    pub backoff: (Duration, Duration),
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            batch: 2_000,
            poll: Duration::from_secs(1),
            save_every: Duration::from_secs(1),
            keep: 10_000,
            backoff: (Duration::from_millis(50), Duration::from_secs(1)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Going on would leave new changes out as if they were old ones.
    #[error(
        "the log holds change {in_log} but the database only reached {in_core}: the database was replaced by an older one; \
         bring the right one back, or move the log and the lake away so that both begin anew"
    )]
    DatabaseIsOlder { in_log: i64, in_core: i64 },
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] transactional::Error),
}

impl RelayError {
    fn is_transient(&self) -> bool {
        match self {
            RelayError::DatabaseIsOlder { .. } => false,
            RelayError::Log(error) => error.is_transient(),
            RelayError::Store(_) => true,
        }
    }
}

/// How far the relay is: `end` is the core's newest change, `applied` the newest in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayPosition {
    pub end: i64,
    pub applied: i64,
}

pub struct Relay {
    store: Store,
    log: Arc<dyn EventLog>,
    options: RelayOptions,
    position: watch::Sender<RelayPosition>,
}

/// What a running relay knows.
struct Run<'a> {
    relay: &'a Relay,
    stop: &'a CancellationToken,
    /// The newest change sent.
    cursor: i64,
    saved: i64,
    saved_at: Instant,
    /// The end of the newest command that is in the log as a whole, like all before it.
    floor: i64,
    /// The newest change of each partition.
    newest: Vec<i64>,
}

impl Relay {
    pub fn new(store: Store, log: Arc<dyn EventLog>, options: RelayOptions) -> Self {
        Self {
            store,
            log,
            options,
            position: watch::Sender::default(),
        }
    }

    pub fn position(&self) -> watch::Receiver<RelayPosition> {
        self.position.subscribe()
    }

    /// Works until it is told to stop, and then finishes the batch at hand. It fails only for what waiting can't mend.
    /// Should a relay elsewhere still be at work, what both send is there twice, and readers pass over it.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), RelayError> {
        let mut committed = self.store.committed_seq();
        let Some(mut run) = self.start_patiently(&stop).await? else {
            return Ok(());
        };
        while !stop.is_cancelled() {
            committed.mark_unchanged();
            let sent = run.send_batch().await;
            let full = match sent {
                Ok(full) => full,
                Err(RelayError::Store(error)) => {
                    tracing::error!(%error, "the relay can't read the outbox; it tries again");
                    let _ = timeout(self.options.backoff.1, stop.cancelled()).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            run.save_now_and_then().await;
            if !full {
                let wait = timeout(self.options.poll, committed.changed());
                tokio::select! {
                    _ = wait => {}
                    () = stop.cancelled() => {}
                }
            }
        }
        run.save().await;
        Ok(())
    }

    /// Starts as soon as log and database can be asked where they stand. None: it was told to stop before.
    async fn start_patiently<'a>(&'a self, stop: &'a CancellationToken) -> Result<Option<Run<'a>>, RelayError> {
        let (mut pause, longest) = self.options.backoff;
        while !stop.is_cancelled() {
            match self.start(stop).await {
                Ok(run) => return Ok(Some(run)),
                Err(error) if error.is_transient() => {
                    tracing::error!(%error, "the relay can't begin; it tries again");
                }
                Err(error) => return Err(error),
            }
            let _ = timeout(pause, stop.cancelled()).await;
            pause = (pause * 2).min(longest);
        }
        Ok(None)
    }

    async fn start<'a>(&'a self, stop: &'a CancellationToken) -> Result<Run<'a>, RelayError> {
        let cursor = self.store.relay_cursor().await?;
        let mut partitions = Vec::new();
        for partition in 0..self.log.partitions(CHANGES)? {
            partitions.push(newest(&*self.log, partition, u64::MAX, KEPT_BELOW).await?);
        }
        let in_log = partitions.iter().map(|newest| newest.seq).max().unwrap_or(0);
        // Asked after the log: what another process has committed and sent may not have been heard of here.
        let in_core = self.store.committed_now().await?;
        if in_log > in_core {
            return Err(RelayError::DatabaseIsOlder { in_log, in_core });
        }
        Ok(Run {
            relay: self,
            stop,
            cursor,
            saved: cursor,
            saved_at: Instant::now(),
            floor: partitions.iter().map(|newest| newest.floor).max().unwrap_or(0),
            newest: partitions.iter().map(|newest| newest.seq).collect(),
        })
    }
}

impl Run<'_> {
    /// Sends what the outbox has, up to a batch. Whether there may be more at once.
    async fn send_batch(&mut self) -> Result<bool, RelayError> {
        let most = self.relay.options.batch;
        let changes = self.relay.store.changes_after(self.cursor, most).await?;
        let span = match changes.len() {
            0 => Span::none(),
            changes => tracing::debug_span!("relay batch", changes),
        };
        let traceparents = changes.iter().map(|change| change.traceparent.as_deref());
        let batch = TracedBatch::begin(span, "relay", traceparents);
        let mut batches = vec![Vec::new(); self.newest.len()];
        let mut newest = self.newest.clone();
        let mut prev = self.cursor;
        for change in &changes {
            let record = fit(change::record(change, prev, self.floor));
            let partition = partition_for(&record.key, batches.len() as u32) as usize;
            // What isn't above is in the log since before a crash.
            if change.seq > newest[partition] {
                newest[partition] = change.seq;
                batches[partition].push(record);
            }
            prev = change.seq;
        }
        let appends = batches.into_iter().enumerate();
        let appends = appends.map(|(partition, records)| self.append_all(partition as u32, records));
        let appended = futures::future::try_join_all(appends);
        appended.instrument(batch.span.clone()).await?;
        drop(batch);
        if self.stop.is_cancelled() {
            // An append may have been given up on: the cursor stays, and the next start sends what is missing.
            return Ok(false);
        }
        self.newest = newest;
        self.cursor = prev;
        let ends = changes.iter().rev().find(|change| change.remaining == 0);
        self.floor = ends.map_or(self.floor, |end| end.seq);
        metrics::counter!("bilten_relay_changes_total").increment(changes.len() as u64);
        self.relay.position.send_replace(RelayPosition {
            end: *self.relay.store.committed_seq().borrow(),
            applied: self.cursor,
        });
        Ok(changes.len() == most)
    }

    async fn append_all(&self, partition: u32, records: Vec<Record>) -> Result<(), RelayError> {
        for records in log::within_limits(records) {
            self.append(partition, records).await?;
        }
        Ok(())
    }

    /// Tries until it is done or the relay is to stop.
    async fn append(&self, partition: u32, records: Vec<Record>) -> Result<(), RelayError> {
        let (mut pause, longest) = self.relay.options.backoff;
        loop {
            // Records share their bytes, so that a copy is cheap.
            match self.relay.log.append(CHANGES, partition, records.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_transient() => {
                    tracing::error!(%error, partition, "the relay can't append; it tries again");
                }
                Err(error) => return Err(error.into()),
            }
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(longest),
                () = self.stop.cancelled() => return Ok(()),
            }
        }
    }

    async fn save_now_and_then(&mut self) {
        if self.saved_at.elapsed() >= self.relay.options.save_every {
            self.save().await;
        }
    }

    /// A failure is no harm: a later save covers it, and a start without it skips what is in the log.
    async fn save(&mut self) {
        self.saved_at = Instant::now();
        if self.cursor == self.saved {
            return;
        }
        let store = &self.relay.store;
        let saved = async {
            store.save_relay_cursor(self.cursor).await?;
            store.trim_outbox(self.relay.options.keep).await
        };
        match saved.await {
            Ok(_) => self.saved = self.cursor,
            Err(error) => tracing::warn!(%error, "the relay can't save its position; it tries again"),
        }
    }
}

/// A change that is too large for the log would stop all that follow. Its envelope goes alone, and since `null` is no
/// payload it ends among the lake's rejects, where it is seen.
fn fit(record: Record) -> Record {
    if record.size() <= log::RECORD_LIMIT {
        return record;
    }
    tracing::error!(key = ?record.key, bytes = record.size(), "a change is too large for the log; its payload is left out");
    Record {
        value: "null".into(),
        ..record
    }
}

#[cfg(test)]
mod tests;
