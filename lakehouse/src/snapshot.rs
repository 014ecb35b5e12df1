//! What a Delta table holds at one version: its files, and for each log partition the offset up to which it has every
//! row. Kept by applying commits one by one, so that a commit costs the same however many files there are; delta-rs
//! rebuilds its own state at about 0.25 ms an active file.

use crate::{
    error::{Error, Result},
    tables::{DAY, REJECTED},
};
use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, NaiveDate};
use datafusion::common::{Column, ScalarValue, pruning::PruningStatistics};
use deltalake::kernel::{Action, Add, Transaction};
use domain::Timestamp;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

/// `seq` is the first column of every table of changes; no other table begins with a number.
const SEQ: usize = 0;

/// The next offset of each (topic, partition).
pub(crate) type Offsets = BTreeMap<(String, u32), u64>;

#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) version: u64,
    pub(crate) files: Vec<Arc<DataFile>>,
    pub(crate) offsets: Offsets,
    /// When it was known to be the newest.
    pub(crate) read_at: Timestamp,
}

#[derive(Debug)]
pub(crate) struct DataFile {
    pub(crate) add: Add,
    pub(crate) rejected: bool,
    pub(crate) day: Option<i32>,
    pub(crate) rows: u64,
    /// (column, lowest, highest), for columns that have statistics. Bounds, not exact values.
    ranges: Vec<(usize, ScalarValue, ScalarValue)>,
}

impl Snapshot {
    /// The table after one more commit.
    pub(crate) fn after(&self, version: u64, actions: &[Action], schema: &Schema, pipeline: &str) -> Result<Self> {
        let mut files = self.files.clone();
        let mut offsets = self.offsets.clone();
        let removed: HashSet<&str> = actions
            .iter()
            .filter_map(|action| match action {
                Action::Remove(remove) => Some(remove.path.as_str()),
                _ => None,
            })
            .collect();
        if !removed.is_empty() {
            files.retain(|file| !removed.contains(file.add.path.as_str()));
        }
        for action in actions {
            match action {
                Action::Add(add) => files.push(Arc::new(DataFile::new(add.clone(), schema)?)),
                Action::Txn(txn) => offsets.extend(offset_of(txn, pipeline)),
                Action::Protocol(protocol) if protocol.min_reader_version() > 1 => {
                    return Err(Error::Unsupported(format!(
                        "a commit raised its reader version to {}",
                        protocol.min_reader_version()
                    )));
                }
                _ => {}
            }
        }
        Ok(Self {
            version,
            files,
            offsets,
            read_at: Timestamp::now(),
        })
    }

    pub(crate) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size()).sum()
    }

    /// The highest `seq` in the files; whole numbers are exact in statistics.
    pub(crate) fn highest_seq(&self) -> Option<i64> {
        let highest = |file: &Arc<DataFile>| match file.ranges.iter().find(|(column, ..)| *column == SEQ) {
            Some((.., ScalarValue::Int64(highest))) => *highest,
            _ => None,
        };
        self.files.iter().filter_map(highest).max()
    }

    /// The latest time of a column, to the millisecond.
    pub(crate) fn highest_time(&self, column: usize) -> Option<i64> {
        let highest = |file: &Arc<DataFile>| match file.ranges.iter().find(|(known, ..)| *known == column) {
            Some((.., ScalarValue::TimestampMicrosecond(highest, _))) if !file.rejected => *highest,
            _ => None,
        };
        let micros = self.files.iter().filter_map(highest).max()?;
        Some(micros - micros.rem_euclid(1_000))
    }

    pub(crate) fn holds_all(&self, paths: &HashSet<String>) -> bool {
        self.files.iter().filter(|file| paths.contains(&file.add.path)).count() == paths.len()
    }
}

/// The application transaction that records an offset: `{pipeline}:{table}:{topic}:{partition}`.
pub(crate) fn transaction(pipeline: &str, table: &str, topic: &str, partition: u32, next_offset: u64) -> Transaction {
    Transaction::new(format!("{pipeline}:{table}:{topic}:{partition}"), next_offset as i64)
}

pub(crate) fn offset_of(txn: &Transaction, pipeline: &str) -> Option<((String, u32), u64)> {
    let mut parts = txn.app_id.rsplitn(3, ':');
    let (partition, topic, owner) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    let ours = owner.split_once(':').is_some_and(|(name, _table)| name == pipeline);
    ours.then(|| ((topic.to_owned(), partition), u64::try_from(txn.version).unwrap_or(0)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    num_records: u64,
    #[serde(default)]
    min_values: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    max_values: serde_json::Map<String, serde_json::Value>,
}

impl DataFile {
    pub(crate) fn new(add: Add, schema: &Schema) -> Result<Self> {
        if add.deletion_vector.is_some() {
            return Err(Error::Unsupported(format!("{} has a deletion vector", add.path)));
        }
        let stats: Option<Stats> = add.stats.as_deref().and_then(|stats| serde_json::from_str(stats).ok());
        let Some(stats) = stats else {
            return Err(Error::Unsupported(format!(
                "{} has no statistics, not even a row count",
                add.path
            )));
        };
        let range = |(name, low): (&String, &serde_json::Value)| {
            let column = schema.index_of(name).ok()?;
            let kind = schema.field(column).data_type();
            let low = bound(low, kind, false)?;
            let high = bound(stats.max_values.get(name)?, kind, true)?;
            Some((column, low, high))
        };
        let ranges = stats.min_values.iter().filter_map(range).collect();
        let partition = |name: &str| add.partition_values.get(name).and_then(Option::as_deref);
        Ok(Self {
            rejected: partition(REJECTED) == Some("true"),
            day: partition(DAY).and_then(days),
            rows: stats.num_records,
            ranges,
            add,
        })
    }

    /// Whether a row may have one of these values, as far as the column's range tells.
    pub(crate) fn may_hold(&self, column: usize, values: &BTreeSet<String>) -> bool {
        match self.ranges.iter().find(|(known, ..)| *known == column) {
            Some((_, ScalarValue::Utf8(Some(low)), ScalarValue::Utf8(Some(high)))) => {
                low > high || values.range::<String, _>(low..=high).next().is_some()
            }
            _ => true,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        u64::try_from(self.add.size).unwrap_or(0)
    }
}

fn days(text: &str) -> Option<i32> {
    let date = text.parse::<NaiveDate>().ok()?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

fn bound(value: &serde_json::Value, kind: &DataType, upper: bool) -> Option<ScalarValue> {
    match kind {
        DataType::Int64 => Some(ScalarValue::Int64(Some(value.as_i64()?))),
        DataType::Float64 => Some(ScalarValue::Float64(Some(value.as_f64()?))),
        DataType::Utf8 => Some(ScalarValue::Utf8(Some(value.as_str()?.to_owned()))),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let micros = DateTime::parse_from_rfc3339(value.as_str()?).ok()?.timestamp_micros();
            // Delta cuts times to milliseconds, so the highest may be up to 999 µs higher.
            let micros = if upper { micros.saturating_add(999) } else { micros };
            Some(ScalarValue::TimestampMicrosecond(Some(micros), zone.clone()))
        }
        _ => None,
    }
}

/// The ranges of a list of files, in the form that DataFusion prunes by.
pub(crate) struct FileRanges<'a> {
    pub(crate) files: &'a [Arc<DataFile>],
    /// The stored schema: file columns, then `_rejected` and `day`.
    pub(crate) schema: SchemaRef,
}

impl FileRanges<'_> {
    fn bounds(&self, column: &Column, upper: bool) -> Option<arrow::array::ArrayRef> {
        let index = self.schema.index_of(&column.name).ok()?;
        let field = self.schema.field(index);
        let unknown = ScalarValue::try_from(field.data_type()).ok()?;
        let values = self.files.iter().map(|file| {
            if field.name() == DAY {
                return ScalarValue::Date32(file.day);
            }
            let range = file.ranges.iter().find(|(column, ..)| *column == index);
            let bound = range.map(|(_, low, high)| if upper { high } else { low });
            bound.cloned().unwrap_or_else(|| unknown.clone())
        });
        ScalarValue::iter_to_array(values).ok()
    }
}

impl PruningStatistics for FileRanges<'_> {
    fn min_values(&self, column: &Column) -> Option<arrow::array::ArrayRef> {
        self.bounds(column, false)
    }

    fn max_values(&self, column: &Column) -> Option<arrow::array::ArrayRef> {
        self.bounds(column, true)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, _column: &Column) -> Option<arrow::array::ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<arrow::array::ArrayRef> {
        None
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<arrow::array::BooleanArray> {
        None
    }
}
