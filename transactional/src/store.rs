//! The store: one writer, a few readers, and the secrets that belong to this database.

use crate::{
    Error, IdempotencyKey, Once, Result, Source, Tx, check_ins, correlation,
    dialect::{self, Connection, Database, Db},
    outbox, secrets,
    sql::{self, Columns, Session},
    ticket_keys::EventKeys,
    writer::{Codec, Command, Queued, Writer},
};
use domain::{CheckInListId, EventId, OrganizerId, changes::Change};
use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Pool, Transaction, pool::PoolConnection};
use std::{collections::HashMap, sync::Arc, time::Instant};
use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    task::JoinHandle,
};
use tokio_util::task::AbortOnDropHandle;

#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Commands that may wait. One more is answered `Busy`.
    pub queue: usize,
    /// Commands that are committed together at most.
    pub batch: usize,
    /// Connections that read.
    pub readers: u32,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            queue: 4096,
            batch: 256,
            readers: 4,
        }
    }
}

/// How many lists are remembered, some 70 bytes each.
const MOST_LISTS: usize = 10_000;

#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    /// None once the store is closing.
    queue: std::sync::RwLock<Option<mpsc::Sender<Queued>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    follower: AbortOnDropHandle<()>,
    readers: Pool<Db>,
    committed: watch::Receiver<i64>,
    key: Arc<secrets::Key>,
    event_keys: EventKeys,
    list_owners: std::sync::RwLock<HashMap<CheckInListId, ListOwner>>,
}

/// What a check-in list belongs to.
#[derive(Clone, Copy, Debug)]
pub struct ListOwner {
    pub organizer_id: OrganizerId,
    pub event_id: EventId,
}

/// A consistent view of the whole database as it was at the first read.
pub struct Reader(Transaction<'static, Db>);

impl Source for Reader {
    fn session(&mut self) -> Session<'_> {
        Session {
            connection: &mut self.0,
            waiting: None,
        }
    }
}

/// A connection for single statements, which need no snapshot.
pub(crate) struct Peek(pub(crate) PoolConnection<Db>);

impl Source for Peek {
    fn session(&mut self) -> Session<'_> {
        Session {
            connection: &mut self.0,
            waiting: None,
        }
    }
}

impl Store {
    /// Opens the database, creates or migrates its tables, and starts the writer.
    pub async fn open(url: &str, options: StoreOptions) -> Result<Store> {
        let database = Database::at(url)?;
        let mut connection = database.connect().await?;
        database.migrate(&mut connection, &MIGRATIONS).await?;
        let key = Arc::new(secrets::Key::load(&mut connection).await?);
        let readers = database.readers(options.readers).await?;
        let (position, last_time) = outbox::committed(&mut connection).await?;
        let (sender, queue) = mpsc::channel(options.queue.max(1));
        let (committed_sender, committed) = watch::channel(position);
        let committed_sender = Arc::new(committed_sender);
        let writer = Writer {
            database: database.clone(),
            queue,
            committed: committed_sender.clone(),
            most_commands: options.batch.max(1),
            last_time,
            lost: false,
        };
        let writer = tokio::spawn(writer.run(Tx::new(connection, key.clone())));
        let follower = tokio::spawn(database.follow_commits(readers.clone(), committed_sender));
        Ok(Store(Arc::new(Inner {
            queue: std::sync::RwLock::new(Some(sender)),
            writer: Mutex::new(Some(writer)),
            follower: AbortOnDropHandle::new(follower),
            readers,
            committed,
            key,
            event_keys: EventKeys::default(),
            list_owners: Default::default(),
        })))
    }

    /// Runs a command. The answer comes after its commit; a caller that goes away does not undo it.
    pub async fn write<T, F>(&self, actor: impl Into<String>, command: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let once = self.enqueue(actor.into(), None, Codec::none(), command).await?;
        Ok(once.value)
    }

    /// Runs a command unless its key was used before: then the first answer, or the first refusal, comes again.
    pub async fn write_once<T, F>(&self, key: IdempotencyKey, actor: impl Into<String>, command: F) -> Result<Once<T>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        self.enqueue(actor.into(), Some(key), Codec::json(), command).await
    }

    async fn enqueue<T, F>(
        &self,
        actor: String,
        key: Option<IdempotencyKey>,
        codec: Codec<T>,
        body: F,
    ) -> Result<Once<T>>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let command = Command {
            actor,
            correlation: correlation::current(),
            key,
            body,
            codec,
            reply,
        };
        let queued = Queued {
            job: Box::new(command),
            since: Instant::now(),
        };
        let queue = self.0.queue.read().map_err(|_| Error::Closed)?.clone();
        queue
            .ok_or(Error::Closed)?
            .try_send(queued)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Error::Busy,
                mpsc::error::TrySendError::Closed(_) => Error::Closed,
            })?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// A snapshot to read from.
    pub async fn read(&self) -> Result<Reader> {
        let readers = &self.0.readers;
        let begun = dialect::snapshot(readers).await;
        Ok(Reader(begun.map_err(|error| self.unread(error))?))
    }

    pub(crate) async fn peek(&self) -> Result<Peek> {
        let acquired = self.0.readers.acquire().await;
        Ok(Peek(acquired.map_err(|error| self.unread(error))?))
    }

    /// No connection was to be had in time: either all of them are in use, or none can be made.
    fn unread(&self, error: sqlx::Error) -> Error {
        let readers = &self.0.readers;
        let full = readers.size() >= readers.options().get_max_connections();
        match error {
            sqlx::Error::PoolTimedOut if !full => Error::Unavailable("no connection can be made to it".into()),
            error => error.into(),
        }
    }

    /// Changes after a position, in commit order.
    pub async fn changes_after(&self, seq: i64, limit: usize) -> Result<Vec<Change>> {
        outbox::changes_after(&mut self.peek().await?, seq, limit).await
    }

    /// The position of the last commit as the database has it, and not as this process has heard of it.
    pub async fn committed_now(&self) -> Result<i64> {
        Ok(outbox::committed(&mut self.peek().await?).await?.0)
    }

    /// The position of the last commit, and every later one, by this process or another.
    pub fn committed_seq(&self) -> watch::Receiver<i64> {
        self.0.committed.clone()
    }

    /// How far the relay has come.
    pub async fn relay_cursor(&self) -> Result<i64> {
        outbox::relayed(&mut self.peek().await?).await
    }

    pub async fn save_relay_cursor(&self, seq: i64) -> Result<()> {
        self.write("system", move |tx| Box::pin(outbox::save_relayed(tx, seq)))
            .await
    }

    /// Drops relayed changes, but the newest `keep`. Bounded: call it again while it returns many.
    pub async fn trim_outbox(&self, keep: i64) -> Result<u64> {
        self.write("system", move |tx| Box::pin(outbox::trim(tx, keep))).await
    }

    pub(crate) fn key(&self) -> &secrets::Key {
        &self.0.key
    }

    pub(crate) fn event_keys(&self) -> &EventKeys {
        &self.0.event_keys
    }

    /// Whose a check-in list is, and of which event. Neither ever changes, so a door asks the database once.
    pub async fn owner_of_list(&self, id: CheckInListId) -> Result<ListOwner> {
        let cache = &self.0.list_owners;
        if let Some(owner) = cache.read().ok().and_then(|cache| cache.get(&id).copied()) {
            return Ok(owner);
        }
        let list = check_ins::get_list(&mut self.peek().await?, id).await?;
        let owner = ListOwner {
            organizer_id: list.organizer_id,
            event_id: list.event_id,
        };
        if let Ok(mut cache) = cache.write() {
            if cache.len() >= MOST_LISTS {
                cache.clear();
            }
            cache.insert(id, owner);
        }
        Ok(owner)
    }

    /// Takes no more commands, finishes those that wait, and closes the database.
    pub async fn close(&self) -> Result<()> {
        self.0.queue.write().map_err(|_| Error::Closed)?.take();
        if let Some(writer) = self.0.writer.lock().await.take() {
            writer
                .await
                .map_err(|error| Error::Storage(format!("the writer failed: {error}")))?;
        }
        self.0.follower.abort();
        self.0.readers.close().await;
        Ok(())
    }
}

/// In order; a new one goes to the end, and none is changed once it has been released.
const MIGRATIONS: [(&str, &str); 16] = [
    ("access", include_str!("../migrations/0001_access.sql")),
    ("events", include_str!("../migrations/0002_events.sql")),
    ("sales", include_str!("../migrations/0003_sales.sql")),
    ("doors", include_str!("../migrations/0004_doors.sql")),
    ("outbox", include_str!("../migrations/0005_outbox.sql")),
    ("processes", include_str!("../migrations/0006_processes.sql")),
    ("erasure", include_str!("../migrations/0007_erasure.sql")),
    ("pricing", include_str!("../migrations/0008_pricing.sql")),
    ("money", include_str!("../migrations/0009_money.sql")),
    ("doors_offline", include_str!("../migrations/0010_doors.sql")),
    ("access", include_str!("../migrations/0011_access.sql")),
    ("waiting list", include_str!("../migrations/0012_waiting_list.sql")),
    (
        "reserved orders",
        include_str!("../migrations/0013_reserved_orders.sql"),
    ),
    (
        "cancellation, doors, webhooks",
        include_str!("../migrations/0014_cancellation_doors_webhooks.sql"),
    ),
    ("insights", include_str!("../migrations/0015_insights.sql")),
    ("taken_back", include_str!("../migrations/0016_taken_back.sql")),
];

impl Source for Connection {
    fn session(&mut self) -> Session<'_> {
        Session {
            connection: self,
            waiting: None,
        }
    }
}

/// The column `value` of a row of `secrets`, made by `new` the first time.
pub(crate) async fn secret(connection: &mut Connection, name: &'static str, new: String) -> Result<String> {
    let insert = "insert into secrets (name, value) values ($1, $2) on conflict (name) do nothing";
    sql::execute(connection, insert, sql::binds![name, new]).await?;
    sql::one(
        connection,
        "select value from secrets where name = $1",
        sql::binds![name],
    )
    .await?
    .text("value")
}
