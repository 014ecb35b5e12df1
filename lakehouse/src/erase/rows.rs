//! Which rows are about the people that are erased, and what is left of them.

use crate::{
    error::Result,
    scan::{prune, scan_files, scan_stored},
    snapshot::{DataFile, Offsets},
    tables::{INTERACTIONS, TableSpec, UNROUTED},
};
use arrow::{
    array::{Array, AsArray, BooleanArray, RecordBatch},
    compute::{filter_record_batch, not, nullif},
    datatypes::SchemaRef,
};
use datafusion::{
    common::DFSchema,
    execution::{SendableRecordBatchStream, SessionState},
    logical_expr::{col, lit},
    physical_expr::PhysicalExpr,
    physical_plan::execute_stream,
};
use domain::PersonId;
use futures::StreamExt;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Rows of each person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts(pub BTreeMap<String, Rows>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rows {
    pub emptied: u64,
    pub deleted: u64,
}

/// Looks for some people in one table.
#[derive(Debug)]
pub(crate) struct Seeker {
    spec: &'static TableSpec,
    people: BTreeSet<String>,
    /// The column that names the person whom a row is about.
    subject: &'static str,
}

/// What a file holds of them.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) any: bool,
    /// The highest offset of each partition, of all rows that were read.
    highest: HashMap<i64, i64>,
}

/// What is to become of the rows of a batch.
struct Marks {
    emptied: BooleanArray,
    deleted: BooleanArray,
}

impl Counts {
    pub(super) fn add(&mut self, other: Counts) {
        for (person, rows) in other.0 {
            let known = self.0.entry(person).or_default();
            known.emptied += rows.emptied;
            known.deleted += rows.deleted;
        }
    }
}

impl Found {
    /// The table has every row of its partitions up to behind these.
    pub(super) fn is_below(&self, topic: &str, committed: &Offsets) -> bool {
        self.highest.iter().all(|(partition, offset)| {
            let key = (topic.to_owned(), u32::try_from(*partition).unwrap_or(u32::MAX));
            committed
                .get(&key)
                .is_some_and(|next| i64::try_from(*next).is_ok_and(|next| *offset < next))
        })
    }
}

impl Seeker {
    /// None: this table has nothing about people but their ids.
    pub(super) fn new(spec: &'static TableSpec, people: &BTreeSet<PersonId>) -> Option<Self> {
        let subject = match spec.name {
            INTERACTIONS => "person_id",
            // Records whose headers could not be read, of any kind.
            UNROUTED => "entity_id",
            _ if spec.has_personal_data() => "entity_id",
            _ => return None,
        };
        Some(Self {
            spec,
            people: people.iter().map(ToString::to_string).collect(),
            subject,
        })
    }

    /// The files that may hold rows of theirs, by the files' statistics.
    pub(super) fn candidates(
        &self,
        state: &SessionState,
        stored: &SchemaRef,
        files: &[Arc<DataFile>],
    ) -> Result<Vec<Arc<DataFile>>> {
        let (rejected, good): (Vec<_>, Vec<_>) = files.iter().cloned().partition(|file| file.rejected);
        let mut candidates = prune(good, stored, &self.predicate(state, stored)?)?;
        candidates.extend(rejected);
        Ok(candidates)
    }

    fn predicate(&self, state: &SessionState, stored: &SchemaRef) -> Result<Arc<dyn PhysicalExpr>> {
        let people = self.people.iter().map(|person| lit(person.as_str())).collect();
        let schema = DFSchema::try_from(stored.as_ref().clone())?;
        Ok(state.create_physical_expr(col(self.subject).in_list(people, false), &schema)?)
    }

    /// Looks into a file, at no more columns than it takes.
    pub(super) async fn look(&self, state: &SessionState, file: &Arc<DataFile>) -> Result<Found> {
        let stored = self.spec.stored_schema();
        let raw: &[&str] = if file.rejected { &["_raw"] } else { &[] };
        let names = ["_partition", "_offset", self.subject];
        let names = names.iter().chain(self.spec.personal_columns()).chain(raw);
        let columns = names
            .map(|name| Ok(stored.index_of(name)?))
            .collect::<Result<Vec<_>>>()?;
        // A reject may name nobody and have the person in its raw bytes.
        let predicate = match file.rejected {
            true => None,
            false => Some(self.predicate(state, &stored)?),
        };
        let plan = scan_files(state, self.spec, std::slice::from_ref(file), &columns, predicate)?;
        let mut batches = execute_stream(plan, state.task_ctx())?;
        let mut found = Found::default();
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let marks = self.mark(&batch, file.rejected, &mut Counts::default())?;
            found.any |= marks.emptied.true_count() + marks.deleted.true_count() > 0;
            for (partition, offset) in crate::decode::origins(&batch).into_iter().flatten() {
                let highest = found.highest.entry(partition).or_insert(offset);
                *highest = (*highest).max(offset);
            }
        }
        Ok(found)
    }

    /// All of a file.
    pub(super) fn read(&self, state: &SessionState, file: &Arc<DataFile>) -> Result<SendableRecordBatchStream> {
        let plan = scan_stored(state, self.spec, std::slice::from_ref(file))?;
        Ok(execute_stream(plan, state.task_ctx())?)
    }

    /// The batch without personal data of theirs.
    pub(super) fn without(&self, batch: &RecordBatch, rejected: bool, counts: &mut Counts) -> Result<RecordBatch> {
        let marks = self.mark(batch, rejected, counts)?;
        let mut columns = batch.columns().to_vec();
        for name in self.spec.personal_columns() {
            let index = batch.schema_ref().index_of(name)?;
            columns[index] = nullif(&columns[index], &marks.emptied)?;
        }
        let batch = RecordBatch::try_new(batch.schema(), columns)?;
        Ok(filter_record_batch(&batch, &not(&marks.deleted)?)?)
    }

    fn mark(&self, batch: &RecordBatch, rejected: bool, counts: &mut Counts) -> Result<Marks> {
        let schema = batch.schema_ref();
        let subjects = batch.column(schema.index_of(self.subject)?).as_string::<i32>();
        let raw = schema
            .index_of("_raw")
            .ok()
            .map(|index| batch.column(index).as_binary::<i32>());
        let personal = self.spec.personal_columns();
        let personal = personal
            .iter()
            .map(|name| Ok(batch.column(schema.index_of(name)?)))
            .collect::<Result<Vec<_>>>()?;
        let (mut emptied, mut deleted) = (vec![false; batch.num_rows()], vec![false; batch.num_rows()]);
        for row in 0..batch.num_rows() {
            let subject = subjects.is_valid(row).then(|| subjects.value(row));
            let named = subject.filter(|id| self.people.contains(*id));
            let person = match raw.filter(|raw| rejected && raw.is_valid(row)) {
                Some(raw) => named.or_else(|| self.named_in(raw.value(row))),
                None => named,
            };
            let Some(person) = person else { continue };
            let rows = counts.0.entry(person.to_owned()).or_default();
            if rejected || personal.is_empty() {
                deleted[row] = true;
                rows.deleted += 1;
            } else if personal.iter().any(|column| column.is_valid(row)) {
                emptied[row] = true;
                rows.emptied += 1;
            }
        }
        Ok(Marks {
            emptied: emptied.into(),
            deleted: deleted.into(),
        })
    }

    fn named_in(&self, raw: &[u8]) -> Option<&str> {
        let has = |id: &&str| raw.windows(id.len()).any(|window| window == id.as_bytes());
        self.people.iter().map(String::as_str).find(has)
    }
}
