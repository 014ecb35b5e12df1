//! Upkeep, away from the commits: compaction, checkpoints, vacuum, and the log's own clean-up.

use crate::{
    error::{Error, Result},
    follow::{self, adopt},
    lake::{Lake, Table},
    options::LakeOptions,
    scan::scan_stored,
    snapshot::{DataFile, Snapshot},
    store::{Commit, Moves, Outcome, Store},
};
use datafusion::{
    physical_expr::{LexOrdering, PhysicalSortExpr, expressions::col},
    physical_plan::{
        ExecutionPlan, coalesce_partitions::CoalescePartitionsExec, execute_stream, sorts::sort::SortExec,
    },
};
use deltalake::{
    Path,
    checkpoints::{cleanup_expired_logs_for, create_checkpoint},
    kernel::Remove,
    logstore::object_store::ObjectStoreExt,
    operations::vacuum::VacuumMode,
    protocol::DeltaOperation,
};
use domain::Timestamp;
use futures::StreamExt;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Files below this size are always worth merging with each other.
const TINY_BYTES: u64 = 1 << 20;

/// A partition without a new file for so long is closed.
const CLOSED_AFTER: Duration = Duration::from_secs(600);

/// What a compaction may hold in memory; the rest of its sort spills.
const SORT_MEMORY_BYTES: usize = 128 << 20;

/// Vacuum lists a whole table, so not often.
const VACUUM_EVERY: Duration = Duration::from_secs(3600);

pub(crate) async fn run(lake: Lake, stop: CancellationToken) {
    let mut checkpointed: HashMap<usize, u64> = HashMap::new();
    let mut kept_checkpoints = HashMap::new();
    let mut vacuumed = Instant::now();
    let over = || stop.is_cancelled() || lake.inner.stop.is_cancelled();
    while !over() {
        tokio::select! {
            () = tokio::time::sleep(lake.inner.options.maintenance_interval) => {}
            () = stop.cancelled() => return,
            () = lake.inner.stop.cancelled() => return,
        }
        let vacuum_is_due = vacuumed.elapsed() >= VACUUM_EVERY;
        for (index, table) in lake.inner.tables.iter().enumerate() {
            if over() {
                return;
            }
            if let Err(error) = follow::table(&lake, index).await {
                tracing::warn!(table = table.store.spec.name, %error, "the table can't be read");
                continue;
            }
            let version = lake.view().tables[index].snapshot.version;
            let last = checkpointed
                .entry(index)
                .or_insert(version - version % lake.inner.options.checkpoint_commits);
            let kept = keep(&lake, index, last, vacuum_is_due).await;
            if let Err(error) = kept {
                tracing::warn!(table = table.store.spec.name, %error, "upkeep failed, and will be tried again");
            }
        }
        if let Err(error) = keep_kept(&lake, &mut kept_checkpoints, vacuum_is_due).await {
            tracing::warn!(%error, "upkeep of computed tables failed, and will be tried again");
        }
        if vacuum_is_due {
            vacuumed = Instant::now();
        }
    }
}

/// Runs merge small files of computed tables themselves; checkpoints and vacuum are left.
async fn keep_kept(lake: &Lake, checkpointed: &mut HashMap<String, u64>, vacuum_is_due: bool) -> Result<()> {
    let options = &lake.inner.options;
    for (name, table) in lake.inner.kept.load_full().iter() {
        let version = table.snapshot.version;
        let last = checkpointed
            .entry(name.clone())
            .or_insert(version - version % options.checkpoint_commits);
        if version >= *last + options.checkpoint_commits {
            checkpoint(&table.store, options).await?;
            *last = version;
        }
        if vacuum_is_due {
            vacuum(&table.store, options).await?;
        }
    }
    Ok(())
}

async fn keep(lake: &Lake, index: usize, checkpointed: &mut u64, vacuum_is_due: bool) -> Result<()> {
    while compact(lake, index).await? {
        if lake.inner.stop.is_cancelled() {
            return Ok(());
        }
    }
    let table = &lake.inner.tables[index];
    let version = lake.view().tables[index].snapshot.version;
    if version >= *checkpointed + lake.inner.options.checkpoint_commits {
        checkpoint(&table.store, &lake.inner.options).await?;
        *checkpointed = version;
    }
    if vacuum_is_due {
        vacuum(&table.store, &lake.inner.options).await?;
    }
    Ok(())
}

/// Merges one group of small files into one, sorted by organizer. Returns whether there was one.
pub(crate) async fn compact(lake: &Lake, index: usize) -> Result<bool> {
    let table = &lake.inner.tables[index];
    let _alone = table.rewriting.lock().await;
    let snapshot = Arc::clone(&lake.view().tables[index].snapshot);
    let Some(files) = choose(&snapshot, &lake.inner.options, Timestamp::now()) else {
        return Ok(false);
    };
    let adds = rewrite(lake, table, &files).await?;
    let now = Timestamp::now().as_millis();
    let removes = files.iter().map(|file| Remove {
        path: file.add.path.clone(),
        data_change: false,
        deletion_timestamp: Some(now),
        extended_file_metadata: Some(true),
        partition_values: Some(file.add.partition_values.clone()),
        size: Some(file.add.size),
        ..Default::default()
    });
    let removes = removes.collect();
    let progress = table.committing.lock().await;
    if progress.pending.is_some() || !lake.view().tables[index].frozen.is_empty() {
        // That commit may or may not be there; the offsets that ours would carry are not known.
        return Ok(false);
    }
    let base = Arc::clone(&lake.view().tables[index].snapshot);
    let target_size = i64::try_from(lake.inner.options.compact_target_bytes).unwrap_or(i64::MAX);
    let operation = DeltaOperation::Optimize {
        predicate: None,
        target_size,
    };
    // It moves no partition, so no other commit can overtake it.
    let commit = Commit::new(adds, removes, Moves::new(), operation);
    let (Outcome::Committed(merged) | Outcome::Overtaken(merged)) = table.store.commit(&base, &commit).await?;
    metrics::counter!("bilten_lake_compactions_total").increment(1);
    adopt(lake, index, Arc::new(merged))?;
    Ok(true)
}

async fn rewrite(lake: &Lake, table: &Table, files: &[Arc<DataFile>]) -> Result<Vec<deltalake::kernel::Add>> {
    let store = &table.store;
    let state = lake.inner.engine.spilling_state(None, SORT_MEMORY_BYTES)?;
    let scan: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(scan_stored(&state, store.spec, files)?));
    let order = [
        "organizer_id",
        if store.spec.has_envelope { "seq" } else { "received_at" },
    ];
    let order = order.map(|name| col(name, &store.schema).map(PhysicalSortExpr::new_default));
    let order = LexOrdering::new(order.into_iter().collect::<Result<Vec<_>, _>>()?);
    let sorted: Arc<dyn ExecutionPlan> = match order {
        Some(order) => Arc::new(SortExec::new(order, scan)),
        None => scan,
    };
    let mut rows = execute_stream(sorted, state.task_ctx())?;
    let mut writer = store.writer();
    let mut written = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        written += batch.num_rows() as u64;
        writer.write(&batch).await?;
    }
    let mut adds = store.finish(writer).await?;
    if written != files.iter().map(|file| file.rows).sum::<u64>() {
        return Err(Error::Unavailable(format!(
            "compaction of {} read {written} rows, not all",
            store.spec.name
        )));
    }
    adds.iter_mut().for_each(|add| add.data_change = false);
    Ok(adds)
}

/// The smallest files of one partition, up to the first that is larger than twice the rest: a large file is rewritten
/// only when what joins it is worth it.
fn choose(snapshot: &Snapshot, options: &LakeOptions, now: Timestamp) -> Option<Vec<Arc<DataFile>>> {
    let mut partitions: BTreeMap<(bool, Option<i32>), Vec<&Arc<DataFile>>> = BTreeMap::new();
    for file in snapshot
        .files
        .iter()
        .filter(|file| file.size() < options.compact_target_bytes)
    {
        partitions.entry((file.rejected, file.day)).or_default().push(file);
    }
    for mut files in partitions.into_values() {
        let newest = files.iter().map(|file| file.add.modification_time).max().unwrap_or(0);
        let closed = now.since(Timestamp::from_millis(newest)) > CLOSED_AFTER;
        let enough = if closed {
            options.compact_closed_files
        } else {
            options.compact_open_files
        };
        files.sort_by_key(|file| file.size());
        let mut chosen = Vec::new();
        let mut bytes = 0;
        for file in files {
            let fits = bytes + file.size() <= options.compact_run_bytes;
            if !fits || file.size() > (2 * bytes).max(TINY_BYTES) {
                break;
            }
            bytes += file.size();
            chosen.push(Arc::clone(file));
        }
        if chosen.len() >= enough.max(2) {
            return Some(chosen);
        }
    }
    None
}

pub(crate) async fn checkpoint(store: &Store, options: &LakeOptions) -> Result<()> {
    let delta = store.delta_table().await?;
    create_checkpoint(&delta, None).await?;
    let cutoff = (Timestamp::now() - options.log_retention).as_millis();
    let version = delta.version().unwrap_or(0);
    cleanup_expired_logs_for(version, delta.log_store().as_ref(), cutoff, None).await?;
    Ok(())
}

/// Deletes files that no version within the retention names, those of failed commits too. delta-rs finds them; it would
/// also commit that it did, between our commits.
pub(crate) async fn vacuum(store: &Store, options: &LakeOptions) -> Result<()> {
    let delta = store.delta_table().await?;
    let retention = chrono::Duration::from_std(options.vacuum_retention).unwrap_or(chrono::Duration::days(365));
    let (_, found) = delta
        .vacuum()
        .with_mode(VacuumMode::Full)
        .with_retention_period(retention)
        .with_enforce_retention_duration(false)
        .with_dry_run(true)
        .await?;
    for path in found.files_deleted {
        store.objects.delete(&Path::from(path)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use deltalake::kernel::Add;

    fn snapshot(sizes: &[i64], modified: i64) -> Snapshot {
        let file = |(i, size): (usize, &i64)| {
            let add = Add {
                path: format!("{i}"),
                size: *size,
                modification_time: modified,
                stats: Some(r#"{"numRecords":1}"#.to_owned()),
                ..Default::default()
            };
            Arc::new(DataFile::new(add, &arrow::datatypes::Schema::empty()).unwrap())
        };
        Snapshot {
            version: 1,
            files: sizes.iter().enumerate().map(file).collect(),
            offsets: Default::default(),
            read_at: Timestamp::now(),
        }
    }

    #[test]
    fn an_open_day_waits_for_more_files_than_a_closed_one_and_a_large_file_for_its_like() {
        let options = LakeOptions::default();
        let now = Timestamp::from_millis(10_000_000);
        let chosen = |sizes: &[i64], modified| choose(&snapshot(sizes, modified), &options, now).map(|f| f.len());
        assert_eq!(chosen(&[1_000; 19], 10_000_000), None);
        assert_eq!(chosen(&[1_000; 20], 10_000_000), Some(20));
        assert_eq!(chosen(&[1_000; 5], 0), Some(5));
        let mut sizes = vec![1_000; 20];
        sizes.push(30 << 20);
        assert_eq!(
            chosen(&sizes, 10_000_000),
            Some(20),
            "30 MiB are not rewritten for 20 kB"
        );
        assert_eq!(chosen(&[70 << 20; 30], 0), None, "large enough");
    }
}
