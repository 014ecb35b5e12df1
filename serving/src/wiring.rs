//! The one place where backends are chosen, and where the parts of the program meet: core → outbox → relay → log →
//! sink → lake.

use crate::{
    auth::TokenMemory,
    config::{Config, ServeOptions},
    figures::Figures,
    jobs::{payments::Payments, sweep},
    limits::Limits,
    problem::{Problem, Result as ProblemResult},
};
use anyhow::{Context, Result};
use arc_swap::ArcSwapOption;
use domain::Timestamp;
use futures::future::BoxFuture;
use ingest::{
    EventLog, LogOptions, Relay, RelayOptions, Sink, SinkOptions,
    collector::{Collector, VisitorKeys},
};
use lakehouse::{Lake, LakeOptions};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use transactional::{IdempotencyKey, Store, StoreOptions, Tx};

/// What every route can reach.
pub struct App {
    pub store: Store,
    pub log: Arc<dyn EventLog>,
    pub lake: Lake,
    pub collector: Collector,
    pub payments: Payments,
    pub limits: Limits,
    pub tokens: TokenMemory,
    pub figures: Figures,
    pub admin_token_hash: [u8; 32],
    pub started_at: Timestamp,
    pub last_audit: ArcSwapOption<(String, bool, i64)>,
    running_keys: Mutex<HashSet<(&'static str, String)>>,
}

/// The lake is a second behind at most; far more means that it stands still, and nobody waits for that.
const CATCH_UP: Duration = Duration::from_secs(10);

/// The app with its background work.
pub struct Wiring {
    app: Arc<App>,
    stages: Stages,
}

/// Background work, in the order in which data flows through it.
#[derive(Default)]
struct Stages {
    running: Vec<(CancellationToken, JoinHandle<()>)>,
    failed: watch::Sender<Option<String>>,
}

impl Wiring {
    pub async fn open(config: &Config, options: &ServeOptions, admin_token: &str) -> Result<Self> {
        let store = Store::open(&config.database_url(), StoreOptions::default())
            .await
            .context("the core's database can't be opened")?;
        let log = ingest::log::open(&config.event_log_url(), LogOptions::default())
            .await
            .context("the event log can't be opened")?;
        let lake = Lake::open(&config.lake_url(), LakeOptions::default())
            .await
            .context("the lake can't be opened")?;
        let (payments, reports) = Payments::new(store.clone());
        let app = Arc::new(App {
            collector: Collector::new(log.clone(), VisitorKeys::in_file(config.home.join("visitors.key"))),
            payments,
            limits: Limits::new(options.rate_limit),
            tokens: TokenMemory::default(),
            figures: Figures::default(),
            admin_token_hash: Sha256::digest(admin_token.as_bytes()).into(),
            started_at: Timestamp::now(),
            last_audit: ArcSwapOption::empty(),
            running_keys: Mutex::default(),
            store: store.clone(),
            log: log.clone(),
            lake: lake.clone(),
        });
        let relay = Relay::new(store, log.clone(), RelayOptions::default());
        let sink = Sink::new(log, lake, SinkOptions::default()).reporting(relay.position());
        let mut stages = Stages::default();
        let (paying, sweeping) = (app.clone(), app.clone());
        stages.add("payments", |stop| async move {
            reports.run(paying, stop).await;
            Ok(())
        });
        stages.add("sweep", |stop| async move {
            sweep::run(sweeping, stop).await;
            Ok(())
        });
        let keeper = app.lake.clone();
        stages.add("maintenance", |stop| async move {
            keeper.maintain(stop).await;
            Ok(())
        });
        stages.add("relay", |stop| async move { Ok(relay.run(stop).await?) });
        stages.add("sink", |stop| async move { Ok(sink.run(stop).await?) });
        Ok(Self { app, stages })
    }

    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Comes back if something fails that waiting can't mend: then going on would only hide it.
    pub async fn failed(&self) -> String {
        let mut failed = self.stages.failed.subscribe();
        match failed.wait_for(Option::is_some).await.map(|failed| failed.clone()) {
            Ok(Some(why)) => why,
            _ => std::future::pending().await,
        }
    }

    /// Waits until queries see all that the core had committed when this was called.
    pub async fn catch_up(&self) {
        let committed = *self.app.store.committed_seq().borrow();
        if let Err(error) = self.app.lake.wait_for(committed, CATCH_UP).await {
            tracing::warn!(%error, "the lake is behind the core; what it lacks stands in the log");
        }
    }

    /// Closes everything in the order in which data flows, when it has flowed through.
    pub async fn close(self) -> Result<()> {
        self.catch_up().await;
        for (stop, stage) in self.stages.running {
            stop.cancel();
            stage.await.context("a background task failed")?;
        }
        self.app
            .lake
            .close()
            .await
            .context("the lake could not take what waited; the log still has it")?;
        self.app.log.close().await;
        self.app
            .store
            .close()
            .await
            .context("the core's database could not be closed")?;
        Ok(())
    }
}

impl Stages {
    fn add<F>(&mut self, name: &'static str, run: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let (work, failed) = (run(stop.clone()), self.failed.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = work.await {
                failed.send_replace(Some(format!("the {name} can't go on: {error:#}")));
            }
        });
        self.running.push((stop, task));
    }
}

impl App {
    /// Runs a command at most once for an idempotency key. Without a key it is just run.
    pub async fn write_once<T, F>(
        &self,
        scope: &'static str,
        key: Option<String>,
        request_hash: String,
        actor: String,
        command: F,
    ) -> ProblemResult<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, transactional::Result<T>> + Send + 'static,
    {
        let Some(key) = key else {
            return Ok(self.store.write(actor, command).await?);
        };
        let _running = self.mark_running(scope, &key)?;
        let key = IdempotencyKey {
            scope: scope.to_owned(),
            key,
            request_hash,
        };
        Ok(self.store.write_once(key, actor, command).await?.value)
    }

    fn mark_running(&self, scope: &'static str, key: &str) -> ProblemResult<RunningKey<'_>> {
        let entry = (scope, key.to_owned());
        let mut running = self.running_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !running.insert(entry.clone()) {
            return Err(Problem::new(
                "request_in_progress",
                "wait for the first answer, or send the request again later",
            ));
        }
        Ok(RunningKey { app: self, entry })
    }
}

/// While it lives, a second request with the key is told to wait.
struct RunningKey<'a> {
    app: &'a App,
    entry: (&'static str, String),
}

impl Drop for RunningKey<'_> {
    fn drop(&mut self) {
        self.app
            .running_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.entry);
    }
}
