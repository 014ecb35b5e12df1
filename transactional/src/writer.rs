//! The one writer. It takes what waits, runs each command under a savepoint, commits them together with their changes,
//! and only then answers: one flush to disk serves many callers, and commit order is a plain count.
//!
//! A database server may go away. A command that has not begun then waits some seconds for it to come back. One whose
//! transaction is lost was not done, and its caller is told so. If the connection broke at the commit, the writer looks
//! whether the changes are there before it answers.

use crate::{
    Error, Result, Tx,
    correlation::Correlation,
    dialect::{self, Database},
    idempotency::{self, IdempotencyKey, Once},
    outbox::{self, End},
    sql,
};
use domain::Timestamp;
use futures::{FutureExt, future::BoxFuture};
use metrics::{counter, histogram};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep,
};

/// A batch that runs longer than this is committed, so that the first of its callers needn't wait for the last.
const LONGEST_BATCH: Duration = Duration::from_millis(50);

/// So long a command waits for a database that is away. Longer than a restart or a failover takes, shorter than a
/// client's patience.
const AWAY: Duration = Duration::from_secs(10);
/// So long the writer tries to find out how a commit ended.
const IN_DOUBT: Duration = Duration::from_secs(20);
/// Between two attempts to connect: the first pause and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Tells a caller how its command ended, once the batch is committed or lost.
pub(crate) type Answer = Box<dyn FnOnce(Result<()>) + Send>;

/// A command in the queue.
pub(crate) trait Job: Send {
    fn run(self: Box<Self>, tx: &mut Tx) -> BoxFuture<'_, Answer>;

    /// The answer when it could not even begin.
    fn fail(self: Box<Self>, error: Error);
}

/// A command that waits, and since when.
pub(crate) struct Queued {
    pub(crate) job: Box<dyn Job>,
    pub(crate) since: Instant,
}

pub(crate) struct Writer {
    pub(crate) database: Database,
    pub(crate) queue: mpsc::Receiver<Queued>,
    pub(crate) committed: Arc<watch::Sender<i64>>,
    pub(crate) most_commands: usize,
    pub(crate) last_time: Timestamp,
    /// The connection can't be used any more.
    pub(crate) lost: bool,
}

impl Writer {
    /// Runs until the queue is closed and empty.
    pub(crate) async fn run(mut self, mut tx: Tx) {
        let mut next = None;
        loop {
            let first = match next.take() {
                Some(queued) => queued,
                None => match self.queue.recv().await {
                    Some(queued) => queued,
                    None => break,
                },
            };
            match self.begin(&mut tx, first.since + AWAY).await {
                Ok(()) => self.write_batch(&mut tx, first.job).await,
                Err(error) => {
                    first.job.fail(error.clone());
                    next = self.fail_overdue(&error);
                }
            }
        }
        let _ = sqlx::Connection::close(tx.into_connection()).await;
    }

    async fn write_batch(&mut self, tx: &mut Tx, first: Box<dyn Job>) {
        let (answers, broken) = self.run_commands(tx, first).await;
        histogram!("bilten_store_batch_commands").record(answers.len() as f64);
        let outcome = match broken {
            None => self.commit(tx).await,
            Some(error) => Err(error),
        };
        match &outcome {
            Ok(seq) => dialect::advance(&self.committed, *seq),
            Err(error) => {
                tracing::error!(%error, commands = answers.len(), "a batch was rolled back");
                self.roll_back(tx, error).await;
            }
        }
        for answer in answers {
            answer(outcome.clone().map(drop));
        }
    }

    /// Runs commands until none waits or the batch is full. The error says that the batch can't be saved.
    async fn run_commands(&mut self, tx: &mut Tx, first: Box<dyn Job>) -> (Vec<Answer>, Option<Error>) {
        let begun = Instant::now();
        let mut answers = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next {
            tx.begin_command();
            answers.push(job.run(tx).await);
            if let Some(error) = tx.broken.take() {
                return (answers, Some(error));
            }
            let full = answers.len() >= self.most_commands || begun.elapsed() > LONGEST_BATCH;
            next = if full {
                None
            } else {
                self.queue.try_recv().ok().map(|queued| queued.job)
            };
        }
        (answers, None)
    }

    async fn commit(&mut self, tx: &mut Tx) -> Result<i64> {
        let began = Instant::now();
        let end = outbox::number(tx).await?;
        match outbox::commit(tx, end).await {
            Ok(()) => {}
            Err(Error::Unavailable(why)) if self.database.is_remote() => {
                tracing::warn!(%why, "the connection to the database broke at a commit; looking how it ended");
                self.lost = true;
                self.settle(tx, end, why).await?;
            }
            Err(error) => return Err(error),
        }
        histogram!("bilten_store_commit_seconds").record(began.elapsed());
        Ok(end.position)
    }

    /// Finds out whether a batch was committed. The writers' lock, once we have it again, says that its transaction has
    /// ended.
    async fn settle(&mut self, tx: &mut Tx, end: End, why: String) -> Result<()> {
        let until = Instant::now() + IN_DOUBT;
        loop {
            let look = async {
                self.begin(tx, until).await?;
                outbox::was_committed(tx, end).await
            };
            let found = look.await;
            if let Err(error) = &found {
                tracing::warn!(%error, "it can't be seen yet how a commit ended");
            }
            let lost = matches!(found, Err(Error::Unavailable(_)));
            self.lost |= lost || sql::raw(&mut tx.connection, "rollback").await.is_err();
            match found {
                Ok(Some(true)) => return Ok(()),
                Ok(Some(false)) => return Err(Error::Unavailable(why)),
                Ok(None) => return Err(Error::Unknown),
                Err(_) if Instant::now() >= until => return Err(Error::Unknown),
                Err(_) => sleep(PAUSES.1).await,
            }
        }
    }

    async fn roll_back(&mut self, tx: &mut Tx, error: &Error) {
        tx.changes.clear();
        tx.waiting.clear();
        if !self.database.is_remote() {
            // After some errors the database has rolled back by itself, and this finds nothing to do.
            let _ = sql::raw(&mut tx.connection, "rollback").await;
        } else if !self.lost {
            let gone = matches!(error, Error::Unavailable(_));
            self.lost = gone || sql::raw(&mut tx.connection, "rollback").await.is_err();
        }
    }

    /// Begins a transaction. Where the database is a server that is away, tries again until then.
    async fn begin(&mut self, tx: &mut Tx, until: Instant) -> Result<()> {
        let mut pause = PAUSES.0;
        loop {
            let last_time = match self.try_to_begin(tx).await {
                Ok(last_time) => last_time,
                Err(error) if !self.database.is_remote() => return Err(error),
                Err(error) => {
                    self.lost = true;
                    if Instant::now() + pause >= until {
                        return Err(error);
                    }
                    sleep(pause).await;
                    pause = (2 * pause).min(PAUSES.1);
                    continue;
                }
            };
            self.last_time = self.last_time.max(last_time.unwrap_or(self.last_time));
            // Later than every commit before, so that a reader who asks for what came since then misses nothing.
            tx.batch_time = Timestamp::now().max(self.last_time + Duration::from_micros(1));
            self.last_time = tx.batch_time;
            tx.waiting.clear();
            return Ok(());
        }
    }

    async fn try_to_begin(&mut self, tx: &mut Tx) -> Result<Option<Timestamp>> {
        if self.lost {
            let connection = self.database.connect().await?;
            // The old one is dropped as it is: to part from it in good form would wait for a peer that is gone.
            *tx = Tx::new(connection, tx.key.clone());
            self.lost = false;
            counter!("bilten_store_reconnects_total").increment(1);
            tracing::info!("connected to the database again");
        }
        dialect::begin(&mut tx.connection).await
    }

    /// Refuses the commands that have waited too long for a database that is away. Gives back the first that has not.
    fn fail_overdue(&mut self, error: &Error) -> Option<Queued> {
        if !self.database.is_remote() {
            return None;
        }
        while let Ok(queued) = self.queue.try_recv() {
            if queued.since.elapsed() < AWAY {
                return Some(queued);
            }
            queued.job.fail(error.clone());
        }
        None
    }
}

/// A command as a caller gave it, with the way back to the caller.
pub(crate) struct Command<T, F> {
    pub(crate) actor: String,
    pub(crate) correlation: Correlation,
    pub(crate) key: Option<IdempotencyKey>,
    pub(crate) body: F,
    pub(crate) codec: Codec<T>,
    pub(crate) reply: oneshot::Sender<Result<Once<T>>>,
}

/// How an answer is kept under an idempotency key.
pub(crate) struct Codec<T> {
    pub(crate) encode: fn(&T) -> Result<String>,
    pub(crate) decode: fn(&str) -> Result<T>,
}

impl<T> Codec<T> {
    pub(crate) fn json() -> Self
    where
        T: Serialize + DeserializeOwned,
    {
        Self {
            encode: |value| Ok(serde_json::to_string(value)?),
            decode: |text| Ok(serde_json::from_str(text)?),
        }
    }

    /// For commands without a key, whose answers need no JSON form.
    pub(crate) fn none() -> Self {
        Self {
            encode: |_| Err(Error::Storage("this answer has no stored form".into())),
            decode: |_| Err(Error::Storage("this answer has no stored form".into())),
        }
    }
}

impl<T, F> Job for Command<T, F>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
{
    fn run(self: Box<Self>, tx: &mut Tx) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let Command {
                actor,
                correlation,
                key,
                body,
                codec,
                reply,
            } = *self;
            (tx.actor, tx.correlation) = (actor, correlation);
            let result = match &key {
                None => attempt(tx, body, None)
                    .await
                    .map(|value| Once { value, replayed: false }),
                Some(key) => once(tx, key, body, &codec).await,
            };
            let answer: Answer = Box::new(move |committed| {
                let result = committed.and(result);
                count(&result);
                // A caller that has gone away is no error: its command is done all the same.
                let _ = reply.send(result);
            });
            answer
        })
    }

    fn fail(self: Box<Self>, error: Error) {
        let result = Err(error);
        count(&result);
        let _ = self.reply.send(result);
    }
}

fn count<T>(result: &Result<T>) {
    let outcome = match result {
        Ok(_) => "done",
        Err(error) if error.is_callers_fault() => "refused",
        Err(_) => "failed",
    };
    counter!("bilten_store_commands_total", "outcome" => outcome).increment(1);
}

/// Runs a command's body; if it fails or panics, the database is as if it had not begun.
async fn attempt<T, F>(tx: &mut Tx, body: F, keep: Option<(&IdempotencyKey, &Codec<T>)>) -> Result<T>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>>,
{
    let mark = tx.changes.len();
    let run = AssertUnwindSafe(async {
        let value = body(&mut *tx).await?;
        if let Some((key, codec)) = keep {
            idempotency::keep(tx, key, false, (codec.encode)(&value)?);
        }
        sql::flush(tx).await?;
        Ok(value)
    });
    let result = run.catch_unwind().await.unwrap_or(Err(Error::Panicked));
    match &result {
        Ok(_) => {
            let count = (tx.changes.len() - mark) as i64;
            let (actor, correlation) = (&tx.actor, &tx.correlation);
            for (change, remaining) in tx.changes[mark..].iter_mut().zip((0..count).rev()) {
                change.remaining = remaining;
                change.actor.clone_from(actor);
                change.correlation.clone_from(correlation);
            }
        }
        Err(error) => {
            tx.changes.truncate(mark);
            // A full disk ends SQLite's whole transaction, not the command alone; so does a connection that is gone.
            let all_is_lost = matches!(error, Error::Full(_) | Error::Unavailable(_));
            if all_is_lost || tx.roll_back_command().await.is_err() {
                tx.broken = Some(error.clone());
            }
        }
    }
    result
}

/// The same, but the first answer to a key is kept and given again.
async fn once<T, F>(tx: &mut Tx, key: &IdempotencyKey, body: F, codec: &Codec<T>) -> Result<Once<T>>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>>,
{
    if let Some(kept) = idempotency::find(tx, key).await? {
        let value = (codec.decode)(&kept?)?;
        return Ok(Once { value, replayed: true });
    }
    let result = attempt(tx, body, Some((key, codec))).await;
    if let Err(error) = &result
        && error.is_callers_fault()
        && tx.broken.is_none()
    {
        idempotency::keep(tx, key, true, error.to_json()?);
        if let Err(error) = sql::flush(tx).await {
            tx.broken = Some(error.clone());
            return Err(error);
        }
    }
    result.map(|value| Once { value, replayed: false })
}
