//! A sink's rounds: read, decode, publish, and what has to be done now and then.

use super::{KEPT_BELOW, Reader, Sink, SinkError};
use crate::{
    CHANGES, INTERACTIONS, LogError, LogRecord,
    chain::{Chain, Gap, Released},
    change,
    decode::{Decoders, Tables},
    log::{Membership, Partitions},
    people,
    trace::TracedBatch,
};
use lakehouse::{Lag, Publish};
use std::sync::Arc;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tracing::{Instrument, Span};

/// A few hundred rows are decoded faster than another thread is woken.
const DECODE_INLINE: usize = 500;

pub(super) struct Run<'a> {
    sink: &'a Sink,
    membership: Option<&'a dyn Membership>,
    assigned: Option<watch::Receiver<Arc<Partitions>>>,
    readers: Vec<Reader>,
    /// None where partitions are read as they are.
    chain: Option<Chain<LogRecord>>,
    /// Everything that the log held at the start is published.
    settled: bool,
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

impl Round {
    /// Begins the round's span. A round that brings no rows only moves offsets on.
    fn traced(&self) -> TracedBatch {
        let (changes, interactions) = (self.changes.len(), self.interactions.len());
        let span = match changes + interactions {
            0 => Span::none(),
            _ => tracing::debug_span!("sink batch", changes, interactions),
        };
        let records = self.changes.iter().map(|(_, record)| &record.record);
        TracedBatch::begin(span, "sink", records.map(change::traceparent))
    }
}

impl Run<'_> {
    pub(super) async fn begin<'a>(
        sink: &'a Sink,
        membership: Option<&'a dyn Membership>,
    ) -> Result<Run<'a>, SinkError> {
        let (readers, chain) = match sink.options.purpose.answers {
            true => sink
                .begin_in_order()
                .await
                .map(|(readers, chain)| (readers, Some(chain)))?,
            false => (Vec::new(), None),
        };
        let mut run = Run {
            sink,
            membership,
            assigned: membership.map(Membership::assigned),
            readers,
            chain,
            settled: false,
            decoders: Some(Decoders::new()?),
            published: Instant::now(),
            gap: None,
            reported: None,
            retained: Instant::now(),
        };
        run.take_assigned().await?;
        Ok(run)
    }

    /// Commits, and reads where nothing else is read, what the group gives to this process now.
    async fn take_assigned(&mut self) -> Result<(), SinkError> {
        let Some(assigned) = &mut self.assigned else {
            return Ok(());
        };
        let assigned = Arc::clone(&assigned.borrow_and_update());
        tracing::info!(partitions = assigned.len(), "partitions to commit");
        self.sink.lake.own((*assigned).clone()).await?;
        if self.chain.is_some() {
            return Ok(());
        }
        self.readers
            .retain(|reader| assigned.contains(&(reader.topic.to_owned(), reader.partition)));
        for (topic, partition) in assigned.iter() {
            let known = |reader: &Reader| reader.topic == topic && reader.partition == *partition;
            let topic = [CHANGES, INTERACTIONS].into_iter().find(|known| known == topic);
            if let Some(topic) = topic.filter(|_| !self.readers.iter().any(known)) {
                self.readers.push(self.sink.reader(topic, *partition).await?);
            }
        }
        Ok(())
    }

    pub(super) async fn rounds(&mut self) -> Result<std::convert::Infallible, SinkError> {
        let log = &self.sink.log;
        let mut changes = log.appended(CHANGES)?;
        let mut interactions = log.appended(INTERACTIONS)?;
        // What the lake has is whole up to here, even if nothing new ever comes.
        self.publish(Vec::new()).await?;
        loop {
            if self
                .assigned
                .as_ref()
                .is_some_and(|assigned| assigned.has_changed().unwrap_or(false))
            {
                self.take_assigned().await?;
            }
            changes.mark_unchanged();
            interactions.mark_unchanged();
            let round = self.read().await?;
            let read = round.read;
            let gave_up = self.watch_gap(round.read_changes);
            if round.moved {
                let batch = round.traced();
                let span = batch.span.clone();
                async {
                    let tables = self.decode(round).await?;
                    self.publish(tables).await
                }
                .instrument(span)
                .await?;
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
                () = reassigned(&mut self.assigned) => {}
                () = sleep(self.sink.options.poll.min(self.sink.options.report_every)) => {}
            }
            sleep_until(self.published + self.sink.options.publish_every).await;
        }
    }

    /// Reads all partitions of which nothing waits, and takes what can be published.
    async fn read(&mut self) -> Result<Round, SinkError> {
        let (log, bytes) = (&self.sink.log, self.sink.options.read_bytes);
        let waits = |partition| self.chain.as_ref().is_some_and(|chain| chain.waits(partition));
        let wanted = |reader: &Reader| reader.topic != CHANGES || !waits(reader.partition);
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
            let partition = reader.partition;
            round.read_changes |= reader.topic == CHANGES;
            if let Some(chain) = self.chain.as_mut().filter(|_| reader.topic == CHANGES) {
                for record in records {
                    let link = change::link(&record.record.headers);
                    chain.push(partition, record.offset, link, record);
                }
                continue;
            }
            reader.applied = reader.next;
            round.moved = true;
            let records = records.into_iter();
            if reader.topic == CHANGES {
                let fresh = records.filter(|record| reader.is_new(record));
                round.changes.extend(fresh.map(|record| (partition, record)));
            } else {
                round.interactions.extend(records.map(|record| (partition, record)));
            }
        }
        self.take_released(&mut round);
        Ok(round)
    }

    fn take_released(&mut self, round: &mut Round) {
        let Some(chain) = &mut self.chain else { return };
        let mut released = Vec::new();
        chain.release(&mut released);
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
        let Some((chain, gap)) = self
            .chain
            .as_mut()
            .and_then(|chain| chain.gap().map(|gap| (chain, gap)))
        else {
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
        chain.give_up(gap);
        self.gap = None;
        true
    }

    async fn decode(&mut self, mut round: Round) -> Result<Tables, SinkError> {
        people::open(self.sink.keys.as_ref(), &mut round.changes).await?;
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
        // What the floor covers stands before these ends; until they are passed, some of it may be missing.
        self.settled |= offsets.clone().all(|reader| reader.applied >= reader.end_at_start);
        let published = rows.iter().map(|(_, rows)| rows.num_rows() as u64).sum();
        metrics::counter!("bilten_sink_rows_total").increment(published);
        let publish = Publish {
            rows,
            next_offsets: offsets
                .map(|reader| (reader.topic.to_owned(), reader.partition, reader.applied))
                .collect(),
            watermark: self.chain.as_ref().filter(|_| self.settled).map(Chain::released),
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
            self.retain().await;
        }
        Ok(())
    }

    /// Tells the log what is no longer needed of it, and the group how far its partitions are committed.
    async fn retain(&mut self) {
        let Some((membership, assigned)) = self.membership.zip(self.assigned.as_ref()) else {
            return;
        };
        let assigned = Arc::clone(&assigned.borrow());
        let committed = assigned
            .iter()
            .map(|(topic, partition)| (topic.clone(), *partition, self.sink.lake.committed(topic, *partition)));
        let committed: Vec<_> = committed.collect();
        membership.record(&committed).await;
        for (topic, partition, committed) in committed {
            let floor = committed.saturating_sub(KEPT_BELOW);
            if let Err(error) = self.sink.log.retain(&topic, partition, floor).await {
                tracing::warn!(%error, "the log can't let go of what is no longer needed");
            }
        }
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
        let log = &self.sink.log;
        let ends = self
            .readers
            .iter()
            .map(|reader| log.end_offset(reader.topic, reader.partition));
        // Whether the log can be read, reading it tells.
        let Ok(ends) = futures::future::try_join_all(ends).await else {
            return Ok(());
        };
        lags.extend(self.readers.iter().zip(ends).map(|(reader, end)| Lag {
            source: format!("{}/{}", reader.topic, reader.partition),
            end: end as i64,
            applied: reader.applied as i64,
        }));
        self.sink.lake.report_lag(lags);
        Ok(())
    }
}

/// Comes back when the group has given or taken partitions.
async fn reassigned(assigned: &mut Option<watch::Receiver<Arc<Partitions>>>) {
    let changed = match assigned {
        Some(assigned) => assigned.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending::<()>().await;
    }
    // `take_assigned` is to see it too.
    if let Some(assigned) = assigned {
        assigned.mark_changed();
    }
}

impl Reader {
    /// Whether a change of a partition that is read by itself is there for the first time; what is no change is.
    fn is_new(&mut self, record: &LogRecord) -> bool {
        match change::link(&record.record.headers) {
            Some(link) if link.seq <= self.newest => false,
            Some(link) => {
                self.newest = link.seq;
                true
            }
            None => true,
        }
    }

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
