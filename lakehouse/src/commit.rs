//! Tails become files. Each table's commit carries its rows, its rejects and the offsets they reach, or fails whole.

use crate::{
    error::Result,
    lake::{Lake, Progress},
    store::{Commit, Moves, Outcome},
    view::TableView,
};
use deltalake::protocol::{DeltaOperation, SaveMode};
use futures::{StreamExt, TryStreamExt, stream};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Tables that are committed side by side: more would help a slow disk, and cost memory.
const WIDTH: usize = 4;

/// A failure that takes longer is not one table's: the store doesn't answer, and to ask it for every other table as well
/// would take minutes, in which nobody is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait after a failure, doubled up to the second one.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// Commits what is due, until the lake closes. A failure is tried again for ever: the log has the rows, and `publish`
/// makes the sink wait.
pub(crate) async fn run(lake: Lake) {
    let tick = (lake.inner.options.commit_interval / 4).max(Duration::from_millis(10));
    let mut wait = tick;
    while !lake.inner.stop.is_cancelled() {
        tokio::select! {
            () = lake.inner.due.notified() => {}
            () = tokio::time::sleep(wait) => {}
            () = lake.inner.stop.cancelled() => return,
        }
        let result = commit_due(&lake).await;
        lake.report_trouble(&result);
        wait = match result {
            Ok(()) => tick,
            Err(error) => {
                let next = (wait * 2).clamp(RETRY.0, RETRY.1);
                tracing::warn!(%error, retry_in = ?next, "a commit failed");
                tokio::time::sleep(next).await;
                next
            }
        };
    }
}

pub(crate) async fn commit_all(lake: &Lake) -> Result<()> {
    commit_tables(lake, |_, _, _| true).await
}

async fn commit_due(lake: &Lake) -> Result<()> {
    let options = &lake.inner.options;
    let pressed = lake.view().tail_bytes() >= options.commit_bytes;
    commit_tables(lake, |table, since, behind| {
        let rows = table.tail_rows();
        let fresh = rows > 0 && (pressed || rows >= options.commit_rows || since >= options.commit_interval);
        fresh || behind >= options.idle_lag_offsets || (behind > 0 && since >= options.idle_lag)
    })
    .await
}

async fn commit_tables(lake: &Lake, due: impl Fn(&TableView, Duration, u64) -> bool) -> Result<()> {
    let silent = AtomicBool::new(false);
    let commits = (0..lake.inner.tables.len()).map(|index| {
        let (due, silent) = (&due, &silent);
        async move {
            if silent.load(Ordering::Relaxed) {
                return Ok(());
            }
            let started = Instant::now();
            let result = commit_table(lake, index, due).await;
            silent.fetch_or(result.is_err() && started.elapsed() >= PATIENCE, Ordering::Relaxed);
            result
        }
    });
    // All of them are tried: one table in trouble doesn't keep the others from the disk.
    let results: Vec<Result<()>> = stream::iter(commits).buffer_unordered(WIDTH).collect().await;
    stream::iter(results).try_collect().await
}

async fn commit_table(lake: &Lake, index: usize, due: impl Fn(&TableView, Duration, u64) -> bool) -> Result<()> {
    let table = &lake.inner.tables[index];
    let mut progress = table.committing.lock().await;
    if progress.pending.is_some() || !lake.view().tables[index].frozen.is_empty() {
        commit_frozen(lake, index, &mut progress).await?;
    }
    let view = lake.view();
    let mine = &view.tables[index];
    let reaches = mine.reaches_of(table.store.spec, &view.seen, &lake.owned());
    let committed = |key| mine.snapshot.offsets.get(key).copied().unwrap_or(0);
    let behind: u64 = reaches.iter().map(|(key, next)| next - committed(key)).sum();
    if behind == 0 && mine.open.is_empty() || !due(mine, progress.last.elapsed(), behind) {
        return Ok(());
    }
    freeze(lake, index)?;
    commit_frozen(lake, index, &mut progress).await
}

/// Sets the rows of the partitions that this process owns apart. They are committed next, whatever comes in between.
pub(crate) fn freeze(lake: &Lake, index: usize) -> Result<()> {
    let owned = lake.owned();
    lake.inner.change(|view| {
        let to = view.tables[index].reaches_of(lake.inner.tables[index].store.spec, &view.seen, &owned);
        Arc::make_mut(&mut view.tables[index]).freeze(to, &owned)
    })
}

/// Writes and commits the frozen rows. If it fails, they stay frozen, and the next call goes on from there.
#[tracing::instrument(level = "debug", name = "lake commit", skip_all, fields(table = lake.inner.tables[index].store.spec.name))]
async fn commit_frozen(lake: &Lake, index: usize, progress: &mut Progress) -> Result<()> {
    let store = &lake.inner.tables[index].store;
    let view = lake.view();
    let mine = &view.tables[index];
    let commit = match progress.pending.take() {
        Some(commit) => commit,
        None => prepare(lake, index).await?,
    };
    let started = Instant::now();
    let snapshot = match store.commit(&mine.snapshot, &commit).await {
        Ok(Outcome::Committed(snapshot)) => {
            metrics::counter!("bilten_lake_commits_total").increment(1);
            metrics::histogram!("bilten_lake_commit_seconds").record(started.elapsed().as_secs_f64());
            lake.inner.change(|view| {
                Arc::make_mut(&mut view.tables[index]).frozen = Default::default();
                Arc::make_mut(&mut view.tables[index]).adopt(Arc::new(snapshot.clone()))
            })?;
            snapshot
        }
        Ok(Outcome::Overtaken(snapshot)) => {
            tracing::warn!(
                table = store.spec.name,
                "another process has committed for a partition of this one"
            );
            metrics::counter!("bilten_lake_fenced_total").increment(1);
            lake.inner.change(|view| {
                Arc::make_mut(&mut view.tables[index]).thaw()?;
                Arc::make_mut(&mut view.tables[index]).adopt(Arc::new(snapshot.clone()))
            })?;
            snapshot
        }
        Err(error) => {
            progress.pending = Some(commit);
            return Err(error);
        }
    };
    progress.last = Instant::now();
    store.forget_cached(&mine.snapshot, &snapshot);
    lake.inner.space.notify_waiters();
    Ok(())
}

/// Writes the files of the frozen rows, which no commit names yet.
pub(crate) async fn prepare(lake: &Lake, index: usize) -> Result<Commit> {
    let view = lake.view();
    let mine = &view.tables[index];
    let batches: Vec<_> = mine.frozen.good.iter().chain(&mine.frozen.rejects).cloned().collect();
    let adds = lake.inner.tables[index].store.write(&batches).await?;
    let operation = DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: None,
        predicate: None,
    };
    let from = |key| mine.snapshot.offsets.get(key).copied().unwrap_or(0);
    let moves: Moves = mine
        .frozen_to
        .iter()
        .map(|(key, to)| (key.clone(), (from(key), *to)))
        .collect();
    Ok(Commit::new(adds, vec![], moves, operation))
}

/// Commits one table, as if the process died before the others' turn.
#[cfg(test)]
pub(crate) async fn commit_one(lake: &Lake, table: &str) -> Result<()> {
    let index = crate::tables::table_index(table).ok_or(crate::Error::Closed)?;
    commit_table(lake, index, |_, _, _| true).await
}
