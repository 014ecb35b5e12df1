//! The lake as its users hold it: open, publish, ask, close.

use crate::{
    cache::FileCache,
    commit,
    engine::Engine,
    error::{Error, Result},
    follow,
    kept::KeptTables,
    maintain,
    options::LakeOptions,
    relations::Relations,
    remote::Remote,
    session::{Principal, Session},
    snapshot::Snapshot,
    store::{Commit, Store},
    tables::{table_index, table_specs},
    view::{Owned, Tail, View, admit},
};
use arc_swap::ArcSwap;
use arrow::array::RecordBatch;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// All tables of one lake. Clones share it.
///
/// A process commits the rows of the partitions that it owns. Should two believe to own the same, the one that commits
/// second finds the other's offsets in the table, drops what they cover, and goes on from there.
#[derive(Clone)]
pub struct Lake {
    pub(crate) inner: Arc<Inner>,
}

/// Rows of several tables that become visible at one moment.
#[derive(Debug, Default)]
pub struct Publish {
    /// Table name, and a batch of that table's `TableSpec::schema`.
    pub rows: Vec<(&'static str, RecordBatch)>,
    /// (topic, partition, next offset): every row of that partition before it has been published, now or earlier.
    pub next_offsets: Vec<(String, u32, u64)>,
    /// Every change up to this `seq` is published, and none beyond it. None while that isn't known: in a process that
    /// shares a lake queries wait for the first.
    pub watermark: Option<i64>,
}

/// How far a stage of the pipeline is behind its source, for `system.lag`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// `outbox`, `changes/0`, …
    pub source: String,
    pub end: i64,
    pub applied: i64,
}

pub(crate) struct Inner {
    pub(crate) options: LakeOptions,
    pub(crate) tables: Vec<Table>,
    pub(crate) engine: Engine,
    view: ArcSwap<View>,
    /// Held while a new view is made from the old one; readers never wait for it.
    changing: Mutex<()>,
    watermark: watch::Sender<i64>,
    /// Counts publishes that brought rows, or after which more of them count.
    moved: watch::Sender<u64>,
    even: watch::Sender<bool>,
    /// A tail has shrunk.
    pub(crate) space: Notify,
    /// A tail has grown enough for a commit.
    pub(crate) due: Notify,
    pub(crate) lags: Mutex<Vec<Lag>>,
    owned: Mutex<Owned>,
    /// Why nothing is committed at present.
    trouble: Mutex<Option<String>>,
    pub(crate) remote: Remote,
    pub(crate) cache: Option<Arc<FileCache>>,
    pub(crate) relations: Mutex<Option<Arc<dyn Relations>>>,
    pub(crate) kept: ArcSwap<KeptTables>,
    /// Held by whoever commits to kept tables.
    pub(crate) revising: tokio::sync::Mutex<()>,
    pub(crate) stop: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

pub(crate) struct Table {
    pub(crate) store: Store,
    /// Held by whoever commits to this table.
    pub(crate) committing: tokio::sync::Mutex<Progress>,
    /// Held by whoever rewrites files of this table: compaction would carry on what an erasure takes out.
    pub(crate) rewriting: tokio::sync::Mutex<()>,
}

pub(crate) struct Progress {
    /// A commit whose files are written but which failed; it is tried again as it is.
    pub(crate) pending: Option<Commit>,
    pub(crate) last: Instant,
}

impl Lake {
    /// Opens every table under `url`, creating those that are missing, and starts committing.
    pub async fn open(url: &str, options: LakeOptions) -> Result<Lake> {
        let remote = Remote::parse(url)?;
        let cache = match &options.cache {
            Some((folder, limit)) if !remote.is_local() => Some(Arc::new(FileCache::open(folder.clone(), *limit)?)),
            _ => None,
        };
        let open = |spec| Store::open(&remote, spec, &options, cache.clone());
        let opened = futures::future::try_join_all(table_specs().iter().map(open));
        let (stores, snapshots): (Vec<Store>, Vec<Snapshot>) = opened.await?.into_iter().unzip();
        if let Some(cache) = &cache {
            for (store, snapshot) in stores.iter().zip(&snapshots) {
                cache.keep(
                    store.spec.name,
                    snapshot.files.iter().map(|file| file.add.path.as_str()),
                );
            }
        }
        let view = View::new(snapshots, !options.shared);
        let engine = Engine::new(&stores, &options)?;
        let tables = stores.into_iter().map(|store| Table {
            store,
            committing: tokio::sync::Mutex::new(Progress {
                pending: None,
                last: Instant::now(),
            }),
            rewriting: tokio::sync::Mutex::new(()),
        });
        let lake = Lake {
            inner: Arc::new(Inner {
                tables: tables.collect(),
                engine,
                watermark: watch::Sender::new(view.watermark),
                moved: watch::Sender::new(0),
                even: watch::Sender::new(view.is_even()),
                view: ArcSwap::from_pointee(view),
                changing: Mutex::new(()),
                space: Notify::new(),
                due: Notify::new(),
                lags: Mutex::default(),
                owned: Mutex::new(match options.shared {
                    true => Owned::These(BTreeSet::new()),
                    false => Owned::Everything,
                }),
                trouble: Mutex::default(),
                remote,
                cache,
                relations: Mutex::default(),
                kept: ArcSwap::default(),
                revising: tokio::sync::Mutex::default(),
                stop: CancellationToken::new(),
                tasks: Mutex::default(),
                options,
            }),
        };
        let mut tasks = vec![tokio::spawn(commit::run(lake.clone()))];
        if lake.inner.options.shared {
            tasks.push(tokio::spawn(follow::run(lake.clone())));
        }
        *lock(&lake.inner.tasks) = tasks;
        Ok(lake)
    }

    /// Commits rows of these partitions from now on, and of no others. When it comes back, `committed` tells where
    /// the partitions stand, whoever committed them before.
    pub async fn own(&self, partitions: BTreeSet<(String, u32)>) -> Result<()> {
        *lock(&self.inner.owned) = Owned::These(partitions);
        self.refresh().await
    }

    pub(crate) fn owned(&self) -> Owned {
        lock(&self.inner.owned).clone()
    }

    /// Takes over what others have committed.
    pub async fn refresh(&self) -> Result<()> {
        follow::all(self).await
    }

    /// Keeps the lake in order (compaction, checkpoints, vacuum) until it is told to stop. For one process at a time: two
    /// would do the work twice, but no harm.
    pub async fn maintain(&self, stop: CancellationToken) {
        maintain::run(self.clone(), stop).await;
    }

    /// The newest change in the files of any table. What came before may still be missing in others.
    pub fn highest_seq(&self) -> i64 {
        self.view().highest_seq()
    }

    /// The offset from which a sink has to read: the least that all tables of the topic have committed. The log may
    /// forget what comes before.
    pub fn committed(&self, topic: &str, partition: u32) -> u64 {
        self.view().committed(topic, partition)
    }

    /// Makes rows visible, all at one moment. Waits while the tails are full. Rows that were published or committed
    /// before are dropped, so handing in the same records twice changes nothing.
    pub async fn publish(&self, batch: Publish) -> Result<()> {
        loop {
            let space = self.inner.space.notified();
            self.check()?;
            if self.view().tail_bytes() < self.inner.options.tail_limit_bytes {
                break;
            }
            self.inner.due.notify_one();
            tokio::select! {
                () = space => {}
                () = self.inner.stop.cancelled() => return Err(Error::Closed),
            }
        }
        let (brings_rows, before) = (!batch.rows.is_empty(), self.watermark());
        self.inner.change(|view| apply(&self.inner.tables, view, batch))?;
        if brings_rows || self.watermark() != before {
            self.inner.moved.send_modify(|moved| *moved += 1);
        }
        let view = self.view();
        let limits = &self.inner.options;
        if view.tail_bytes() >= limits.commit_bytes
            || view.tables.iter().any(|table| table.open.rows() >= limits.commit_rows)
        {
            self.inner.due.notify_one();
        }
        Ok(())
    }

    /// Replaces what `system.lag` shows.
    pub fn report_lag(&self, lags: Vec<Lag>) {
        *lock(&self.inner.lags) = lags;
    }

    /// Every change up to this `seq` is visible.
    pub fn watermark(&self) -> i64 {
        self.view().watermark
    }

    /// Changes whenever new rows are visible: a reader that keeps an answer up to date waits for it.
    pub fn moved(&self) -> watch::Receiver<u64> {
        self.inner.moved.subscribe()
    }

    /// Waits until every change up to `seq` is visible.
    pub async fn wait_for(&self, seq: i64, timeout: Duration) -> Result<()> {
        let mut watermark = self.inner.watermark.subscribe();
        match tokio::time::timeout(timeout, watermark.wait_for(|visible| *visible >= seq)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => Err(Error::Timeout(timeout)),
        }
    }

    pub fn session(&self, principal: &Principal) -> Session {
        Session::new(self.clone(), principal.clone())
    }

    /// Commits every tail now, and records how far idle tables have come.
    pub async fn flush(&self) -> Result<()> {
        self.check()?;
        commit::commit_all(self).await
    }

    /// Stops background work and commits what is there.
    pub async fn close(&self) -> Result<()> {
        self.inner.stop.cancel();
        let tasks = std::mem::take(&mut *lock(&self.inner.tasks));
        futures::future::join_all(tasks).await;
        commit::commit_all(self).await
    }

    /// Why commits fail at present, if they do.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.inner.trouble).clone()
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.inner.view.load_full()
    }

    /// The view, once all tables have come equally far: after a crash that is when the log has been read again.
    pub(crate) async fn even_view(&self, timeout: Duration) -> Result<Arc<View>> {
        let mut even = self.inner.even.subscribe();
        match tokio::time::timeout(timeout, even.wait_for(|even| *even)).await {
            Ok(_) => Ok(self.view()),
            Err(_) => Err(Error::Unavailable(
                "the tables are catching up with the log after a crash".to_owned(),
            )),
        }
    }

    pub(crate) fn report_trouble(&self, result: &Result<()>) {
        *lock(&self.inner.trouble) = result.as_ref().err().map(Error::to_string);
        self.inner.space.notify_waiters();
    }

    /// Whether rows may come in.
    fn check(&self) -> Result<()> {
        if self.inner.stop.is_cancelled() {
            return Err(Error::Closed);
        }
        Ok(())
    }
}

impl Inner {
    /// Replaces the view by a changed copy. A copy is a list of pointers, one a table.
    pub(crate) fn change(&self, change: impl FnOnce(&mut View) -> Result<()>) -> Result<()> {
        let _one_at_a_time = lock(&self.changing);
        let mut view = View::clone(&self.view.load());
        change(&mut view)?;
        let (watermark, even) = (view.watermark, view.is_even());
        self.view.store(Arc::new(view));
        self.watermark
            .send_if_modified(|seen| std::mem::replace(seen, watermark) != watermark);
        self.even.send_if_modified(|seen| std::mem::replace(seen, even) != even);
        Ok(())
    }
}

fn apply(tables: &[Table], view: &mut View, batch: Publish) -> Result<()> {
    for (name, rows) in &batch.rows {
        let index = table_index(name).ok_or_else(|| Error::Unsupported(format!("there is no table {name}")))?;
        let store = &tables[index].store;
        let table = &view.tables[index];
        let chunk: Tail = admit(store.spec, &store.schema, rows, &table.reaches(store.spec, &view.seen))?;
        if !chunk.is_empty() {
            Arc::make_mut(&mut view.tables[index]).open.extend(chunk)?;
        }
    }
    for (topic, partition, next) in batch.next_offsets {
        let seen = view.seen.entry((topic, partition)).or_default();
        *seen = (*seen).max(next);
    }
    if let Some(watermark) = batch.watermark {
        view.settled = true;
        view.watermark = view.watermark.max(watermark);
    }
    Ok(())
}

/// A lock whose holder panicked still guards sound data here: values are replaced whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
