//! Where a sink begins: at what the lake has of each partition, and a little before where the core's order asks for it.

use super::{KEPT_BELOW, Reader, Sink, SinkError};
use crate::{CHANGES, EventLog, INTERACTIONS, LogError, chain::Chain, change};

/// How many of a partition's newest records are looked at for a change, should the last ones be no changes.
const LOOK_BACK: u64 = 100;

/// What the changes among some records tell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Newest {
    pub(crate) seq: i64,
    pub(crate) floor: i64,
}

impl Sink {
    /// All partitions, and the chain that puts their changes in order.
    pub(super) async fn begin_in_order(&self) -> Result<(Vec<Reader>, Chain<crate::LogRecord>), SinkError> {
        let floor = self.floor().await?;
        let (mut readers, mut below) = (Vec::new(), Vec::new());
        for topic in [CHANGES, INTERACTIONS] {
            for partition in 0..self.log.partitions(topic)? {
                let mut reader = self.reader(topic, partition).await?;
                if topic == CHANGES {
                    let (first, before) = first_above(&*self.log, partition, reader.next, floor).await?;
                    (reader.next, reader.applied) = (first, first);
                    below.push(before);
                }
                readers.push(reader);
            }
        }
        Ok((readers, Chain::new(floor, &below)))
    }

    /// A partition at the offset up to which the lake has it.
    pub(super) async fn reader(&self, topic: &'static str, partition: u32) -> Result<Reader, SinkError> {
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
        let newest = match topic == CHANGES {
            true => newest(&*self.log, partition, committed, KEPT_BELOW).await?.seq,
            false => 0,
        };
        Ok(Reader {
            topic,
            partition,
            next: committed,
            applied: committed,
            end_at_start: end,
            newest,
        })
    }

    /// Up to which change all are in the log or, if it is empty, in the lake.
    async fn floor(&self) -> Result<i64, SinkError> {
        let mut floor = None;
        for partition in 0..self.log.partitions(CHANGES)? {
            if self.log.start_offset(CHANGES, partition).await? < self.log.end_offset(CHANGES, partition).await? {
                let found = newest(&*self.log, partition, u64::MAX, LOOK_BACK).await?.floor;
                floor = floor.max(Some(found));
            }
        }
        Ok(floor.unwrap_or_else(|| self.lake.highest_seq()))
    }
}

/// The highest `seq` and floor among the last records below an offset, or 0.
pub(crate) async fn newest(log: &dyn EventLog, partition: u32, below: u64, look_back: u64) -> Result<Newest, LogError> {
    let below = below.min(log.end_offset(CHANGES, partition).await?);
    let mut newest = Newest::default();
    each(
        log,
        partition,
        below.saturating_sub(look_back),
        below,
        |_, seq, floor| {
            newest.seq = newest.seq.max(seq);
            newest.floor = newest.floor.max(floor);
        },
    )
    .await?;
    Ok(newest)
}

/// The offset of the first change above the floor, or `committed` if that comes earlier; and the newest change before.
async fn first_above(log: &dyn EventLog, partition: u32, committed: u64, floor: i64) -> Result<(u64, i64), LogError> {
    let start = log.start_offset(CHANGES, partition).await?;
    let mut back = 4 * LOOK_BACK;
    loop {
        let from = committed.saturating_sub(back).max(start);
        let (mut first, mut before) = (committed, 0);
        each(log, partition, from, committed, |offset, seq, _| {
            if seq > floor {
                first = first.min(offset);
            } else if offset < first {
                before = before.max(seq);
            }
        })
        .await?;
        if before > 0 || from <= start {
            return Ok((first, before));
        }
        back *= 4;
    }
}

/// Offset, `seq` and floor of each change between two offsets.
async fn each(
    log: &dyn EventLog,
    partition: u32,
    from: u64,
    below: u64,
    mut seen: impl FnMut(u64, i64, i64),
) -> Result<(), LogError> {
    let mut at = from.max(log.start_offset(CHANGES, partition).await?);
    while at < below {
        let read = match log.read(CHANGES, partition, at, 1 << 20).await {
            Err(LogError::Corrupt { resume, .. }) => {
                at = resume.max(at + 1);
                continue;
            }
            read => read?,
        };
        // A reader of a remote log may find nothing yet.
        let Some(last) = read.last() else {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            continue;
        };
        at = last.offset + 1;
        for record in read.iter().filter(|record| record.offset < below) {
            let headers = &record.record.headers;
            if let Some(link) = change::link(headers) {
                seen(record.offset, link.seq, change::floor(headers).unwrap_or(0));
            }
        }
    }
    Ok(())
}
