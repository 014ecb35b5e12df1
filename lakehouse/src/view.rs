//! What a query sees: one immutable value that holds every table's snapshot and tail. It is loaded once a query and
//! replaced as a whole, so two tables in one query always agree.

use crate::{
    decode::{is_reject, origins},
    error::{Error, Result},
    snapshot::{Offsets, Snapshot},
    tables::{TableSpec, table_specs},
};
use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch},
    compute::{cast, concat_batches, filter_record_batch, not},
    datatypes::{DataType, SchemaRef},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Chunks of a tail grow up to so many rows; larger ones would be copied too often.
const CHUNK_ROWS: usize = 8_192;

#[derive(Clone, Debug)]
pub(crate) struct View {
    /// Every change up to this `seq` is visible.
    pub(crate) watermark: i64,
    /// What is visible is known to be a whole: every change up to the watermark, and of none a part.
    pub(crate) settled: bool,
    /// What has been published: each table's snapshot and tail together hold every row before these offsets.
    pub(crate) seen: Offsets,
    /// In the order of `table_specs`.
    pub(crate) tables: Vec<Arc<TableView>>,
}

/// The partitions whose rows this process commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owned {
    Everything,
    These(BTreeSet<(String, u32)>),
}

impl Owned {
    fn has(&self, key: &(String, u32)) -> bool {
        match self {
            Owned::Everything => true,
            Owned::These(partitions) => partitions.contains(key),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct TableView {
    pub(crate) snapshot: Arc<Snapshot>,
    /// Rows that a commit is writing now; they leave when it is done.
    pub(crate) frozen: Tail,
    /// Up to where the table is complete once the frozen rows are committed.
    pub(crate) frozen_to: Offsets,
    pub(crate) open: Tail,
}

/// Rows that no commit has yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    pub(crate) good: Vec<RecordBatch>,
    pub(crate) rejects: Vec<RecordBatch>,
    pub(crate) bytes: usize,
}

impl View {
    /// `whole`: tables that stand at the same offsets show whole commands, since one process commits them all.
    pub(crate) fn new(snapshots: Vec<Snapshot>, whole: bool) -> Self {
        let mut seen = Offsets::new();
        for (spec, snapshot) in table_specs().iter().zip(&snapshots) {
            for (topic, partition) in snapshot.offsets.keys().filter(|(topic, _)| topic == spec.topic) {
                seen.insert((topic.clone(), *partition), u64::MAX);
            }
        }
        for ((topic, partition), next) in &mut seen {
            *next = committed(&snapshots, topic, *partition);
        }
        let tables: Vec<_> = snapshots
            .into_iter()
            .map(|snapshot| Arc::new(TableView::new(snapshot)))
            .collect();
        let mut view = Self {
            watermark: 0,
            settled: true,
            seen,
            tables,
        };
        view.settled = whole && view.is_even();
        if view.settled {
            view.watermark = view.highest_seq();
        }
        view
    }

    /// The newest change in the files.
    pub(crate) fn highest_seq(&self) -> i64 {
        let tables = self.tables.iter();
        tables
            .filter_map(|table| table.snapshot.highest_seq())
            .max()
            .unwrap_or(0)
    }

    /// Whether everything before these offsets has been published.
    pub(crate) fn reaches(&self, offsets: &Offsets) -> bool {
        offsets
            .iter()
            .all(|(key, next)| self.seen.get(key).is_some_and(|seen| seen >= next))
    }

    /// Whether all tables have come equally far. After a crash they haven't, until the log has been read again.
    pub(crate) fn is_even(&self) -> bool {
        self.settled && self.tables.iter().all(|table| self.reaches(&table.snapshot.offsets))
    }

    pub(crate) fn committed(&self, topic: &str, partition: u32) -> u64 {
        let tables = table_specs()
            .iter()
            .zip(&self.tables)
            .filter(|(spec, _)| spec.topic == topic);
        let key = (topic.to_owned(), partition);
        tables
            .map(|(_, table)| table.snapshot.offsets.get(&key).copied().unwrap_or(0))
            .min()
            .unwrap_or(0)
    }

    pub(crate) fn tail_bytes(&self) -> usize {
        self.tables
            .iter()
            .map(|table| table.frozen.bytes + table.open.bytes)
            .sum()
    }
}

fn committed(snapshots: &[Snapshot], topic: &str, partition: u32) -> u64 {
    let tables = table_specs()
        .iter()
        .zip(snapshots)
        .filter(|(spec, _)| spec.topic == topic);
    let key = (topic.to_owned(), partition);
    tables
        .map(|(_, snapshot)| snapshot.offsets.get(&key).copied().unwrap_or(0))
        .min()
        .unwrap_or(0)
}

impl TableView {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self {
            snapshot: Arc::new(snapshot),
            frozen: Tail::default(),
            frozen_to: Offsets::new(),
            open: Tail::default(),
        }
    }

    /// The partitions that are `owned`, and how far this table would be there if its whole tail were committed.
    pub(crate) fn reaches_of(&self, spec: &TableSpec, seen: &Offsets, owned: &Owned) -> Offsets {
        let mut offsets = self.reaches(spec, seen);
        offsets.retain(|key, _| owned.has(key));
        offsets
    }

    /// The offsets of this table if its whole tail were committed.
    pub(crate) fn reaches(&self, spec: &TableSpec, seen: &Offsets) -> Offsets {
        let mut offsets = self.snapshot.offsets.clone();
        for (key, next) in seen.iter().filter(|((topic, _), _)| topic == spec.topic) {
            let known = offsets.entry(key.clone()).or_default();
            *known = (*known).max(*next);
        }
        offsets
    }

    /// Sets the rows of some partitions apart, for a commit.
    pub(crate) fn freeze(&mut self, to: Offsets, owned: &Owned) -> Result<()> {
        let open = std::mem::take(&mut self.open);
        (self.frozen, self.open) = match owned {
            Owned::Everything => (open, Tail::default()),
            Owned::These(_) => open.split(|partition, _| to.keys().any(|(_, owned)| i64::from(*owned) == partition))?,
        };
        self.frozen_to = to;
        Ok(())
    }

    /// Gives frozen rows back to the tail: another process has committed for their partitions.
    pub(crate) fn thaw(&mut self) -> Result<()> {
        let mut all = std::mem::take(&mut self.frozen);
        all.extend(std::mem::take(&mut self.open))?;
        self.open = all;
        self.frozen_to.clear();
        Ok(())
    }

    /// Stands on a newer snapshot, without the rows that it holds.
    pub(crate) fn adopt(&mut self, snapshot: Arc<Snapshot>) -> Result<()> {
        let held = by_partition(&snapshot.offsets);
        let fresh = |partition, offset| held.get(&partition).is_none_or(|next| offset >= *next);
        self.open = std::mem::take(&mut self.open).split(fresh)?.0;
        self.snapshot = snapshot;
        Ok(())
    }

    pub(crate) fn tail(&self, rejected: bool) -> impl Iterator<Item = &RecordBatch> {
        [&self.frozen, &self.open]
            .into_iter()
            .flat_map(move |tail| if rejected { &tail.rejects } else { &tail.good })
    }

    pub(crate) fn tail_rows(&self) -> usize {
        self.frozen.rows() + self.open.rows()
    }
}

impl Tail {
    pub(crate) fn rows(&self) -> usize {
        self.good.iter().chain(&self.rejects).map(RecordBatch::num_rows).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.good.is_empty() && self.rejects.is_empty()
    }

    pub(crate) fn extend(&mut self, chunk: Tail) -> Result<()> {
        grow(&mut self.good, chunk.good)?;
        grow(&mut self.rejects, chunk.rejects)?;
        self.measure();
        Ok(())
    }

    /// The rows whose (partition, offset) are `wanted`, and the others.
    fn split(self, wanted: impl Fn(i64, i64) -> bool) -> Result<(Tail, Tail)> {
        let (mut first, mut second) = (Tail::default(), Tail::default());
        (first.good, second.good) = split_chunks(self.good, &wanted)?;
        (first.rejects, second.rejects) = split_chunks(self.rejects, &wanted)?;
        first.measure();
        second.measure();
        Ok((first, second))
    }

    fn measure(&mut self) {
        let chunks = self.good.iter().chain(&self.rejects);
        self.bytes = chunks.map(RecordBatch::get_array_memory_size).sum();
    }
}

fn split_chunks(
    chunks: Vec<RecordBatch>,
    wanted: impl Fn(i64, i64) -> bool,
) -> Result<(Vec<RecordBatch>, Vec<RecordBatch>)> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let rows: Vec<bool> = match origins(&chunk) {
            Some(origins) => origins.map(|(partition, offset)| wanted(partition, offset)).collect(),
            None => continue,
        };
        let rows = BooleanArray::from(rows);
        match rows.true_count() {
            0 => second.push(chunk),
            count if count == chunk.num_rows() => first.push(chunk),
            _ => {
                first.push(filter_record_batch(&chunk, &rows)?);
                second.push(filter_record_batch(&chunk, &not(&rows)?)?);
            }
        }
    }
    Ok((first, second))
}

/// Offsets of one topic, as rows name their partition.
fn by_partition(offsets: &Offsets) -> HashMap<i64, i64> {
    let offsets = offsets.iter();
    offsets
        .map(|((_, partition), next)| (i64::from(*partition), *next as i64))
        .collect()
}

/// Appends, and merges small neighbours of similar size: each row is copied a few times at most, and a tail of many
/// publishes has few chunks.
fn grow(chunks: &mut Vec<RecordBatch>, more: Vec<RecordBatch>) -> Result<()> {
    chunks.extend(more);
    while let [.., older, newer] = chunks.as_slice() {
        let rows = older.num_rows() + newer.num_rows();
        if rows > CHUNK_ROWS || older.num_rows() > 2 * newer.num_rows() {
            break;
        }
        let merged = concat_batches(older.schema_ref(), [older, newer])?;
        chunks.truncate(chunks.len() - 2);
        chunks.push(merged);
    }
    Ok(())
}

/// A published batch as rows of the tail: without what the table holds already, good rows apart from rejects, and with
/// the partition columns.
pub(crate) fn admit(spec: &TableSpec, stored: &SchemaRef, batch: &RecordBatch, held: &Offsets) -> Result<Tail> {
    if batch.schema_ref() != &spec.schema {
        return Err(Error::Unsupported(format!(
            "a batch for {} has another schema",
            spec.name
        )));
    }
    let Some(origins) = origins(batch) else {
        return Ok(Tail::default());
    };
    let held = by_partition(held);
    let fresh: Vec<bool> = origins
        .map(|(partition, offset)| held.get(&partition).is_none_or(|next| offset >= *next))
        .collect();
    let fresh = BooleanArray::from(fresh);
    let batch = match fresh.true_count() {
        0 => return Ok(Tail::default()),
        count if count == batch.num_rows() => batch.clone(),
        _ => filter_record_batch(batch, &fresh)?,
    };
    let (good, rejects) = match is_reject(&batch) {
        None => (batch, None),
        Some(rejected) => {
            let good = filter_record_batch(&batch, &not(&rejected)?)?;
            (good, Some(filter_record_batch(&batch, &rejected)?))
        }
    };
    let mut tail = Tail::default();
    if good.num_rows() > 0 {
        tail.good.push(partitioned(&good, stored, false, spec.day_of)?);
    }
    if let Some(rejects) = rejects {
        tail.rejects.push(partitioned(&rejects, stored, true, "_ingested_at")?);
    }
    Ok(tail)
}

fn partitioned(batch: &RecordBatch, stored: &SchemaRef, rejected: bool, day_of: &str) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    columns.push(Arc::new(BooleanArray::from(vec![rejected; batch.num_rows()])));
    let time = batch
        .column_by_name(day_of)
        .ok_or_else(|| Error::Unsupported(format!("a batch has no column {day_of}")))?;
    columns.push(cast(time, &DataType::Date32)?);
    Ok(RecordBatch::try_new(Arc::clone(stored), columns)?)
}
