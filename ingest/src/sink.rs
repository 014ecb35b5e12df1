//! Log → lake. One task reads all partitions, puts changes back into the order of the core (see `chain`),
//! decodes, and publishes each round to the lake at one moment: rows of all tables, offsets, and the watermark up to
//! which every command is there as a whole.
//!
//! The lake is the only one who remembers how far this came. Whatever happens, the sink starts again at the offsets that
//! the lake committed, and the lake drops the rows that a table already holds.

use crate::{
    CHANGES, EventLog, INTERACTIONS, LogError, LogRecord, RelayPosition,
    chain::{Chain, Gap, Released},
    change,
    decode::{Decoders, Tables},
    relay::newest_change,
};
use lakehouse::{Lag, Lake, Publish};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// Records that stay in the log below what the lake committed: they tell a restart where in the core's order it is.
pub const KEPT_BELOW: u64 = 100;

/// A few hundred rows are decoded faster than another thread is woken.
const DECODE_INLINE: usize = 500;

#[derive(Clone, Debug)]
pub struct SinkOptions {
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
            publish_every: Duration::from_millis(20),
            read_bytes: 4 << 20,
            poll: Duration::from_secs(1),
            gap_timeout: Duration::from_secs(30),
            report_every: Duration::from_millis(500),
            retain_every: Duration::from_secs(30),
            backoff: (Duration::from_millis(50), Duration::from_secs(5)),
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
                | SinkError::Lake(lakehouse::Error::Closed | lakehouse::Error::Fenced { .. })
        )
    }
}

pub struct Sink {
    log: Arc<dyn EventLog>,
    lake: Lake,
    options: SinkOptions,
    relay: Option<watch::Receiver<RelayPosition>>,
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
}

struct Run<'a> {
    sink: &'a Sink,
    readers: Vec<Reader>,
    chain: Chain<LogRecord>,
    decoders: Option<Decoders>,
    published: Instant,
    gap: Option<(Gap, Instant)>,
    reported: Option<Instant>,
    retained: Instant,
}

/// What a round brought.
#[derive(Default)]
struct Round {
    changes: Vec<(u32, LogRecord)>,
    interactions: Vec<(u32, LogRecord)>,
    /// Something was read of the topic of changes; of any topic.
    read_changes: bool,
    read: bool,
    /// Offsets moved.
    moved: bool,
}

impl Sink {
    pub fn new(log: Arc<dyn EventLog>, lake: Lake, options: SinkOptions) -> Self {
        Self {
            log,
            lake,
            options,
            relay: None,
            caught_up: watch::Sender::new(false),
        }
    }

    /// Reports how far the relay is along with the sink's own lag.
    #[must_use]
    pub fn reporting(mut self, relay: watch::Receiver<RelayPosition>) -> Self {
        self.relay = Some(relay);
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
        while !stop.is_cancelled() {
            let begun = Instant::now();
            let work = async {
                match self.start().await {
                    Ok(mut run) => run.rounds().await,
                    Err(error) => Err(error),
                }
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
        Ok(())
    }

    async fn start(&self) -> Result<Run<'_>, SinkError> {
        let mut readers = Vec::new();
        let mut below = Vec::new();
        for topic in [CHANGES, INTERACTIONS] {
            for partition in 0..self.log.partitions(topic)? {
                let committed = self.lake.committed(topic, partition);
                let end = self.log.end_offset(topic, partition).await?;
                if committed > end {
                    return Err(SinkError::LogIsBehind {
                        topic,
                        partition,
                        committed,
                        end,
                    });
                }
                if topic == CHANGES {
                    below.push(newest_change(&*self.log, partition, committed, KEPT_BELOW).await?);
                }
                readers.push(Reader {
                    topic,
                    partition,
                    next: committed,
                    applied: committed,
                });
            }
        }
        Ok(Run {
            sink: self,
            readers,
            chain: Chain::new(&below),
            decoders: Some(Decoders::new()?),
            published: Instant::now(),
            gap: None,
            reported: None,
            retained: Instant::now(),
        })
    }
}

impl Run<'_> {
    async fn rounds(&mut self) -> Result<std::convert::Infallible, SinkError> {
        let log = &self.sink.log;
        let mut changes = log.appended(CHANGES)?;
        let mut interactions = log.appended(INTERACTIONS)?;
        // What the lake has is whole up to here, even if nothing new ever comes.
        self.publish(Vec::new()).await?;
        loop {
            changes.mark_unchanged();
            interactions.mark_unchanged();
            let round = self.read().await?;
            let read = round.read;
            let gave_up = self.watch_gap(round.read_changes);
            if round.moved {
                let tables = self.decode(round).await?;
                self.publish(tables).await?;
            }
            self.housekeeping().await?;
            if read || gave_up {
                sleep_until(self.published + self.sink.options.publish_every).await;
                continue;
            }
            self.sink.caught_up.send_replace(true);
            tokio::select! {
                _ = changes.changed() => {}
                _ = interactions.changed() => {}
                () = sleep(self.sink.options.poll.min(self.sink.options.report_every)) => {}
            }
            sleep_until(self.published + self.sink.options.publish_every).await;
        }
    }

    /// Reads all partitions of which nothing waits, and takes what can be published.
    async fn read(&mut self) -> Result<Round, SinkError> {
        let (log, bytes) = (&self.sink.log, self.sink.options.read_bytes);
        let wanted = |reader: &Reader| reader.topic != CHANGES || !self.chain.waits(reader.partition);
        let reads = self.readers.iter().map(|reader| async {
            match wanted(reader) {
                true => log.read(reader.topic, reader.partition, reader.next, bytes).await,
                false => Ok(Vec::new()),
            }
        });
        let reads = futures::future::join_all(reads).await;
        let mut round = Round::default();
        for (reader, read) in self.readers.iter_mut().zip(reads) {
            let records = match read {
                Ok(records) => records,
                Err(error) => {
                    reader.pass(error)?;
                    round.read = true;
                    continue;
                }
            };
            let Some(last) = records.last() else { continue };
            reader.next = last.offset + 1;
            round.read = true;
            if reader.topic == CHANGES {
                round.read_changes = true;
                for record in records {
                    let link = change::link(&record.record.headers);
                    self.chain.push(reader.partition, record.offset, link, record);
                }
            } else {
                reader.applied = reader.next;
                round.moved = true;
                round
                    .interactions
                    .extend(records.into_iter().map(|record| (reader.partition, record)));
            }
        }
        self.take_released(&mut round);
        Ok(round)
    }

    fn take_released(&mut self, round: &mut Round) {
        let mut released = Vec::new();
        self.chain.release(&mut released);
        for Released {
            partition,
            offset,
            item,
        } in released
        {
            let mut of_changes = self.readers.iter_mut().filter(|reader| reader.topic == CHANGES);
            if let Some(reader) = of_changes.find(|reader| reader.partition == partition) {
                reader.applied = offset + 1;
                round.moved = true;
            }
            round.changes.extend(item.map(|record| (partition, record)));
        }
    }

    /// Gives up on changes that nobody can wait for any longer. Whether it did.
    fn watch_gap(&mut self, read_changes: bool) -> bool {
        let Some(gap) = self.chain.gap() else {
            self.gap = None;
            return false;
        };
        let since = match self.gap {
            Some((known, since)) if known == gap && !read_changes => since,
            _ => self.gap.insert((gap, Instant::now())).1,
        };
        if since.elapsed() < self.sink.options.gap_timeout {
            return false;
        }
        tracing::error!(
            after = gap.after,
            up_to = gap.up_to,
            "changes are missing in the log: the lake goes on without them; an audit will name them"
        );
        self.chain.give_up(gap);
        self.gap = None;
        true
    }

    async fn decode(&mut self, round: Round) -> Result<Tables, SinkError> {
        let mut decoders = match self.decoders.take() {
            Some(decoders) => decoders,
            None => Decoders::new()?,
        };
        let many = round.changes.len() + round.interactions.len() > DECODE_INLINE;
        let work = move || {
            let mut tables = Tables::new();
            decoders.decode(CHANGES, &round.changes, &mut tables)?;
            decoders.decode(INTERACTIONS, &round.interactions, &mut tables)?;
            Ok::<_, lakehouse::Error>((decoders, tables))
        };
        let (decoders, tables) = if many {
            tokio::task::spawn_blocking(work).await??
        } else {
            work()?
        };
        self.decoders = Some(decoders);
        Ok(tables)
    }

    async fn publish(&mut self, rows: Tables) -> Result<(), SinkError> {
        let offsets = self.readers.iter();
        let publish = Publish {
            rows,
            next_offsets: offsets
                .map(|reader| (reader.topic.to_owned(), reader.partition, reader.applied))
                .collect(),
            watermark: Some(self.chain.released()),
        };
        self.sink.lake.publish(publish).await?;
        self.published = Instant::now();
        Ok(())
    }

    async fn housekeeping(&mut self) -> Result<(), SinkError> {
        let options = &self.sink.options;
        if self.reported.is_none_or(|at| at.elapsed() >= options.report_every) {
            self.reported = Some(Instant::now());
            self.report().await?;
        }
        if self.retained.elapsed() >= options.retain_every {
            self.retained = Instant::now();
            for reader in &self.readers {
                let committed = self.sink.lake.committed(reader.topic, reader.partition);
                let floor = committed.saturating_sub(KEPT_BELOW);
                if let Err(error) = self.sink.log.retain(reader.topic, reader.partition, floor).await {
                    tracing::warn!(%error, "the log can't let go of what is no longer needed");
                }
            }
        }
        Ok(())
    }

    async fn report(&mut self) -> Result<(), SinkError> {
        let mut lags = Vec::with_capacity(1 + self.readers.len());
        if let Some(position) = self.sink.relay.as_ref().map(|position| *position.borrow()) {
            lags.push(Lag {
                source: "outbox".to_owned(),
                end: position.end,
                applied: position.applied,
            });
        }
        for reader in &self.readers {
            lags.push(Lag {
                source: format!("{}/{}", reader.topic, reader.partition),
                end: self.sink.log.end_offset(reader.topic, reader.partition).await? as i64,
                applied: reader.applied as i64,
            });
        }
        self.sink.lake.report_lag(lags);
        Ok(())
    }
}

impl Reader {
    /// Goes on behind records that can't be read any more. Other errors stay errors.
    fn pass(&mut self, error: LogError) -> Result<(), LogError> {
        let resume = match &error {
            LogError::OffsetOutOfRange { asked, start, .. } if asked < start => *start,
            LogError::Corrupt { resume, .. } if *resume > self.next => *resume,
            _ => return Err(error),
        };
        tracing::error!(%error, from = self.next, resume, "records are lost; the sink goes on behind them");
        self.next = resume;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
