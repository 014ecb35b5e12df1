//! Schema `system`: how fresh, how far behind, how large, what was committed, who asks what.

use crate::{
    catalog::Catalog,
    lake::lock,
    relations::{KeptState, Position},
    store::Store,
    tables::TableSpec,
    view::TableView,
};
use arrow::{
    array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    compute::kernels::aggregate,
    datatypes::{Field, Schema, SchemaRef, TimestampMicrosecondType},
};
use datafusion::{
    common::{DataFusionError, Result},
    datasource::{MemTable, TableProvider},
};
use deltalake::kernel::Action;
use domain::Timestamp;
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;

/// Commits a table that `system.commits` goes back.
const RECENT_COMMITS: u64 = 20;

const EVERYONES: [&str; 3] = ["lag", "marts", "queries"];
/// They tell when others act, and how much.
const ADMINS: [&str; 3] = ["freshness", "tables", "commits"];

pub(crate) fn table_names(catalog: &Catalog) -> Vec<String> {
    let admins: &[&str] = if catalog.is_admin() { &ADMINS } else { &[] };
    EVERYONES.iter().chain(admins).map(|name| (*name).to_owned()).collect()
}

/// The columns of one of these, without its rows.
pub(crate) fn columns(catalog: &Catalog, name: &str) -> Result<SchemaRef> {
    let batch = match name {
        "freshness" => freshness(catalog)?,
        "lag" => lag(catalog)?,
        "marts" => marts(catalog)?,
        "queries" => queries(catalog)?,
        "tables" => tables(catalog)?,
        _ => commit_rows(&[])?,
    };
    Ok(batch.schema())
}

pub(crate) async fn table(catalog: &Catalog, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
    if !table_names(catalog).iter().any(|known| known == name) {
        return Ok(None);
    }
    let batch = match name {
        "freshness" => freshness(catalog)?,
        "lag" => lag(catalog)?,
        "marts" => marts(catalog)?,
        "queries" => queries(catalog)?,
        "tables" => tables(catalog)?,
        _ => commits(catalog).await?,
    };
    Ok(Some(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?)))
}

fn freshness(catalog: &Catalog) -> Result<RecordBatch> {
    let view = &catalog.view;
    let rows: Vec<_> = catalog
        .specs()
        .map(|(index, spec)| (spec, &view.tables[index]))
        .collect();
    let offsets = |offsets: &crate::snapshot::Offsets, spec: &TableSpec| -> i64 {
        offsets
            .iter()
            .filter(|((topic, _), _)| topic == spec.topic)
            .map(|(_, next)| *next as i64)
            .sum()
    };
    batch([
        ("table_name", texts(rows.iter().map(|(spec, _)| Some(spec.name)))),
        (
            "visible_seq",
            numbers(rows.iter().map(|(spec, _)| spec.has_envelope.then_some(view.watermark))),
        ),
        (
            "visible_offsets",
            numbers(rows.iter().map(|(spec, _)| Some(offsets(&view.seen, spec)))),
        ),
        (
            "committed_offsets",
            numbers(
                rows.iter()
                    .map(|(spec, table)| Some(offsets(&table.snapshot.offsets, spec))),
            ),
        ),
        (
            "tail_rows",
            numbers(rows.iter().map(|(_, table)| Some(table.tail_rows() as i64))),
        ),
        (
            "last_visible_at",
            times(rows.iter().map(|(spec, table)| last_time(spec, table))),
        ),
    ])
}

/// The latest time of a good row that is visible.
fn last_time(spec: &TableSpec, table: &TableView) -> Option<i64> {
    let in_tail = table.tail(false).filter_map(|batch| {
        aggregate::max(
            batch
                .column_by_name(spec.day_of)?
                .as_primitive_opt::<TimestampMicrosecondType>()?,
        )
    });
    let in_files = || table.snapshot.highest_time(spec.schema.index_of(spec.day_of).ok()?);
    in_tail.max().or_else(in_files)
}

fn lag(catalog: &Catalog) -> Result<RecordBatch> {
    let lags = lock(&catalog.lake.inner.lags).clone();
    batch([
        ("source", texts(lags.iter().map(|lag| Some(lag.source.as_str())))),
        ("end", numbers(lags.iter().map(|lag| Some(lag.end)))),
        ("applied", numbers(lags.iter().map(|lag| Some(lag.applied)))),
        ("lag", numbers(lags.iter().map(|lag| Some(lag.end - lag.applied)))),
    ])
}

/// How far each table of computed rows is behind what it is computed from. An answer makes up the difference.
fn marts(catalog: &Catalog) -> Result<RecordBatch> {
    let here = Position::of_view(&catalog.view);
    let rows: Vec<_> = catalog
        .kept
        .iter()
        .map(|(name, table)| (name.as_str(), KeptState::of(table)))
        .collect();
    batch([
        ("table_name", texts(rows.iter().map(|(name, _)| Some(*name)))),
        (
            "version",
            numbers(rows.iter().map(|(_, kept)| Some(kept.version as i64))),
        ),
        ("seq", numbers(rows.iter().map(|(_, kept)| Some(kept.position.seq)))),
        (
            "changes_behind",
            numbers(rows.iter().map(|(_, kept)| Some(kept.position.behind(&here).0))),
        ),
        (
            "interactions_behind",
            numbers(rows.iter().map(|(_, kept)| Some(kept.position.behind(&here).1))),
        ),
    ])
}

fn queries(catalog: &Catalog) -> Result<RecordBatch> {
    let mut queries = catalog.lake.inner.engine.running();
    if !catalog.is_admin() {
        queries
            .retain(|query| query.organizer == catalog.principal.organizer && query.principal == catalog.principal.id);
    }
    let now = Timestamp::now();
    batch([
        ("query_id", numbers(queries.iter().map(|query| Some(query.id as i64)))),
        (
            "principal",
            texts(queries.iter().map(|query| Some(query.principal.as_str()))),
        ),
        ("sql", texts(queries.iter().map(|query| Some(query.sql.as_str())))),
        (
            "started_at",
            times(queries.iter().map(|query| Some(query.started_at.as_micros()))),
        ),
        (
            "elapsed_ms",
            numbers(
                queries
                    .iter()
                    .map(|query| Some(now.since(query.started_at).as_millis() as i64)),
            ),
        ),
    ])
}

fn tables(catalog: &Catalog) -> Result<RecordBatch> {
    let rows: Vec<_> = catalog
        .specs()
        .map(|(index, spec)| (spec, &catalog.view.tables[index]))
        .collect();
    let rejects = |table: &TableView| {
        let stored = table
            .snapshot
            .files
            .iter()
            .filter(|file| file.rejected)
            .map(|file| file.rows as i64);
        stored.sum::<i64>() + table.tail(true).map(|batch| batch.num_rows() as i64).sum::<i64>()
    };
    batch([
        ("table_name", texts(rows.iter().map(|(spec, _)| Some(spec.name)))),
        (
            "version",
            numbers(rows.iter().map(|(_, table)| Some(table.snapshot.version as i64))),
        ),
        (
            "files",
            numbers(rows.iter().map(|(_, table)| Some(table.snapshot.files.len() as i64))),
        ),
        (
            "rows",
            numbers(rows.iter().map(|(_, table)| Some(table.snapshot.rows() as i64))),
        ),
        (
            "bytes",
            numbers(rows.iter().map(|(_, table)| Some(table.snapshot.bytes() as i64))),
        ),
        ("rejects", numbers(rows.iter().map(|(_, table)| Some(rejects(table))))),
        (
            "tail_rows",
            numbers(rows.iter().map(|(_, table)| Some(table.tail_rows() as i64))),
        ),
        (
            "tail_bytes",
            numbers(
                rows.iter()
                    .map(|(_, table)| Some((table.frozen.bytes + table.open.bytes) as i64)),
            ),
        ),
    ])
}

struct CommitRow {
    table: &'static str,
    version: i64,
    operation: Option<String>,
    committed_at: Option<i64>,
    added: i64,
    removed: i64,
}

async fn commits(catalog: &Catalog) -> Result<RecordBatch> {
    let wanted = catalog.specs().flat_map(|(index, _)| {
        let store = &catalog.lake.inner.tables[index].store;
        let newest = catalog.view.tables[index].snapshot.version;
        (newest.saturating_sub(RECENT_COMMITS - 1)..=newest).map(move |version| commit_row(store, version))
    });
    let rows: Vec<Option<CommitRow>> = stream::iter(wanted.collect::<Vec<_>>())
        .buffered(16)
        .try_collect()
        .await?;
    commit_rows(&rows.into_iter().flatten().collect::<Vec<_>>())
}

fn commit_rows(rows: &[CommitRow]) -> Result<RecordBatch> {
    batch([
        ("table_name", texts(rows.iter().map(|row| Some(row.table)))),
        ("version", numbers(rows.iter().map(|row| Some(row.version)))),
        ("operation", texts(rows.iter().map(|row| row.operation.as_deref()))),
        ("committed_at", times(rows.iter().map(|row| row.committed_at))),
        ("files_added", numbers(rows.iter().map(|row| Some(row.added)))),
        ("files_removed", numbers(rows.iter().map(|row| Some(row.removed)))),
    ])
}

/// None if the log entry has been cleaned up.
async fn commit_row(store: &Store, version: u64) -> Result<Option<CommitRow>> {
    let actions = store
        .actions(version)
        .await
        .map_err(|error| DataFusionError::External(Box::new(error)))?;
    Ok(actions.map(|actions| {
        let info = actions.iter().find_map(|action| match action {
            Action::CommitInfo(info) => Some(info),
            _ => None,
        });
        let count = |wanted: fn(&Action) -> bool| actions.iter().filter(|action| wanted(action)).count() as i64;
        CommitRow {
            table: store.spec.name,
            version: version as i64,
            operation: info.and_then(|info| info.operation.clone()),
            committed_at: info.and_then(|info| info.timestamp).map(|millis| millis * 1_000),
            added: count(|action| matches!(action, Action::Add(_))),
            removed: count(|action| matches!(action, Action::Remove(_))),
        }
    }))
}

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> Result<RecordBatch> {
    let fields = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    Ok(RecordBatch::try_new(
        schema,
        columns.into_iter().map(|(_, column)| column).collect(),
    )?)
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn numbers(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

fn times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}
