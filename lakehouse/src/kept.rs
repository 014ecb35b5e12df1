//! Kept rows: Delta tables whose rows were computed. Each commit carries the position in the sources that its rows were
//! computed from, as application transactions, so a run that comes second, or again after a crash, finds that its work is
//! done and changes nothing.

use crate::{
    error::{Error, Result},
    lake::Lake,
    relations::{KeptState, Moment, Position, fingerprint_of},
    scan::{object_store_url, scan_files, scan_stored},
    snapshot::{DataFile, Snapshot},
    store::{Commit, Moves, Outcome, Store},
    tables::timestamp,
    view::TableView,
};
use arrow::{
    array::{Array, AsArray, BooleanArray, RecordBatch},
    compute::{cast, filter_record_batch},
    datatypes::{DataType, Field, Fields, Schema, SchemaRef},
};
use datafusion::{
    execution::SessionState,
    physical_plan::{collect, execute_stream},
};
use deltalake::{
    ObjectStoreError, Path,
    datafile::writer::DeltaWriter,
    kernel::Remove,
    logstore::object_store::ObjectStoreExt,
    protocol::{DeltaOperation, SaveMode},
};
use domain::Timestamp;
use futures::StreamExt;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// Files below this size are merged when there are many: each makes every query slower.
const SMALL_BYTES: u64 = 4 << 20;

/// How many small files a table has at most, for long.
pub const MANY_SMALL_FILES: usize = 8;

/// Computed rows as they are stored.
#[derive(Debug)]
pub(crate) struct KeptTable {
    pub(crate) store: Arc<Store>,
    pub(crate) snapshot: Arc<Snapshot>,
}

pub(crate) type KeptTables = BTreeMap<String, Arc<KeptTable>>;

/// One commit to a kept table.
#[derive(Clone, Debug)]
pub struct Revision {
    pub table: String,
    /// Names the definition that computed the rows.
    pub fingerprint: u64,
    /// The queries that compute the rows to add, one after the other, so that memory needs to hold a part of the work. All
    /// answer with the same columns.
    pub rows: Vec<String>,
    pub replaces: Replaces,
}

/// Which rows leave as others come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaces {
    Nothing,
    Everything,
    /// The rows of all small files; the query has merged them with what it adds.
    SmallFiles,
    /// The rows that have one of these values in each of these columns: text, or days as text.
    Keys(Keys),
}

pub type Keys = BTreeMap<String, BTreeSet<String>>;

/// How a revision ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revised {
    Committed(KeptState),
    /// Another process has committed since the moment was taken. Its rows are as good.
    Overtaken,
}

impl KeptTable {
    pub(crate) fn view(&self, only_small: bool) -> Arc<TableView> {
        let mut snapshot = Snapshot::clone(&self.snapshot);
        if only_small {
            snapshot.files = self.small_files().cloned().collect();
        }
        Arc::new(TableView::new(snapshot))
    }

    pub(crate) fn small_files(&self) -> impl Iterator<Item = &Arc<DataFile>> {
        self.snapshot.files.iter().filter(|file| file.size() < SMALL_BYTES)
    }
}

impl Lake {
    /// What is kept at present, whether the view here has come as far or not.
    pub fn kept(&self) -> BTreeMap<String, KeptState> {
        let kept = self.inner.kept.load();
        let states = kept.iter().map(|(name, table)| (name.clone(), KeptState::of(table)));
        states.collect()
    }

    /// Computes rows as of the moment, and commits them together with its position.
    pub async fn revise(&self, moment: &Moment, revision: Revision) -> Result<Revised> {
        let (lake, moment) = (self.clone(), moment.clone());
        let work = async move {
            let _one_at_a_time = lake.inner.revising.lock().await;
            revise(&lake, &moment, revision).await
        };
        let task = AbortOnDropHandle::new(self.inner.engine.threads()?.spawn(work));
        task.await.map_err(|error| Error::Unavailable(error.to_string()))?
    }

    /// Lets go of what is kept in some tables, so that the next run computes all of it, and then of the files themselves.
    /// Queries that run have the grace to end.
    pub async fn forget_kept(&self, tables: &[String], grace: Duration) -> Result<()> {
        let mut gone = Vec::new();
        for name in tables {
            let _one_at_a_time = self.inner.revising.lock().await;
            // This process may know of none yet, or of an older version.
            find_one(self, name).await?;
            let Some(table) = self.inner.kept.load().get(name).cloned() else {
                continue;
            };
            let nothing = Position::default().to_offsets(0);
            let moves = moves(&table.snapshot, nothing.into_iter());
            let removes = table.snapshot.files.iter().map(remove).collect();
            let commit = Commit::new(vec![], removes, moves, DeltaOperation::Delete { predicate: None });
            match table.store.commit(&table.snapshot, &commit).await? {
                Outcome::Committed(after) => drop(adopt(self, name, &table.store, after)),
                Outcome::Overtaken(_) => {
                    return Err(Error::Unavailable(format!("{name} was computed at the same time")));
                }
            }
            gone.push(table);
        }
        tokio::time::sleep(grace).await;
        for table in gone {
            for file in &table.snapshot.files {
                let path = Path::from(file.add.path.as_str());
                match table.store.objects.delete(&path).await {
                    Ok(()) | Err(ObjectStoreError::NotFound { .. }) => table.store.forget_file(&file.add.path),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

async fn revise(lake: &Lake, moment: &Moment, revision: Revision) -> Result<Revised> {
    let inner = &lake.inner;
    let state = inner
        .engine
        .spilling_state(Some(moment.catalog.inside()), inner.options.run_memory_bytes)?;
    let columns = match revision.rows.first() {
        Some(rows) => state.create_logical_plan(rows).await?,
        None => return Err(Error::invalid("a revision has no query")),
    };
    let schema = stored_schema(columns.schema().inner())?;
    let table = target(lake, moment, &revision, &schema).await?;
    let mut writer = table.store.writer();
    let mut gone = replaced(&table, &revision.replaces);
    if let Replaces::Keys(keys) = &revision.replaces {
        gone = rewrite(&state, &table, keys, &mut writer).await?;
    }
    let limit = inner.options.run_timeout;
    for rows in &revision.rows {
        let computed = timeout(limit, compute(&state, rows, &schema, &mut writer));
        computed.await.map_err(|_| Error::Timeout(limit))??;
    }
    let adds = table.store.finish(writer).await?;
    let reached = moment.position().to_offsets(revision.fingerprint);
    let mode = match revision.replaces {
        Replaces::Nothing => SaveMode::Append,
        _ => SaveMode::Overwrite,
    };
    let operation = DeltaOperation::Write {
        mode,
        partition_by: None,
        predicate: None,
    };
    let moves = moves(&table.snapshot, reached.into_iter());
    let mut commit = Commit::new(adds, gone.iter().map(remove).collect(), moves, operation);
    let known = moment.catalog.kept.get(&revision.table);
    if known.is_some_and(|known| known.store.schema != table.store.schema) {
        commit.metadata = Some(table.store.metadata(&inner.options)?);
    }
    match table.store.commit(&table.snapshot, &commit).await? {
        Outcome::Committed(after) => {
            metrics::counter!("bilten_lake_commits_total").increment(1);
            Ok(Revised::Committed(KeptState::of(&adopt(
                lake,
                &revision.table,
                &table.store,
                after,
            ))))
        }
        Outcome::Overtaken(after) => {
            follow_one(lake, &revision.table, &table.store, after).await?;
            Ok(Revised::Overtaken)
        }
    }
}

async fn compute(state: &SessionState, rows: &str, schema: &SchemaRef, writer: &mut DeltaWriter) -> Result<()> {
    let plan = state.create_logical_plan(rows).await?;
    let plan = state.create_physical_plan(&plan).await?;
    let mut rows = execute_stream(plan, state.task_ctx())?;
    while let Some(batch) = rows.next().await {
        let batch = normalized(&batch?, schema)?;
        if batch.num_rows() > 0 {
            writer.write(&batch).await?;
        }
    }
    Ok(())
}

/// The table as it was at the moment; a new one, or one with other columns, where that is what the revision needs.
async fn target(lake: &Lake, moment: &Moment, revision: &Revision, schema: &SchemaRef) -> Result<KeptTable> {
    if let Some(known) = moment.catalog.kept.get(&revision.table) {
        let store = if known.store.schema == *schema {
            Arc::clone(&known.store)
        } else if revision.replaces == Replaces::Everything {
            Arc::new(known.store.with_schema(Arc::clone(schema)))
        } else {
            let message = format!("{} keeps rows with other columns", revision.table);
            return Err(Error::Unsupported(message));
        };
        let snapshot = Arc::clone(&known.snapshot);
        return Ok(KeptTable { store, snapshot });
    }
    let inner = &lake.inner;
    let spec = crate::tables::TableSpec::kept(&revision.table, Arc::clone(schema));
    let (store, snapshot) = Store::open(&inner.remote, spec, &inner.options, inner.cache.clone()).await?;
    inner
        .engine
        .objects()
        .register_store(object_store_url(store.spec)?.as_ref(), store.files());
    Ok(KeptTable {
        store: Arc::new(store),
        snapshot: Arc::new(snapshot),
    })
}

fn replaced(table: &KeptTable, replaces: &Replaces) -> Vec<Arc<DataFile>> {
    match replaces {
        Replaces::Everything => table.snapshot.files.clone(),
        Replaces::SmallFiles => table.small_files().cloned().collect(),
        Replaces::Nothing | Replaces::Keys(_) => vec![],
    }
}

/// Writes again what else stands in the files that have a row with one of the keys, and merges small files when they are
/// many. Returns the files that this replaces.
async fn rewrite(
    state: &SessionState,
    table: &KeptTable,
    keys: &Keys,
    writer: &mut DeltaWriter,
) -> Result<Vec<Arc<DataFile>>> {
    let columns = keys.keys().map(|name| table.store.schema.index_of(name));
    let columns = columns.collect::<Result<Vec<usize>, _>>()?;
    let merge = table.small_files().count() >= MANY_SMALL_FILES;
    let mut gone = Vec::new();
    for file in &table.snapshot.files {
        let one = std::slice::from_ref(file);
        let mut touched = columns
            .iter()
            .zip(keys.values())
            .all(|(column, values)| file.may_hold(*column, values));
        if touched {
            let only_keys = scan_files(state, table.store.spec, one, &columns, None)?;
            let found = collect(only_keys, state.task_ctx()).await?;
            let left = found.iter().map(|batch| Ok(without(batch, keys)?.true_count()));
            touched = (left.sum::<Result<usize>>()? as u64) < file.rows;
        }
        let merged = merge && file.size() < SMALL_BYTES;
        if !touched && !merged {
            continue;
        }
        let mut read = 0;
        for batch in collect(scan_stored(state, table.store.spec, one)?, state.task_ctx()).await? {
            read += batch.num_rows() as u64;
            let kept = filter_record_batch(&batch, &without(&batch, keys)?)?;
            if kept.num_rows() > 0 {
                writer.write(&kept).await?;
            }
        }
        if read != file.rows {
            let message = format!("a run read {read} rows of {}, not all", file.add.path);
            return Err(Error::Unavailable(message));
        }
        gone.push(Arc::clone(file));
    }
    Ok(gone)
}

/// Marks the rows that have none of the combinations.
fn without(batch: &RecordBatch, keys: &Keys) -> Result<BooleanArray> {
    let mut columns = Vec::new();
    for (name, values) in keys {
        let column = batch.column(batch.schema_ref().index_of(name)?);
        columns.push((cast(column, &DataType::Utf8)?, values));
    }
    let texts: Vec<_> = columns
        .iter()
        .map(|(column, values)| (column.as_string::<i32>(), values))
        .collect();
    let is_one = |row: usize| {
        texts
            .iter()
            .all(|(column, values)| column.is_valid(row) && values.contains(column.value(row)))
    };
    Ok((0..batch.num_rows()).map(|row| Some(!is_one(row))).collect())
}

fn moves(before: &Snapshot, reached: impl Iterator<Item = ((String, u32), u64)>) -> Moves {
    reached
        .map(|(key, to)| {
            let from = before.offsets.get(&key).copied().unwrap_or(0);
            (key, (from, to))
        })
        .collect()
}

fn remove(file: &Arc<DataFile>) -> Remove {
    Remove {
        path: file.add.path.clone(),
        data_change: true,
        deletion_timestamp: Some(Timestamp::now().as_millis()),
        extended_file_metadata: Some(true),
        partition_values: Some(file.add.partition_values.clone()),
        size: Some(file.add.size),
        ..Default::default()
    }
}

/// The columns as Delta has them.
fn stored_schema(schema: &Schema) -> Result<SchemaRef> {
    let fields = schema.fields().iter().map(|field| {
        let kind = match field.data_type() {
            DataType::Timestamp(..) => timestamp(),
            DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
            DataType::UInt64 | DataType::Int32 | DataType::UInt32 => DataType::Int64,
            kind @ (DataType::Utf8 | DataType::Int64 | DataType::Float64 | DataType::Boolean | DataType::Date32) => {
                kind.clone()
            }
            kind => {
                let message = format!("column {} has the type {kind}, which can't be kept", field.name());
                return Err(Error::invalid(message));
            }
        };
        Ok(Field::new(field.name(), kind, true))
    });
    Ok(Arc::new(Schema::new(fields.collect::<Result<Fields>>()?)))
}

fn normalized(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    Ok(RecordBatch::try_new(
        Arc::clone(schema),
        columns.collect::<Result<_, _>>()?,
    )?)
}

fn adopt(lake: &Lake, name: &str, store: &Arc<Store>, snapshot: Snapshot) -> Arc<KeptTable> {
    let table = Arc::new(KeptTable {
        store: Arc::clone(store),
        snapshot: Arc::new(snapshot),
    });
    lake.inner.kept.rcu(|tables| {
        let mut tables = KeptTables::clone(tables);
        if let Some(before) = tables.insert(name.to_owned(), Arc::clone(&table)) {
            store.forget_cached(&before.snapshot, &table.snapshot);
        }
        tables
    });
    table
}

/// Takes over what another process has committed, if the columns are still the same; otherwise reads the table anew.
async fn follow_one(lake: &Lake, name: &str, store: &Arc<Store>, after: Snapshot) -> Result<()> {
    let inner = &lake.inner;
    let known = inner.kept.load().get(name).cloned();
    match known {
        Some(known) if fingerprint_of(&known.snapshot.offsets) == fingerprint_of(&after.offsets) => {
            adopt(lake, name, store, after);
            Ok(())
        }
        _ => find_one(lake, name).await,
    }
}

async fn find_one(lake: &Lake, name: &str) -> Result<()> {
    let inner = &lake.inner;
    let Some((store, snapshot)) = Store::find(&inner.remote, name, &inner.options, inner.cache.clone()).await? else {
        return Ok(());
    };
    inner
        .engine
        .objects()
        .register_store(object_store_url(store.spec)?.as_ref(), store.files());
    adopt(lake, name, &Arc::new(store), snapshot);
    Ok(())
}

/// Finds the tables of these names that are there. One that can't be read is left aside: what it keeps is computed with
/// each answer, and nothing else waits for it.
pub(crate) async fn find(lake: &Lake, names: &[String]) {
    let found = names.iter().map(|name| find_one(lake, name));
    for (name, found) in names.iter().zip(futures::future::join_all(found).await) {
        if let Err(error) = found {
            tracing::warn!(
                table = name,
                %error,
                "kept rows can't be read and are left aside; without its folder the table is made anew"
            );
        }
    }
}

/// What others have committed to kept tables, as far as this process's own view has come.
pub(crate) async fn follow(lake: &Lake, look_for_new: bool) -> Result<()> {
    let Ok(_one_at_a_time) = lake.inner.revising.try_lock() else {
        return Ok(());
    };
    let known = lake.inner.kept.load_full();
    for (name, table) in known.iter() {
        let reached = |next: &Snapshot| {
            if !lake.inner.options.answers {
                return true;
            }
            let here = Position::of_view(&lake.view());
            here.reaches(&Position::of_offsets(&next.offsets))
        };
        let newer = table.store.newer(&table.snapshot, None, reached).await?;
        if newer.snapshot.version > table.snapshot.version {
            follow_one(lake, name, &table.store, newer.snapshot).await?;
        }
    }
    if look_for_new {
        let relations = crate::lake::lock(&lake.inner.relations).clone();
        let names = relations.map(|relations| relations.kept()).unwrap_or_default();
        let missing: Vec<String> = names.into_iter().filter(|name| !known.contains_key(name)).collect();
        find(lake, &missing).await;
    }
    Ok(())
}
