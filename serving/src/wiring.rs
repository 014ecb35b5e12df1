//! The one place where backends are chosen, and where the parts of the program meet: core → outbox → relay → log →
//! sink → lake.

use crate::{
    auth::{Identity, TokenMemory},
    config::{Config, ServeOptions},
    dashboards::Dashboards,
    figures,
    home::OwnProcess,
    jobs::{announce, erasure, insights, mail, money, sweep, transforms as marts, webhooks},
    limits::Limits,
    mail::Mailer,
    outgoing::Outgoing,
    payments::{PaymentReports, Payments, Stripe},
    problem::{Problem, Result as ProblemResult},
    roles::{ProcessRole, ProcessRoles},
    stages::Stages,
};
use anyhow::{Context, Result, bail};
use arc_swap::ArcSwapOption;
use domain::{OrderId, OrganizerId, Timestamp};
use futures::future::BoxFuture;
use ingest::{
    EventLog, LogOptions, Purpose, Relay, RelayOptions, Sink, SinkOptions,
    collector::{Collector, VisitorKeys},
};
use lakehouse::{Lake, LakeOptions, Session};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use transactional::{IdempotencyKey, Store, StoreOptions, Tx};
use transforms::{Project, Runner};

/// What every route can reach.
pub struct App {
    pub store: Store,
    pub log: Arc<dyn EventLog>,
    /// None in a process whose roles need none.
    pub lake: Option<Lake>,
    /// Computes marts; in processes that answer queries, which see what there is to compute from.
    pub transforms: Option<Runner>,
    pub roles: ProcessRoles,
    pub collector: Collector,
    pub payments: Payments,
    pub limits: Limits,
    pub tokens: TokenMemory,
    pub admin_token_hash: [u8; 32],
    pub started_at: Timestamp,
    /// For requests to addresses that organizers name.
    pub outgoing: Outgoing,
    /// Where the database and the log are, unless other servers have them.
    pub data_folder: Option<PathBuf>,
    /// What links in mails begin with.
    pub public_url: String,
    pub last_audit: ArcSwapOption<(String, bool, i64)>,
    pub dashboards: Dashboards,
    /// Answers that go on for as long as somebody listens end with it.
    pub stopping: CancellationToken,
    running_keys: Mutex<HashSet<(&'static str, String)>>,
}

/// The lake is a second behind at most; far more means that it stands still, and nobody waits for that.
const CATCH_UP: Duration = Duration::from_secs(10);

/// The app with its background work.
pub struct Wiring {
    app: Arc<App>,
    stages: Stages,
}

impl Wiring {
    pub async fn open(config: &Config, options: &ServeOptions, own: &OwnProcess) -> Result<Self> {
        let (roles, shared) = (options.roles.clone(), config.is_shared());
        if !shared && roles != ProcessRoles::all() {
            bail!(
                "an embedded database or log belongs to one process: use --role all, or DATABASE_URL=postgres://… and \
                 EVENT_LOG_URL=kafka://…"
            );
        }
        let store = Store::open(&config.database_url(), StoreOptions::default())
            .await
            .context("the core's database can't be opened")?;
        let log = ingest::log::open(&config.event_log_url(), LogOptions::default())
            .await
            .context("the event log can't be opened")?;
        let lake = match roles.has_any(&[ProcessRole::Sink, ProcessRole::Query, ProcessRole::Worker]) {
            true => Some(open_lake(config, options, shared).await?),
            false => None,
        };
        let transforms = match &lake {
            Some(lake) => Some(define_transforms(lake).await?).filter(|_| roles.has(ProcessRole::Query)),
            None => None,
        };
        let (payments, reports) = Payments::new(store.clone(), Stripe::new(&options.stripe)?);
        let mailer = match roles.has(ProcessRole::Worker) {
            true => Some(crate::mail::open(&config.mail_url()).context("mail can't be sent")?),
            false => None,
        };
        let app = Arc::new(App {
            collector: Collector::new(log.clone(), VisitorKeys::new(store.clone())),
            payments,
            limits: Limits::new(options.rate_limit),
            tokens: TokenMemory::default(),
            admin_token_hash: Sha256::digest(own.admin_token.as_bytes()).into(),
            started_at: Timestamp::now(),
            outgoing: Outgoing::new(options.webhooks_allow_private)?,
            data_folder: (!shared).then(|| config.home.clone()),
            public_url: options.public_url.clone().unwrap_or_else(|| own.url.clone()),
            last_audit: ArcSwapOption::empty(),
            dashboards: Dashboards::open(options.dashboards.clone()),
            stopping: CancellationToken::new(),
            running_keys: Mutex::default(),
            roles,
            store,
            log,
            lake,
            transforms,
        });
        let mut stages = Stages::default();
        start(&mut stages, &app, reports, mailer, own);
        Ok(Self { app, stages })
    }

    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Comes back if something fails that waiting can't mend: then going on would only hide it.
    pub async fn failed(&self) -> String {
        self.stages.failed().await
    }

    /// Waits until queries see all that the core had committed when this was called.
    pub async fn catch_up(&self) {
        let committed = *self.app.store.committed_seq().borrow();
        let Ok(lake) = self.app.queries() else { return };
        if let Err(error) = lake.wait_for(committed, CATCH_UP).await {
            tracing::warn!(%error, "the lake is behind the core; what it lacks stands in the log");
        }
    }

    /// Closes everything in the order in which data flows, when it has flowed through.
    pub async fn close(self) -> Result<()> {
        if self.app.roles.has(ProcessRole::Sink) {
            self.catch_up().await;
        }
        self.stages.stop().await?;
        if let Some(lake) = &self.app.lake {
            lake.close()
                .await
                .context("the lake could not take what waited; the log still has it")?;
        }
        self.app.log.close().await;
        self.app
            .store
            .close()
            .await
            .context("the core's database could not be closed")?;
        Ok(())
    }
}

async fn open_lake(config: &Config, options: &ServeOptions, shared: bool) -> Result<Lake> {
    let answers = options.roles.has(ProcessRole::Query);
    let cache = (answers && options.cache_bytes > 0).then(|| (config.home.join("cache"), options.cache_bytes));
    let threads = match options.query_threads {
        Some(threads) => usize::from(threads),
        None => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
    };
    let options = LakeOptions {
        shared,
        answers,
        cache,
        query_memory_bytes: usize::try_from(options.query_memory_bytes).unwrap_or(usize::MAX),
        target_partitions: threads,
        ..LakeOptions::default()
    };
    let opened = Lake::open(&config.lake_url(), options).await;
    opened.context("the lake can't be opened")
}

/// Makes the SQL project known to the lake.
async fn define_transforms(lake: &Lake) -> Result<Runner> {
    let project = Project::load().context("the SQL project can't be read")?;
    Ok(Runner::new(Arc::new(project), lake.clone()).await)
}

/// One process at a time keeps marts up to date, of those that answer queries.
fn start_transforms(stages: &mut Stages, app: &App, own: &OwnProcess) {
    if let Some(runner) = app.transforms.clone() {
        stages.lead("transforms", app.store.clone(), own.process_id.clone(), move |stop| {
            let runner = runner.clone();
            async move {
                marts::run(runner, stop).await;
                Ok(())
            }
        });
    }
}

/// One process at a time makes reports and looks at alert rules, of those that answer queries.
fn start_insights(stages: &mut Stages, app: &Arc<App>, own: &OwnProcess) {
    if app.roles.has(ProcessRole::Query) {
        let asking = app.clone();
        stages.lead("insights", app.store.clone(), own.process_id.clone(), move |stop| {
            let app = asking.clone();
            async move {
                tokio::join!(
                    insights::send_reports(app.clone(), stop.clone()),
                    insights::watch_metrics(app, stop)
                );
                Ok(())
            }
        });
    }
}

/// Starts what the process's roles ask for.
fn start(stages: &mut Stages, app: &Arc<App>, reports: PaymentReports, mailer: Option<Mailer>, own: &OwnProcess) {
    let (roles, store) = (&app.roles, &app.store);
    if roles.has(ProcessRole::Api) {
        let paying = app.clone();
        stages.add("payments", |stop| async move {
            reports.run(paying, stop).await;
            Ok(())
        });
    }
    if let Some(mailer) = mailer {
        let worker = app.clone();
        stages.lead("worker", store.clone(), own.process_id.clone(), move |stop| {
            let (app, mailer) = (worker.clone(), mailer.clone());
            async move {
                let maintain = async {
                    match &app.lake {
                        Some(lake) => lake.maintain(stop.clone()).await,
                        None => stop.cancelled().await,
                    }
                };
                tokio::join!(
                    maintain,
                    sweep::run(app.clone(), stop.clone()),
                    money::refund(app.clone(), stop.clone()),
                    money::refund_events(app.clone(), stop.clone()),
                    money::reconcile(app.clone(), stop.clone()),
                    erasure::run(app.clone(), mailer.clone(), stop.clone()),
                    mail::run(app.clone(), mailer, stop.clone()),
                    webhooks::run(app.clone(), stop.clone()),
                );
                Ok(())
            }
        });
    }
    start_transforms(stages, app, own);
    start_insights(stages, app, own);
    let relay = Arc::new(Relay::new(store.clone(), app.log.clone(), RelayOptions::default()));
    let relayed = relay.position();
    if roles.has(ProcessRole::Relay) {
        stages.lead("relay", store.clone(), own.process_id.clone(), move |stop| {
            let relay = relay.clone();
            async move { Ok(relay.run(stop).await?) }
        });
    }
    let purpose = Purpose {
        answers: roles.has(ProcessRole::Query),
        commits: roles.has(ProcessRole::Sink),
    };
    if let Some(lake) = app.lake.clone().filter(|_| purpose.answers || purpose.commits) {
        let options = SinkOptions {
            purpose,
            ..SinkOptions::default()
        };
        let mut sink = Sink::new(app.log.clone(), lake, options).with_keys_of(store.clone());
        if roles.has(ProcessRole::Relay) {
            sink = sink.reporting(relayed);
        }
        stages.add("sink", |stop| async move { Ok(sink.run(stop).await?) });
    }
    stages.add("figures", |stop| async move {
        figures::keep_up(stop).await;
        Ok(())
    });
    let (announcing, process, leads) = (app.clone(), own.clone(), stages.leads());
    stages.add("announcement", |stop| async move {
        announce::run(announcing, process, leads, stop).await;
        Ok(())
    });
}

impl App {
    /// Where a buyer sees an order. What lets them see it stands after the `#`, where it gets into no server's log.
    pub fn order_page(&self, id: OrderId) -> String {
        let (url, secret) = (self.public_url.trim_end_matches('/'), self.store.order_secret(id));
        format!("{url}/order#{id}/{secret}")
    }

    /// The lake, to ask it: a process without the role `query` has none that is up to date.
    pub fn queries(&self) -> ProblemResult<&Lake> {
        let lake = self.lake.as_ref().filter(|_| self.roles.has(ProcessRole::Query));
        lake.ok_or_else(|| self.misdirected(ProcessRole::Query))
    }

    /// What all who ask in SQL have in common, by whatever door they come: one principal's rows, read-only and limited.
    pub fn session_for(&self, identity: &Identity, organizer: Option<OrganizerId>) -> ProblemResult<Session> {
        let principal = identity.principal(organizer)?;
        Ok(self.queries()?.session(&principal))
    }

    /// The answer to a request that another process of the installation is for.
    pub fn misdirected(&self, wanted: ProcessRole) -> Problem {
        Problem::new(
            "wrong_role",
            format!(
                "this process has the role {}; ask one with the role {wanted}",
                self.roles
            ),
        )
    }

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
