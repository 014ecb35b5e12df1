//! SQL for one principal: read-only, over one view of all tables, with limits on time, memory and company.

use crate::{
    catalog::Catalog,
    engine::Running,
    error::{Error, Result},
    lake::Lake,
    postgres, size,
    values::{self, Described, Parameter},
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    execution::{SendableRecordBatchStream, SessionState},
    logical_expr::LogicalPlan,
    physical_plan::execute_stream,
    prelude::SQLOptions,
};
use domain::OrganizerId;
use futures::{Stream, StreamExt, TryStreamExt};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::{Instant, Sleep},
};
use tokio_util::task::AbortOnDropHandle;

/// How long a query waits for the tables to agree after a crash.
const CATCH_UP: Duration = Duration::from_secs(30);

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    held: ([OwnedSemaphorePermit; 2], Running),
}

impl Session {
    pub(crate) fn new(lake: Lake, principal: Principal) -> Self {
        Self { lake, principal }
    }

    /// Whose rows it sees; None: everybody's.
    pub fn organizer(&self) -> Option<OrganizerId> {
        self.principal.organizer
    }

    /// Plans and starts a query. Rows come from the stream; dropping it cancels the query.
    pub async fn sql(&self, sql: &str) -> Result<QueryStream> {
        self.sql_with(sql, Vec::new()).await
    }

    /// The same of a query with places for values, `$1` and on.
    pub async fn sql_with(&self, sql: &str, parameters: Vec<Parameter>) -> Result<QueryStream> {
        let query = self.admit(sql).await?;
        let (watermark, deadline) = (query.watermark, query.deadline);
        let stop = query.held.1.stop.clone();
        let stopped = stop.clone();
        let limit = self.lake.inner.options.query_timeout;
        let (started, schema) = oneshot::channel();
        let (sender, batches) = mpsc::channel(2);
        let session = self.clone();
        let task = self.lake.inner.engine.threads()?.spawn(async move {
            // Held until the query has really stopped, which may be after its reader has gone.
            let _held = query.held;
            let answer = async {
                match session.start(&query.state, &query.sql, parameters).await {
                    Ok(rows) => {
                        if started.send(Ok(rows.schema())).is_ok() {
                            // Whoever stops reading must not keep others from asking.
                            let forwarded = tokio::time::timeout_at(deadline, forward(rows, &sender)).await;
                            if forwarded.is_err() {
                                let _ = sender.try_send(Err(Error::Timeout(limit)));
                            }
                        }
                    }
                    Err(error) => drop(started.send(Err(error))),
                }
            };
            tokio::select! {
                () = answer => {}
                () = stop.cancelled() => drop(sender.try_send(Err(short_of_memory()))),
            }
        });
        let task = AbortOnDropHandle::new(task);
        let schema = tokio::time::timeout_at(deadline, schema)
            .await
            .map_err(|_| Error::Timeout(limit))?;
        Ok(QueryStream {
            schema: schema.map_err(|_| {
                if stopped.is_cancelled() {
                    short_of_memory()
                } else {
                    died()
                }
            })??,
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
            values::describe(planning(session.plan(&query.state, &query.sql))?, parameters)
        });
        let described = tokio::time::timeout_at(deadline, AbortOnDropHandle::new(task)).await;
        let limit = self.lake.inner.options.query_timeout;
        described.map_err(|_| Error::Timeout(limit))?.map_err(|_| died())?
    }

    /// The statements of what a client of PostgreSQL sends, in terms that [`Session::sql`] understands. Read where
    /// stacks are deep.
    pub async fn statements(&self, sql: &str) -> Result<Vec<postgres::Statement>> {
        size::check_text(sql)?;
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
        size::check_text(sql)?;
        let inner = &self.lake.inner;
        let options = &inner.options;
        let turn = inner.engine.turn(&self.principal, options.query_slots);
        let turn = tokio::time::timeout(options.query_queue, turn).await;
        let turn = turn.map_err(|_| Error::Busy)?.map_err(|_| Error::Closed)?;
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
            held: (turn, running),
        })
    }

    async fn plan(&self, state: &SessionState, sql: &str) -> Result<LogicalPlan> {
        let statement = state.sql_to_statement(sql, &state.config_options().sql_parser.dialect)?;
        size::check_statement(&statement)?;
        let plan = state.statement_to_plan(statement).await?;
        self.may_run(&plan)?;
        size::check_plan(&plan)?;
        Ok(plan)
    }

    async fn start(
        &self,
        state: &SessionState,
        sql: &str,
        parameters: Vec<Parameter>,
    ) -> Result<SendableRecordBatchStream> {
        let plan = planning(async {
            let plan = values::bind(self.plan(state, sql).await?, parameters)?;
            Ok::<_, Error>(state.create_physical_plan(&plan).await?)
        })?;
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

/// Planning gives its thread back at no point, so others get another one meanwhile.
fn planning<T>(plan: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| Handle::current().block_on(plan))
}

/// Hands batches on; `None` marks the end, so that a query that died isn't taken for one that is done.
async fn forward(mut rows: SendableRecordBatchStream, sender: &mpsc::Sender<Result<Option<RecordBatch>>>) {
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

fn short_of_memory() -> Error {
    Error::ResourcesExhausted("the machine has little memory left; ask for less, or later".to_owned())
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
