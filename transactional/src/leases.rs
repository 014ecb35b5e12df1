//! Leadership: of all processes on a database one at a time holds the lease of a name.
//!
//! No clocks are compared. The holder counts `beat` up twice a second; a contender that has watched it stand still for
//! [`PATIENCE`], by its own monotonic clock, takes the row over, on the condition that it still stands. A holder whose
//! last beat began longer than [`TRUST`] ago no longer believes in its lease, which is before anyone can take it.

use crate::{
    Result, Store,
    sql::{self, Columns, Value, binds},
};
use std::time::Duration;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

const BEAT: Duration = Duration::from_millis(500);
const TRUST: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(4);

/// A standing application for a lease. Dropped without [`Lease::release`], it lets go a moment later, unless its process
/// ends: then the others wait.
pub struct Lease {
    held: watch::Receiver<bool>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Lease {
    /// Whether this process holds it now.
    pub fn held(&self) -> watch::Receiver<bool> {
        self.held.clone()
    }

    /// Lets go, so that another process takes over at once.
    pub async fn release(mut self) {
        self.stop.cancel();
        let _ = (&mut self.task).await;
    }
}

/// Who panicked holds nothing: otherwise a lease would be renewed that nobody works under.
impl Drop for Lease {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Store {
    /// Applies for a lease, and goes on doing so. `holder` names this process and no other, of now or before.
    pub fn lease(&self, name: &'static str, holder: String) -> Lease {
        let (sender, held) = watch::channel(false);
        let stop = CancellationToken::new();
        let application = Application {
            store: self.clone(),
            name,
            holder,
            held: sender,
            watched: None,
        };
        Lease {
            held,
            task: tokio::spawn(application.run(stop.clone())),
            stop,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    holder: String,
    beat: i64,
}

struct Application {
    store: Store,
    name: &'static str,
    holder: String,
    held: watch::Sender<bool>,
    /// Another's row, and since when it has stood still.
    watched: Option<(Row, Instant)>,
}

impl Application {
    async fn run(mut self, stop: CancellationToken) {
        let mut good_until = Instant::now();
        while !stop.is_cancelled() {
            let began = Instant::now();
            // What holds the database up must not keep a lease alive.
            let held = *self.held.borrow();
            let answer = match held {
                true => timeout_at(good_until, self.beat()).await,
                false => timeout(TRUST, self.contend()).await,
            };
            match answer {
                Ok(Ok(true)) => {
                    good_until = began + TRUST;
                    self.hold(true);
                }
                Ok(Ok(false)) => self.hold(false),
                Ok(Err(error)) => tracing::warn!(lease = self.name, %error, "the lease can't be renewed at present"),
                Err(_) => {}
            }
            if Instant::now() >= good_until {
                self.hold(false);
            }
            tokio::select! {
                () = sleep(BEAT) => {}
                () = stop.cancelled() => {}
            }
        }
        if *self.held.borrow() {
            self.hold(false);
            let sql = "delete from leases where name = $1 and holder = $2";
            let _ = timeout(TRUST, self.changes_one(sql, binds![self.name, self.holder])).await;
        }
    }

    fn hold(&self, now: bool) {
        let changed = self.held.send_if_modified(|held| std::mem::replace(held, now) != now);
        if changed {
            tracing::info!(lease = self.name, held = now, "leadership");
        }
    }

    async fn beat(&self) -> Result<bool> {
        let sql = "update leases set beat = beat + 1 where name = $1 and holder = $2";
        self.changes_one(sql, binds![self.name, self.holder]).await
    }

    async fn contend(&mut self) -> Result<bool> {
        let sql = "select holder, beat from leases where name = $1";
        let found = sql::optional(&mut self.store.peek().await?, sql, binds![self.name]).await?;
        let found = match found {
            Some(row) => Some(Row {
                holder: row.text("holder")?,
                beat: row.int("beat")?,
            }),
            None => None,
        };
        let since = match (&found, self.watched.take()) {
            (Some(row), Some((watched, since))) if *row == watched => since,
            _ => Instant::now(),
        };
        self.watched = found.clone().map(|row| (row, since));
        // A row with our own name was taken in an attempt whose answer was lost.
        let free = found
            .as_ref()
            .is_none_or(|row| row.holder == self.holder || since.elapsed() >= PATIENCE);
        match free {
            true => self.take(found).await,
            false => Ok(false),
        }
    }

    async fn take(&self, known: Option<Row>) -> Result<bool> {
        let Some(Row { holder, beat }) = known else {
            let sql = "insert into leases (name, holder, beat) values ($1, $2, 1) on conflict (name) do nothing";
            return self.changes_one(sql, binds![self.name, self.holder]).await;
        };
        let sql = "update leases set holder = $2, beat = beat + 1 where name = $1 and holder = $3 and beat = $4";
        self.changes_one(sql, binds![self.name, self.holder, holder, beat])
            .await
    }

    async fn changes_one(&self, sql: &'static str, values: Vec<Value>) -> Result<bool> {
        let changed = self
            .store
            .write("system", move |tx| Box::pin(sql::execute(tx, sql, values)));
        Ok(changed.await? == 1)
    }
}
