//! What other processes commit. A sink learns of it when it commits itself; whoever answers queries or keeps the lake in
//! order looks for it here.

use crate::{
    error::Result,
    kept,
    lake::{Lake, Progress},
    snapshot::Snapshot,
    store::Newer,
};
use std::sync::Arc;

/// Tables in whose tail no row waits are looked at once in so many rounds: each look is a request.
const IDLE_ROUNDS: u32 = 10;

pub(crate) async fn run(lake: Lake) {
    for round in 0_u32.. {
        tokio::select! {
            () = tokio::time::sleep(lake.inner.options.follow_interval) => {}
            () = lake.inner.stop.cancelled() => return,
        }
        let view = lake.view();
        let everything = round.is_multiple_of(IDLE_ROUNDS);
        let due = (0..view.tables.len()).filter(|index| everything || view.tables[*index].tail_rows() > 0);
        let mut followed = futures::future::join_all(due.map(|index| table(&lake, index))).await;
        followed.push(kept::follow(&lake, everything).await);
        for error in followed.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "others' commits can't be read at present");
        }
    }
}

pub(crate) async fn all(lake: &Lake) -> Result<()> {
    let tables = (0..lake.inner.tables.len()).map(|index| async move {
        let progress = lake.inner.tables[index].committing.lock().await;
        take_over(lake, index, &progress).await
    });
    futures::future::try_join_all(tables).await?;
    kept::follow(lake, true).await
}

/// Takes over what others have committed to a table, unless it is being committed to right now, and thereby read.
pub(crate) async fn table(lake: &Lake, index: usize) -> Result<()> {
    match lake.inner.tables[index].committing.try_lock() {
        Ok(progress) => take_over(lake, index, &progress).await,
        Err(_) => Ok(()),
    }
}

/// As far as this process's own tail has come.
async fn take_over(lake: &Lake, index: usize, progress: &Progress) -> Result<()> {
    let table = &lake.inner.tables[index];
    let view = lake.view();
    let mine = &view.tables[index];
    // Rows that wait for their own commit may be in one already, whose answer was lost: that commit will find out.
    if progress.pending.is_some() || !mine.frozen.is_empty() {
        return Ok(());
    }
    // With a full tail nothing more is published, so the tables' reaching this commit can't be waited for: it empties
    // the tail, and queries wait until all are even.
    let full = view.tail_bytes() >= lake.inner.options.tail_limit_bytes;
    let ahead = lake.inner.options.answers && !full;
    let reached = |snapshot: &Snapshot| !ahead || view.reaches(&snapshot.offsets);
    let Newer { snapshot, .. } = table.store.newer(&mine.snapshot, None, reached).await?;
    if snapshot.version == mine.snapshot.version {
        return Ok(());
    }
    adopt(lake, index, Arc::new(snapshot))
}

/// Makes a snapshot the table's, and lets go of the tail's rows that it holds.
pub(crate) fn adopt(lake: &Lake, index: usize, snapshot: Arc<Snapshot>) -> Result<()> {
    let store = &lake.inner.tables[index].store;
    let before = Arc::clone(&lake.view().tables[index].snapshot);
    store.forget_cached(&before, &snapshot);
    lake.inner
        .change(|view| Arc::make_mut(&mut view.tables[index]).adopt(snapshot))?;
    lake.inner.space.notify_waiters();
    Ok(())
}
