//! Taking people out of the lake: files that hold personal data of theirs are written again without it, and the old ones
//! are deleted for good, together with older copies that no version names any more.
//!
//! Rows of a person's changes stay, with nulls where personal data stood, so that the lake still has every change of the
//! core. What they did on pages goes as a whole, and so do refused records about them, whose raw bytes may hold anything.

mod rows;

use crate::{
    error::{Error, Result},
    follow::{self, adopt},
    lake::{Lake, Table},
    snapshot::{DataFile, Offsets, Snapshot},
    store::{Commit, Moves, Outcome},
    tables::{DAY, REJECTED},
};
use deltalake::{
    Path,
    kernel::{Add, Remove},
    logstore::object_store::{ObjectMeta, ObjectStoreExt},
    protocol::DeltaOperation,
};
use domain::{PersonId, Timestamp};
use futures::{StreamExt, TryStreamExt, stream};
use rows::{Counts, Seeker};
use serde::Serialize;
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

/// Files that are looked into side by side.
const WIDTH: usize = 8;

/// What one commit writes again at most: it is held in memory while it is written, and lost if another is faster.
const MOST_BYTES: u64 = 64 << 20;
const MOST_FILES: usize = 64;

/// Commits lost to others, or that must wait for one whose answer was lost, before it is given up for now.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// What an erasure has done to a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ErasedTable {
    pub table: &'static str,
    /// Rows of each person that were emptied of personal data, and rows that were deleted.
    pub people: Counts,
    pub files_rewritten: u64,
    /// Files that held personal data of these people and are gone, those that no version named any more too.
    pub files_deleted: u64,
    pub bytes_deleted: u64,
}

impl Lake {
    /// Erases people from all files. Rows that are in a tail or in the log still are not found: wait until everything up
    /// to the core's erasure is committed. Files that were replaced stay for the grace, for queries that run; whatever
    /// ends this before it is done, doing it again completes it.
    pub async fn erase_people(&self, people: &BTreeSet<PersonId>, grace: Duration) -> Result<Vec<ErasedTable>> {
        let mut erased = rewrite(self, people).await?;
        tokio::select! {
            () = tokio::time::sleep(grace) => {}
            () = self.inner.stop.cancelled() => return Err(Error::Closed),
        }
        for (index, seeker, done) in &mut erased {
            delete_unnamed(self, *index, seeker, done).await?;
        }
        Ok(erased.into_iter().map(|(.., done)| done).collect())
    }
}

/// Writes files of all tables again. The old ones are still there, and no version names them any more.
pub(crate) async fn rewrite(lake: &Lake, people: &BTreeSet<PersonId>) -> Result<Vec<(usize, Seeker, ErasedTable)>> {
    let mut erased = Vec::new();
    for (index, table) in lake.inner.tables.iter().enumerate() {
        let Some(seeker) = Seeker::new(table.store.spec, people) else {
            continue;
        };
        let mut done = ErasedTable {
            table: table.store.spec.name,
            ..ErasedTable::default()
        };
        rewrite_table(lake, index, &seeker, &mut done).await?;
        erased.push((index, seeker, done));
    }
    Ok(erased)
}

/// Writes the files again that the newest version names.
async fn rewrite_table(lake: &Lake, index: usize, seeker: &Seeker, done: &mut ErasedTable) -> Result<()> {
    let table = &lake.inner.tables[index];
    let _alone = table.rewriting.lock().await;
    let mut failures = 0;
    loop {
        let snapshot = newest(lake, index).await?;
        let touched = touched(lake, table, &snapshot, seeker).await?;
        if touched.is_empty() {
            return Ok(());
        }
        for files in in_groups(touched) {
            match rewrite_files(lake, index, &snapshot, &files, seeker).await {
                Ok(counts) => {
                    done.people.add(counts);
                    done.files_rewritten += files.len() as u64;
                }
                // One of the files has been replaced by another process, or the table's state is unknown just now.
                Err(Error::Unavailable(why)) if failures < ATTEMPTS => {
                    tracing::info!(table = done.table, why, "an erasure's commit is tried again");
                    failures += 1;
                    tokio::time::sleep(PAUSE).await;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// The newest version of a table, which queries here may not be ready for yet.
async fn newest(lake: &Lake, index: usize) -> Result<Snapshot> {
    follow::table(lake, index).await?;
    let known = Arc::clone(&lake.view().tables[index].snapshot);
    let newer = lake.inner.tables[index].store.newer(&known, None, |_| true).await?;
    Ok(newer.snapshot)
}

async fn touched(lake: &Lake, table: &Table, snapshot: &Snapshot, seeker: &Seeker) -> Result<Vec<Arc<DataFile>>> {
    let state = lake.inner.engine.spilling_state(None, MOST_BYTES as usize)?;
    let files = seeker.candidates(&state, &table.store.schema, &snapshot.files)?;
    let looks = stream::iter(files).map(|file| {
        let state = &state;
        async move {
            let found = seeker.look(state, &file).await?;
            Ok::<_, Error>(found.any.then_some(file))
        }
    });
    let found: Vec<Option<Arc<DataFile>>> = looks.buffer_unordered(WIDTH).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

fn in_groups(files: Vec<Arc<DataFile>>) -> Vec<Vec<Arc<DataFile>>> {
    let (mut groups, mut bytes): (Vec<Vec<_>>, u64) = (Vec::new(), 0);
    for file in files {
        bytes += file.size();
        match groups.last_mut() {
            Some(group) if group.len() < MOST_FILES && bytes <= MOST_BYTES => group.push(file),
            _ => {
                bytes = file.size();
                groups.push(vec![file]);
            }
        }
    }
    groups
}

async fn rewrite_files(
    lake: &Lake,
    index: usize,
    snapshot: &Snapshot,
    files: &[Arc<DataFile>],
    seeker: &Seeker,
) -> Result<Counts> {
    let table = &lake.inner.tables[index];
    let state = lake.inner.engine.spilling_state(None, MOST_BYTES as usize)?;
    let mut writer = table.store.writer();
    let mut counts = Counts::default();
    for file in files {
        let mut read = 0;
        let mut batches = seeker.read(&state, file)?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            read += batch.num_rows() as u64;
            let kept = seeker.without(&batch, file.rejected, &mut counts)?;
            if kept.num_rows() > 0 {
                writer.write(&kept).await?;
            }
        }
        if read != file.rows {
            let message = format!("an erasure read {read} rows of {}, not all", file.add.path);
            return Err(Error::Unavailable(message));
        }
    }
    let adds = table.store.finish(writer).await?;
    let now = Timestamp::now().as_millis();
    let removes = files.iter().map(|file| Remove {
        path: file.add.path.clone(),
        data_change: true,
        deletion_timestamp: Some(now),
        extended_file_metadata: Some(true),
        partition_values: Some(file.add.partition_values.clone()),
        size: Some(file.add.size),
        ..Default::default()
    });
    // What the rows were chosen by would name the person in the table's log.
    let operation = match table.store.spec.personal_columns() {
        [] => DeltaOperation::Delete { predicate: None },
        _ => DeltaOperation::Update { predicate: None },
    };
    commit(
        lake,
        index,
        snapshot,
        Commit::new(adds, removes.collect(), Moves::new(), operation),
    )
    .await?;
    Ok(counts)
}

async fn commit(lake: &Lake, index: usize, base: &Snapshot, commit: Commit) -> Result<()> {
    let table = &lake.inner.tables[index];
    let progress = table.committing.lock().await;
    if progress.pending.is_some() || !lake.view().tables[index].frozen.is_empty() {
        let message = format!("{}: the answer to a commit is being looked for", table.store.spec.name);
        return Err(Error::Unavailable(message));
    }
    let known = Arc::clone(&lake.view().tables[index].snapshot);
    let base = if known.version > base.version { &known } else { base };
    let (Outcome::Committed(after) | Outcome::Overtaken(after)) = table.store.commit(base, &commit).await?;
    adopt(lake, index, Arc::new(after))
}

/// Deletes what the newest version does not name and what holds personal data: the files just replaced, those that
/// compaction replaced before, and those of commits that failed.
async fn delete_unnamed(lake: &Lake, index: usize, seeker: &Seeker, done: &mut ErasedTable) -> Result<()> {
    let table = &lake.inner.tables[index];
    let _alone = table.rewriting.lock().await;
    // Listed first: what is committed after that is not on the list, or is named by the version that is read next.
    let listed: Vec<ObjectMeta> = table.store.objects.list(None).try_collect().await?;
    let snapshot = newest(lake, index).await?;
    let named: HashSet<Path> = snapshot
        .files
        .iter()
        .map(|file| Path::from(file.add.path.as_str()))
        .collect();
    let is_data = |meta: &ObjectMeta| {
        let path = meta.location.as_ref();
        path.ends_with(".parquet") && !path.starts_with("_delta_log/") && !named.contains(&meta.location)
    };
    let state = lake.inner.engine.spilling_state(None, MOST_BYTES as usize)?;
    let unnamed = stream::iter(listed.into_iter().filter(is_data)).map(|meta| {
        let (state, offsets) = (&state, &snapshot.offsets);
        async move {
            let dead = is_dead(seeker, state, table, &meta, offsets).await;
            dead.then_some(meta)
        }
    });
    let dead: Vec<Option<ObjectMeta>> = unnamed.buffer_unordered(WIDTH).collect().await;
    for meta in dead.into_iter().flatten() {
        table.store.objects.delete(&meta.location).await?;
        table.store.forget_file(meta.location.as_ref());
        done.files_deleted += 1;
        done.bytes_deleted += meta.size;
    }
    Ok(())
}

/// Whether an unnamed file holds personal data of these people, and no commit can name it any more: the table has moved
/// past all of its rows. One that can't be read is being written, or is deleted at this moment.
async fn is_dead(
    seeker: &Seeker,
    state: &datafusion::execution::SessionState,
    table: &Table,
    meta: &ObjectMeta,
    committed: &Offsets,
) -> bool {
    let look = async {
        let file = unnamed_file(table, meta)?;
        seeker.look(state, &file).await
    };
    match look.await {
        Ok(found) => found.any && found.is_below(table.store.spec.topic, committed),
        Err(error) => {
            tracing::info!(%error, "a file that no version names can't be read");
            false
        }
    }
}

/// A file as if a version named it. Its path tells the partition; how many rows it has is not known.
fn unnamed_file(table: &Table, meta: &ObjectMeta) -> Result<Arc<DataFile>> {
    let value = |name: &str| {
        let parts = meta.location.as_ref().split('/');
        let value = parts
            .filter_map(|part| part.split_once('='))
            .find(|(key, _)| *key == name);
        (name.to_owned(), value.map(|(_, value)| value.to_owned()))
    };
    let add = Add {
        path: meta.location.to_string(),
        size: i64::try_from(meta.size).unwrap_or(i64::MAX),
        partition_values: [value(REJECTED), value(DAY)].into(),
        stats: Some(r#"{"numRecords":0}"#.to_owned()),
        ..Default::default()
    };
    Ok(Arc::new(DataFile::new(add, &table.store.schema)?))
}
