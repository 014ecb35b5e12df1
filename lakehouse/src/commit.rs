//! Tails become files. Each table's commit carries its rows, its rejects and the offsets they reach, or fails whole.

use crate::{
    error::{Error, Result},
    lake::{Lake, Progress},
    store::Commit,
    view::TableView,
};
use deltalake::protocol::{DeltaOperation, SaveMode};
use futures::{StreamExt, TryStreamExt, stream};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Tables that are committed side by side: more would help a slow disk, and cost memory.
const WIDTH: usize = 4;

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
            Err(error @ Error::Fenced { .. }) => {
                tracing::error!(%error, "stopped committing");
                return;
            }
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
    let commits = (0..lake.inner.tables.len()).map(|index| commit_table(lake, index, &due));
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
    let reaches = mine.reaches(table.store.spec, &view.seen);
    let committed = |key| mine.snapshot.offsets.get(key).copied().unwrap_or(0);
    let behind: u64 = reaches.iter().map(|(key, next)| next - committed(key)).sum();
    if behind == 0 && mine.open.is_empty() || !due(mine, progress.last.elapsed(), behind) {
        return Ok(());
    }
    lake.inner.change(|view| {
        let to = view.tables[index].reaches(table.store.spec, &view.seen);
        Arc::make_mut(&mut view.tables[index]).freeze(to);
        Ok(())
    })?;
    commit_frozen(lake, index, &mut progress).await
}

/// Writes and commits the frozen rows. If it fails, they stay frozen, and the next call goes on from there.
async fn commit_frozen(lake: &Lake, index: usize, progress: &mut Progress) -> Result<()> {
    let store = &lake.inner.tables[index].store;
    let view = lake.view();
    let mine = &view.tables[index];
    let commit = match progress.pending.take() {
        Some(commit) => commit,
        None => {
            let batches: Vec<_> = mine.frozen.good.iter().chain(&mine.frozen.rejects).cloned().collect();
            let adds = store.write(&batches).await?;
            let operation = DeltaOperation::Write {
                mode: SaveMode::Append,
                partition_by: None,
                predicate: None,
            };
            Commit::new(adds, vec![], mine.frozen_to.clone(), operation)
        }
    };
    let snapshot = match store.commit(&mine.snapshot, &commit).await {
        Ok(snapshot) => Arc::new(snapshot),
        Err(error) => {
            progress.pending = Some(commit);
            return Err(error);
        }
    };
    progress.last = Instant::now();
    lake.inner.change(|view| {
        let table = Arc::make_mut(&mut view.tables[index]);
        table.snapshot = snapshot;
        table.frozen = Default::default();
        Ok(())
    })?;
    lake.inner.space.notify_waiters();
    Ok(())
}

/// Commits one table, as if the process died before the others' turn.
#[cfg(test)]
pub(crate) async fn commit_one(lake: &Lake, table: &str) -> Result<()> {
    let index = crate::tables::table_index(table).ok_or(Error::Closed)?;
    commit_table(lake, index, |_, _, _| true).await
}
