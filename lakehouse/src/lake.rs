//! The lake as its users hold it: open, publish, ask, close.

use crate::{
    commit,
    error::{Error, Result},
    maintain,
    options::LakeOptions,
    session::{Engine, Principal, Session},
    snapshot::Snapshot,
    store::{Commit, Store},
    tables::{table_index, table_specs},
    view::{Tail, View, admit},
};
use arc_swap::ArcSwap;
use arrow::array::RecordBatch;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use url::Url;

/// All tables of one lake, open for writing by this process alone. Clones share it.
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
    /// Every change up to this `seq` is published.
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
    even: watch::Sender<bool>,
    /// A tail has shrunk.
    pub(crate) space: Notify,
    /// A tail has grown enough for a commit.
    pub(crate) due: Notify,
    pub(crate) lags: Mutex<Vec<Lag>>,
    trouble: Mutex<Option<Trouble>>,
    pub(crate) stop: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

pub(crate) struct Table {
    pub(crate) store: Store,
    /// Held by whoever commits to this table.
    pub(crate) committing: tokio::sync::Mutex<Progress>,
}

pub(crate) struct Progress {
    /// A commit whose files are written but which failed; it is tried again as it is.
    pub(crate) pending: Option<Commit>,
    pub(crate) last: Instant,
}

/// Why nothing is committed at present.
#[derive(Debug)]
enum Trouble {
    Passing(String),
    Fenced { table: String, stored: i64, ours: i64 },
}

impl Lake {
    /// Opens every table under `url`, creating those that are missing, and starts committing and maintenance.
    pub async fn open(url: &str, options: LakeOptions) -> Result<Lake> {
        let url = Url::parse(url).map_err(|error| Error::Unsupported(format!("{url}: {error}")))?;
        let opened = futures::future::try_join_all(table_specs().iter().map(|spec| Store::open(&url, spec, &options)));
        let (stores, snapshots): (Vec<Store>, Vec<Snapshot>) = opened.await?.into_iter().unzip();
        let view = View::new(snapshots);
        let engine = Engine::new(&stores, &options)?;
        let tables = stores.into_iter().map(|store| Table {
            store,
            committing: tokio::sync::Mutex::new(Progress {
                pending: None,
                last: Instant::now(),
            }),
        });
        let lake = Lake {
            inner: Arc::new(Inner {
                tables: tables.collect(),
                engine,
                watermark: watch::Sender::new(view.watermark),
                even: watch::Sender::new(view.is_even()),
                view: ArcSwap::from_pointee(view),
                changing: Mutex::new(()),
                space: Notify::new(),
                due: Notify::new(),
                lags: Mutex::default(),
                trouble: Mutex::default(),
                stop: CancellationToken::new(),
                tasks: Mutex::default(),
                options,
            }),
        };
        let mut tasks = vec![tokio::spawn(commit::run(lake.clone()))];
        if let Some(interval) = lake.inner.options.maintenance_interval {
            tasks.push(tokio::spawn(maintain::run(lake.clone(), interval)));
        }
        *lock(&lake.inner.tasks) = tasks;
        Ok(lake)
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
        self.inner.change(|view| apply(&self.inner.tables, view, batch))?;
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
        match &*lock(&self.inner.trouble) {
            Some(Trouble::Fenced { .. }) => return Ok(()),
            Some(Trouble::Passing(_)) | None => {}
        }
        commit::commit_all(self).await
    }

    /// Why commits fail at present, if they do.
    pub fn trouble(&self) -> Option<String> {
        match &*lock(&self.inner.trouble) {
            Some(Trouble::Passing(why)) => Some(why.clone()),
            Some(Trouble::Fenced { table, .. }) => Some(format!("another writer has committed to {table}")),
            None => None,
        }
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
        let trouble = match result {
            Ok(()) => None,
            Err(Error::Fenced { table, stored, ours }) => Some(Trouble::Fenced {
                table: table.clone(),
                stored: *stored,
                ours: *ours,
            }),
            Err(error) => Some(Trouble::Passing(error.to_string())),
        };
        let mut known = lock(&self.inner.trouble);
        if !matches!(*known, Some(Trouble::Fenced { .. })) {
            *known = trouble;
        }
        self.inner.space.notify_waiters();
    }

    /// Whether rows may come in.
    fn check(&self) -> Result<()> {
        if self.inner.stop.is_cancelled() {
            return Err(Error::Closed);
        }
        match &*lock(&self.inner.trouble) {
            Some(Trouble::Fenced { table, stored, ours }) => Err(Error::Fenced {
                table: table.clone(),
                stored: *stored,
                ours: *ours,
            }),
            Some(Trouble::Passing(_)) | None => Ok(()),
        }
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
    view.watermark = view.watermark.max(batch.watermark.unwrap_or(view.watermark));
    Ok(())
}

/// A lock whose holder panicked still guards sound data here: values are replaced whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
