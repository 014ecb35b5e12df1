//! SQL for one principal: read-only, over one view of all tables, with limits on time, memory and company.

use crate::{
    catalog::Catalog,
    coop::YieldInJoins,
    error::{Error, Result},
    functions,
    lake::{Lake, lock},
    options::LakeOptions,
    postgres,
    scan::object_store_url,
    store::Store,
    sum::CheckedSum,
    values::{self, Described, Parameter},
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    catalog::MemoryCatalogProviderList,
    execution::FunctionRegistry,
    execution::{
        SendableRecordBatchStream, SessionState, SessionStateBuilder,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::FairSpillPool,
        object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry},
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    logical_expr::{AggregateUDF, LogicalPlan},
    physical_plan::execute_stream,
    prelude::{SQLOptions, SessionConfig},
};
use domain::{OrganizerId, Timestamp};
use futures::{Stream, StreamExt, TryStreamExt};
use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{Instant, Sleep},
};
use tokio_util::task::AbortOnDropHandle;

/// Longer than any query a person writes; the planner's cost grows faster than the text, and so does its stack.
const MAX_SQL_BYTES: usize = 16 * 1024;

/// The planner's time grows with the square of a chain of operators, and planning can't be interrupted.
const MAX_OPERATORS: usize = 1_000;

/// The planner recurses over chains such as 1 + 1 + …, and a stack that overflows ends the whole process. A query of
/// `MAX_SQL_BYTES` needs a part of this. Memory is taken only where a stack really grows.
const STACK_BYTES: usize = 256 << 20;

/// Functions that make gigabytes out of a number, in one step that no memory limit sees.
const WITHHELD: [&str; 7] = [
    "repeat",
    "lpad",
    "rpad",
    "array_repeat",
    "array_resize",
    "range",
    "generate_series",
];

/// What queries may spill to disk, all together.
const MAX_SPILL_BYTES: u64 = 8 << 30;

/// Parquet footers that are kept: a cold one costs a read of its own.
const FOOTER_CACHE_BYTES: usize = 64 << 20;

/// How long a query waits for the tables to agree after a crash.
const CATCH_UP: Duration = Duration::from_secs(30);

/// Who asks.
#[derive(Clone, Debug)]
pub struct Principal {
    pub id: String,
    /// None: a platform admin, who sees every organizer's rows.
    pub organizer: Option<OrganizerId>,
    /// Without it there are no tables and rejects with names, addresses and phone numbers.
    pub personal_data: bool,
}

#[derive(Clone)]
pub struct Session {
    lake: Lake,
    principal: Principal,
}

/// A query that may run now.
struct Admitted {
    sql: String,
    state: SessionState,
    watermark: i64,
    deadline: Instant,
    held: (OwnedSemaphorePermit, Running),
}

/// What all queries share.
pub(crate) struct Engine {
    state: SessionState,
    runtime: Arc<RuntimeEnv>,
    slots: Arc<Semaphore>,
    running: Arc<Mutex<BTreeMap<u64, RunningQuery>>>,
    next_id: AtomicU64,
    /// Queries compute on threads of their own: a long one delays no purchase.
    threads: Option<Runtime>,
}

#[derive(Clone, Debug)]
pub(crate) struct RunningQuery {
    pub(crate) id: u64,
    pub(crate) principal: String,
    pub(crate) organizer: Option<OrganizerId>,
    pub(crate) sql: String,
    pub(crate) started_at: Timestamp,
}

impl Engine {
    pub(crate) fn new(stores: &[Store], options: &LakeOptions) -> Result<Self> {
        let registry = Arc::new(DefaultObjectStoreRegistry::new());
        for store in stores {
            registry.register_store(object_store_url(store.spec)?.as_ref(), store.files());
        }
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::OsTmpDirectory)
            .with_max_temp_directory_size(MAX_SPILL_BYTES);
        let runtime = RuntimeEnvBuilder::new()
            .with_object_store_registry(registry)
            .with_disk_manager_builder(disk)
            .with_metadata_cache_limit(FOOTER_CACHE_BYTES)
            .build_arc()?;
        let mut config = SessionConfig::new()
            .with_target_partitions(options.target_partitions)
            .with_default_catalog_and_schema("bilten", "lake")
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(true);
        let settings = config.options_mut();
        // One type for text in files, tails and answers.
        settings.execution.parquet.schema_force_view_types = false;
        settings.sql_parser.map_string_types_to_utf8view = false;
        // An error can say where in the text it is.
        settings.sql_parser.collect_spans = true;
        settings.execution.time_zone = Some("UTC".to_owned());
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(Arc::clone(&runtime))
            .with_default_features()
            .with_physical_optimizer_rule(Arc::new(YieldInJoins))
            .build();
        for name in WITHHELD {
            state.deregister_udf(name)?;
        }
        state.register_udf(Arc::new(functions::local_time()))?;
        state.register_udf(Arc::new(functions::major_units()))?;
        state.register_udaf(Arc::new(AggregateUDF::from(CheckedSum::default())))?;
        let threads = Builder::new_multi_thread()
            .worker_threads(options.target_partitions)
            .thread_name("query")
            .thread_stack_size(STACK_BYTES)
            .max_blocking_threads(options.target_partitions * 4)
            .enable_all()
            .build()?;
        Ok(Self {
            state,
            runtime,
            slots: Arc::new(Semaphore::new(options.query_slots)),
            running: Arc::default(),
            next_id: AtomicU64::new(1),
            threads: Some(threads),
        })
    }

    pub(crate) fn objects(&self) -> &dyn ObjectStoreRegistry {
        self.runtime.object_store_registry.as_ref()
    }

    pub(crate) fn threads(&self) -> Result<&Handle> {
        self.threads.as_ref().map(Runtime::handle).ok_or(Error::Closed)
    }

    pub(crate) fn running(&self) -> Vec<RunningQuery> {
        lock(&self.running).values().cloned().collect()
    }

    /// A state whose queries share `memory` bytes and see `catalog`.
    pub(crate) fn state(&self, catalog: Option<Catalog>, memory: usize) -> Result<SessionState> {
        let runtime = RuntimeEnvBuilder::from_runtime_env(&self.runtime)
            .with_memory_pool(Arc::new(FairSpillPool::new(memory)))
            .build_arc()?;
        let catalogs = MemoryCatalogProviderList::new();
        if let Some(catalog) = catalog {
            datafusion::catalog::CatalogProviderList::register_catalog(
                &catalogs,
                "bilten".to_owned(),
                Arc::new(catalog),
            );
        }
        let mut state = SessionStateBuilder::new_from_existing(self.state.clone())
            .with_runtime_env(runtime)
            .with_catalog_list(Arc::new(catalogs))
            .build();
        // What now() means in this query, in views as well.
        let settings = Arc::clone(state.config_options());
        state.execution_props_mut().mark_start_execution(settings);
        Ok(state)
    }

    fn start(&self, principal: &Principal, sql: &str) -> Running {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let query = RunningQuery {
            id,
            principal: principal.id.clone(),
            organizer: principal.organizer,
            sql: sql.to_owned(),
            started_at: Timestamp::now(),
        };
        lock(&self.running).insert(id, query);
        Running {
            id,
            queries: Arc::clone(&self.running),
            started: Instant::now(),
            _span: tracing::debug_span!("query"),
        }
    }
}

/// A runtime must not be waited for where async code runs, and that is where a lake is dropped.
impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

impl Session {
    pub(crate) fn new(lake: Lake, principal: Principal) -> Self {
        Self { lake, principal }
    }

    /// Plans and starts a query. Rows come from the stream; dropping it cancels the query.
    pub async fn sql(&self, sql: &str) -> Result<QueryStream> {
        self.sql_with(sql, Vec::new()).await
    }

    /// The same of a query with places for values, `$1` and on.
    pub async fn sql_with(&self, sql: &str, parameters: Vec<Parameter>) -> Result<QueryStream> {
        let query = self.admit(sql).await?;
        let (watermark, deadline) = (query.watermark, query.deadline);
        let (started, schema) = oneshot::channel();
        let (sender, batches) = mpsc::channel(2);
        let session = self.clone();
        let task = self.lake.inner.engine.threads()?.spawn(async move {
            // Held until the query has really stopped, which may be after its reader has gone.
            let _held = query.held;
            match session.start(&query.state, &query.sql, parameters).await {
                Ok(rows) => {
                    if started.send(Ok(rows.schema())).is_ok() {
                        // Whoever stops reading must not keep others from asking.
                        let _ = tokio::time::timeout_at(deadline, forward(rows, sender)).await;
                    }
                }
                Err(error) => drop(started.send(Err(error))),
            }
        });
        let task = AbortOnDropHandle::new(task);
        let limit = self.lake.inner.options.query_timeout;
        let schema = tokio::time::timeout_at(deadline, schema)
            .await
            .map_err(|_| Error::Timeout(limit))?;
        Ok(QueryStream {
            schema: schema.map_err(|_| died())??,
            batches,
            watermark,
            limit,
            deadline: Box::pin(tokio::time::sleep_until(deadline)),
            done: false,
            _task: task,
        })
    }

    /// What a query takes and answers. It is planned and does not run.
    pub async fn describe(&self, sql: &str, parameters: Vec<Parameter>) -> Result<Described> {
        let query = self.admit(sql).await?;
        let (session, deadline) = (self.clone(), query.deadline);
        let task = self.lake.inner.engine.threads()?.spawn(async move {
            // Planning can't be interrupted, so this is held for as long as it takes.
            let _held = query.held;
            values::describe(session.plan(&query.state, &query.sql).await?, parameters)
        });
        let described = tokio::time::timeout_at(deadline, AbortOnDropHandle::new(task)).await;
        let limit = self.lake.inner.options.query_timeout;
        described.map_err(|_| Error::Timeout(limit))?.map_err(|_| died())?
    }

    /// The statements of what a client of PostgreSQL sends, in terms that [`Session::sql`] understands. Read where
    /// stacks are deep.
    pub async fn statements(&self, sql: &str) -> Result<Vec<postgres::Statement>> {
        check_size(sql)?;
        let sql = sql.to_owned();
        let task = self
            .lake
            .inner
            .engine
            .threads()?
            .spawn(async move { postgres::statements(&sql) });
        task.await.map_err(|_| died())
    }

    /// Waits for a turn, and for the view that the query will see.
    async fn admit(&self, sql: &str) -> Result<Admitted> {
        check_size(sql)?;
        let inner = &self.lake.inner;
        let options = &inner.options;
        let slot = tokio::time::timeout(options.query_queue, Arc::clone(&inner.engine.slots).acquire_owned());
        let slot = slot.await.map_err(|_| Error::Busy)?.map_err(|_| Error::Closed)?;
        let running = inner.engine.start(&self.principal, sql);
        // Before the view, which then has come as far as what is kept here.
        let kept = inner.kept.load_full();
        let view = self.lake.even_view(CATCH_UP.min(options.query_timeout)).await?;
        let watermark = view.watermark;
        let catalog = Catalog::new(self.lake.clone(), kept, view, &self.principal);
        Ok(Admitted {
            sql: sql.to_owned(),
            state: inner.engine.state(Some(catalog), options.query_memory_bytes)?,
            watermark,
            deadline: Instant::now() + options.query_timeout,
            held: (slot, running),
        })
    }

    async fn plan(&self, state: &SessionState, sql: &str) -> Result<LogicalPlan> {
        let plan = state.create_logical_plan(sql).await?;
        self.may_run(&plan)?;
        Ok(plan)
    }

    async fn start(
        &self,
        state: &SessionState,
        sql: &str,
        parameters: Vec<Parameter>,
    ) -> Result<SendableRecordBatchStream> {
        let plan = values::bind(self.plan(state, sql).await?, parameters)?;
        let plan = state.create_physical_plan(&plan).await?;
        Ok(execute_stream(plan, state.task_ctx())?)
    }

    fn may_run(&self, plan: &LogicalPlan) -> Result<()> {
        let read_only = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        read_only
            .verify_plan(plan)
            .map_err(|_| Error::Forbidden("a query can only read: select, with, values, show, describe".to_owned()))?;
        // A plan tells file names and how many rows of others were read.
        if self.principal.organizer.is_some() && matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) {
            return Err(Error::Forbidden("only a platform admin may explain a query".to_owned()));
        }
        Ok(())
    }
}

fn check_size(sql: &str) -> Result<()> {
    if sql.len() > MAX_SQL_BYTES {
        return Err(Error::invalid(format!("a query has at most {MAX_SQL_BYTES} bytes")));
    }
    if sql.bytes().filter(|byte| b"+-*/%|".contains(byte)).count() > MAX_OPERATORS {
        return Err(Error::invalid(format!(
            "a query has at most {MAX_OPERATORS} arithmetic operators"
        )));
    }
    Ok(())
}

/// Hands batches on; `None` marks the end, so that a query that died isn't taken for one that is done.
async fn forward(mut rows: SendableRecordBatchStream, sender: mpsc::Sender<Result<Option<RecordBatch>>>) {
    loop {
        let next = rows.next().await.transpose().map_err(Error::from);
        let last = !matches!(next, Ok(Some(_)));
        if sender.send(next).await.is_err() || last {
            return;
        }
    }
}

fn died() -> Error {
    Error::Unavailable("the query's task ended early".to_owned())
}

/// The rows of a running query.
pub struct QueryStream {
    schema: SchemaRef,
    batches: mpsc::Receiver<Result<Option<RecordBatch>>>,
    watermark: i64,
    limit: Duration,
    deadline: Pin<Box<Sleep>>,
    done: bool,
    _task: AbortOnDropHandle<()>,
}

impl QueryStream {
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The query saw every change up to this `seq`, and none after it.
    pub fn watermark(&self) -> i64 {
        self.watermark
    }

    pub async fn collect(self) -> Result<Vec<RecordBatch>> {
        self.try_collect().await
    }
}

impl Stream for QueryStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done {
            return Poll::Ready(None);
        }
        if self.deadline.as_mut().poll(context).is_ready() {
            self.done = true;
            return Poll::Ready(Some(Err(Error::Timeout(self.limit))));
        }
        let next = ready!(self.batches.poll_recv(context)).unwrap_or_else(|| Err(died()));
        self.done = !matches!(next, Ok(Some(_)));
        Poll::Ready(next.transpose())
    }
}

/// Takes the query off the list when it is over, however it ends.
struct Running {
    id: u64,
    queries: Arc<Mutex<BTreeMap<u64, RunningQuery>>>,
    started: Instant,
    /// Part of the request's trace. It does not say what was asked: a query may name people.
    _span: tracing::Span,
}

impl Drop for Running {
    fn drop(&mut self) {
        metrics::histogram!("bilten_query_duration_seconds").record(self.started.elapsed().as_secs_f64());
        lock(&self.queries).remove(&self.id);
    }
}
