//! The one writer. It takes what waits, runs each command under a savepoint, commits them together with their changes,
//! and only then answers: one flush to disk serves many callers, and commit order is a plain count.

use crate::{
    Error, Result, Tx,
    dialect::{BEGIN_WRITE, Connection},
    idempotency::{self, IdempotencyKey, Once},
    outbox,
    sql::{self, Waiting},
};
use domain::Timestamp;
use futures::{FutureExt, future::BoxFuture};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot, watch};

/// A batch that runs longer than this is committed, so that the first of its callers needn't wait for the last.
const LONGEST_BATCH: Duration = Duration::from_millis(50);

/// Tells a caller how its command ended, once the batch is committed or lost.
pub(crate) type Answer = Box<dyn FnOnce(Result<()>) + Send>;

/// A command in the queue.
pub(crate) trait Job: Send {
    fn run(self: Box<Self>, tx: &mut Tx) -> BoxFuture<'_, Answer>;

    /// The answer when it could not even begin.
    fn fail(self: Box<Self>, error: Error);
}

pub(crate) struct Writer {
    pub(crate) queue: mpsc::Receiver<Box<dyn Job>>,
    pub(crate) committed: watch::Sender<i64>,
    pub(crate) most_commands: usize,
    pub(crate) last_time: Timestamp,
}

impl Writer {
    /// Runs until the queue is closed and empty.
    pub(crate) async fn run(mut self, connection: Connection) {
        let mut tx = Tx::new(connection);
        while let Some(first) = self.queue.recv().await {
            tx.batch_time = Timestamp::now().max(self.last_time);
            self.last_time = tx.batch_time;
            if let Err(error) = sql::raw(&mut tx.connection, BEGIN_WRITE).await {
                first.fail(error);
                continue;
            }
            tx.waiting = Waiting::default();
            let (answers, broken) = self.run_commands(&mut tx, first).await;
            let outcome = match broken {
                None => outbox::commit(&mut tx).await,
                Some(error) => Err(error),
            };
            match &outcome {
                Ok(seq) => {
                    self.committed
                        .send_if_modified(|last| std::mem::replace(last, *seq) != *seq);
                }
                Err(error) => {
                    tracing::error!(%error, commands = answers.len(), "a batch was rolled back");
                    tx.changes.clear();
                    // After some errors the database has rolled back by itself, and this finds nothing to do.
                    tx.waiting = Waiting::default();
                    let _ = sql::raw(&mut tx.connection, "rollback").await;
                }
            }
            for answer in answers {
                answer(outcome.clone().map(drop));
            }
        }
        let _ = sqlx::Connection::close(tx.into_connection()).await;
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
            next = if full { None } else { self.queue.try_recv().ok() };
        }
        (answers, None)
    }
}

/// A command as a caller gave it, with the way back to the caller.
pub(crate) struct Command<T, F> {
    pub(crate) actor: String,
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
                key,
                body,
                codec,
                reply,
            } = *self;
            tx.actor = actor;
            let result = match &key {
                None => attempt(tx, body, None)
                    .await
                    .map(|value| Once { value, replayed: false }),
                Some(key) => once(tx, key, body, &codec).await,
            };
            let answer: Answer = Box::new(move |committed| {
                // A caller that has gone away is no error: its command is done all the same.
                let _ = reply.send(committed.and(result));
            });
            answer
        })
    }

    fn fail(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error));
    }
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
            let actor = &tx.actor;
            for (change, remaining) in tx.changes[mark..].iter_mut().zip((0..count).rev()) {
                change.remaining = remaining;
                change.actor.clone_from(actor);
            }
        }
        Err(error) => {
            tx.changes.truncate(mark);
            let rolled_back = tx.roll_back_command().await;
            // A full disk ends SQLite's whole transaction, not the command alone.
            if rolled_back.is_err() || matches!(error, Error::Full(_)) {
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
