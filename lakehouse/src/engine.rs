//! What queries run in: threads and memory of their own, turns, and a list of those that run.

use crate::{
    catalog::Catalog,
    coop::YieldInJoins,
    error::{Error, Result},
    functions,
    group::GroupByColumns,
    growth::BoundGrowth,
    lake::lock,
    memory,
    options::LakeOptions,
    scan::object_store_url,
    session::Principal,
    spill::SpillPool,
    store::Store,
    sum::CheckedSum,
};
use datafusion::{
    catalog::MemoryCatalogProviderList,
    execution::{
        FunctionRegistry, SessionState, SessionStateBuilder,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::{GreedyMemoryPool, MemoryPool},
        object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry},
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    logical_expr::AggregateUDF,
    prelude::SessionConfig,
};
use domain::{OrganizerId, Timestamp};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

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

/// How often the machine's memory is looked at. It takes longer to fill.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What all queries share.
pub(crate) struct Engine {
    state: SessionState,
    runtime: Arc<RuntimeEnv>,
    slots: Arc<Semaphore>,
    /// The turns that one organizer's people may take at once, and the platform's.
    slots_of: Mutex<HashMap<Option<OrganizerId>, Arc<Semaphore>>>,
    running: Arc<Mutex<Queries>>,
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
    /// Ends it.
    stop: CancellationToken,
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
            .with_metadata_cache_limit(options.footer_cache_bytes)
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
            .with_analyzer_rule(Arc::new(BoundGrowth))
            .with_optimizer_rule(Arc::new(GroupByColumns))
            .with_physical_optimizer_rule(Arc::new(YieldInJoins))
            .build();
        for name in WITHHELD {
            state.deregister_udf(name)?;
        }
        state.register_udf(Arc::new(functions::local_time()))?;
        state.register_udf(Arc::new(functions::major_units()))?;
        state.register_udf(Arc::new(functions::share()))?;
        state.register_udaf(Arc::new(AggregateUDF::from(CheckedSum::default())))?;
        let threads = Builder::new_multi_thread()
            .worker_threads(options.target_partitions)
            .thread_name("query")
            .thread_stack_size(STACK_BYTES)
            // A query that is planned keeps one; the others read files.
            .max_blocking_threads(options.target_partitions * 4 + options.query_slots * 2)
            .enable_all()
            .build()?;
        let running = Arc::default();
        threads.spawn(spare_memory(Arc::clone(&running)));
        Ok(Self {
            state,
            runtime,
            slots: Arc::new(Semaphore::new(options.query_slots)),
            slots_of: Mutex::default(),
            running,
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

    /// A state whose queries share `memory` bytes and see `catalog`. A query of views has a hundred small operators, so
    /// whoever comes first takes what it needs: equal shares would be too small for any.
    pub(crate) fn state(&self, catalog: Option<Catalog>, memory: usize) -> Result<SessionState> {
        self.state_with(catalog, Arc::new(GreedyMemoryPool::new(memory)))
    }

    /// The same for few operators that each want more than there is: they have equal shares and spill the rest.
    pub(crate) fn spilling_state(&self, catalog: Option<Catalog>, memory: usize) -> Result<SessionState> {
        self.state_with(catalog, Arc::new(SpillPool::new(memory)))
    }

    fn state_with(&self, catalog: Option<Catalog>, memory: Arc<dyn MemoryPool>) -> Result<SessionState> {
        let runtime = RuntimeEnvBuilder::from_runtime_env(&self.runtime)
            .with_memory_pool(memory)
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

    /// Waits for one of the turns. Whoever asks much waits for themselves first, so that others find one.
    pub(crate) async fn turn(
        &self,
        principal: &Principal,
        slots: usize,
    ) -> Result<[OwnedSemaphorePermit; 2], AcquireError> {
        let own = {
            let mut all = lock(&self.slots_of);
            let own = all.entry(principal.organizer);
            Arc::clone(own.or_insert_with(|| Arc::new(Semaphore::new((slots * 2 / 3).max(1)))))
        };
        let own = own.acquire_owned().await?;
        Ok([own, Arc::clone(&self.slots).acquire_owned().await?])
    }

    pub(crate) fn start(&self, principal: &Principal, sql: &str) -> Running {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let query = RunningQuery {
            id,
            principal: principal.id.clone(),
            organizer: principal.organizer,
            sql: sql.to_owned(),
            started_at: Timestamp::now(),
            stop: CancellationToken::new(),
        };
        let stop = query.stop.clone();
        lock(&self.running).insert(id, query);
        Running {
            id,
            stop,
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

/// Takes the query off the list when it is over, however it ends.
pub(crate) struct Running {
    id: u64,
    queries: Arc<Mutex<Queries>>,
    /// Cancelled when the query has to end for others' sake.
    pub(crate) stop: CancellationToken,
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

type Queries = BTreeMap<u64, RunningQuery>;

/// Ends all queries when the machine is about to run out of memory. What functions and joins make of little is not in the
/// memory that a query is allowed; without this the operating system would end the whole program.
async fn spare_memory(queries: Arc<Mutex<Queries>>) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        let queries = lock(&queries);
        if !queries.is_empty() && memory::is_short() {
            queries.values().for_each(|query| query.stop.cancel());
            tracing::warn!(
                queries = queries.len(),
                "queries are ended: the machine has little memory left"
            );
        }
    }
}
