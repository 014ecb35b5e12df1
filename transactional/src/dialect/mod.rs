//! The only place that knows which database it talks to. Everything else is SQL that SQLite and PostgreSQL share.

mod postgres;
mod scrub;
mod sqlite;

pub(crate) use postgres::{Prepared, advance};
pub use scrub::Scrubbed;
pub(crate) use scrub::scrub;

use crate::{
    Error, Result,
    sql::{Columns, Statement, Value},
};
use domain::Timestamp;
use sqlx::{
    AssertSqlSafe, Connection as _, Pool, SqlSafeStr, Transaction,
    any::AnyConnectOptions,
    migrate::{Migration, MigrationType, Migrator},
    pool::PoolOptions,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};

/// The driver is chosen by the URL when a store is opened.
pub(crate) type Db = sqlx::Any;
pub(crate) type Connection = sqlx::AnyConnection;
pub(crate) type Row = sqlx::any::AnyRow;

/// How long a reader waits for a connection when all are in use.
const PATIENCE: Duration = Duration::from_secs(5);
/// A server that doesn't answer in this time is not there.
const CONNECTING: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

fn kind(connection: &Connection) -> Kind {
    match connection.backend_name() {
        "PostgreSQL" => Kind::Postgres,
        _ => Kind::Sqlite,
    }
}

/// Where a store's data is, and how to get there.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    kind: Kind,
    url: String,
    options: AnyConnectOptions,
}

impl Database {
    /// Nothing is connected yet; SQLite's file is there afterwards.
    pub(crate) fn at(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        let kind = match scheme {
            "sqlite" => Kind::Sqlite,
            "postgres" | "postgresql" => Kind::Postgres,
            _ => {
                let message = "a database URL has the form sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE";
                return Err(Error::refused("invalid_url", message));
            }
        };
        let options = match kind {
            Kind::Sqlite => sqlite::prepare(url)?,
            Kind::Postgres => postgres::options(url)?,
        };
        Ok(Self {
            kind,
            url: url.to_owned(),
            options,
        })
    }

    /// A connection for the writer.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let connecting = async {
            let mut connection = Connection::connect_with(&self.options).await?;
            let settings = match self.kind {
                Kind::Sqlite => sqlite::SETTINGS,
                Kind::Postgres => postgres::WRITER_SETTINGS,
            };
            sqlx::raw_sql(settings).execute(&mut connection).await?;
            Ok::<_, Error>(connection)
        };
        let late = |_| Error::Unavailable("it does not answer".into());
        timeout(CONNECTING, connecting).await.map_err(late)?
    }

    pub(crate) async fn readers(&self, most: u32) -> Result<Pool<Db>> {
        let settings = match self.kind {
            Kind::Sqlite => sqlite::SETTINGS,
            Kind::Postgres => postgres::READER_SETTINGS,
        };
        let pool = PoolOptions::new()
            .max_connections(most.max(1))
            .acquire_timeout(PATIENCE)
            // A connection that a restart of the server has cut is replaced before anyone reads from it.
            .test_before_acquire(self.kind == Kind::Postgres)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(move |connection, _| {
                Box::pin(async move { sqlx::raw_sql(settings).execute(connection).await.map(drop) })
            })
            .connect_with(self.options.clone())
            .await;
        Ok(pool?)
    }

    /// Brings the tables to this version. Of several processes that start at once, one does it and the others wait.
    pub(crate) async fn migrate(
        &self,
        connection: &mut Connection,
        texts: &[(&'static str, &'static str)],
    ) -> Result<()> {
        let migrations = (1..).zip(texts).map(|(number, (name, sql))| {
            let sql = match self.kind {
                Kind::Sqlite => sql.into_sql_str(),
                Kind::Postgres => AssertSqlSafe(postgres::ddl(sql)).into_sql_str(),
            };
            Migration::new(number, (*name).into(), MigrationType::Simple, sql, false)
        });
        let migrator = Migrator::with_migrations(migrations.collect());
        let migrated = migrator.run_direct(None, connection, false).await;
        migrated.map_err(|error| Error::Storage(format!("can't bring the database to this version: {error}")))?;
        if self.kind == Kind::Postgres {
            postgres::raw(connection, postgres::NO_SAMPLES).await?;
        }
        Ok(())
    }

    /// Whether the server is another process, which may go away and come back.
    pub(crate) fn is_remote(&self) -> bool {
        self.kind == Kind::Postgres
    }

    /// Tells of commits by other processes until it is dropped; where there are none, it ends at once.
    pub(crate) async fn follow_commits(self, readers: Pool<Db>, committed: Arc<watch::Sender<i64>>) {
        match self.kind {
            Kind::Sqlite => {}
            Kind::Postgres => postgres::follow_commits(&self.url, readers, committed).await,
        }
    }
}

/// A reader's transaction: it sees the whole database as it was at the first read.
pub(crate) async fn snapshot(pool: &Pool<Db>) -> sqlx::Result<Transaction<'static, Db>> {
    let begin = match pool.connect_options().database_url.scheme() {
        "sqlite" => "begin",
        _ => postgres::BEGIN_SNAPSHOT,
    };
    let late = |_| sqlx::Error::PoolTimedOut;
    timeout(2 * PATIENCE, pool.begin_with(begin)).await.map_err(late)?
}

/// Statements without values and without rows.
pub(crate) async fn raw(connection: &mut Connection, sql: &'static str) -> Result<()> {
    match kind(connection) {
        Kind::Sqlite => {
            sqlx::raw_sql(sql).execute(connection).await?;
        }
        Kind::Postgres => postgres::raw(connection, sql).await?,
    }
    Ok(())
}

/// Begins the writer's transaction and keeps every other writer out of the database. Tells the time of the last commit
/// if another process may have made it.
pub(crate) async fn begin(connection: &mut Connection) -> Result<Option<Timestamp>> {
    match kind(connection) {
        // Takes the lock at once: a transaction that upgrades later can fail for a lock that it can't wait for.
        Kind::Sqlite => {
            sqlx::raw_sql("begin immediate").execute(connection).await?;
            Ok(None)
        }
        Kind::Postgres => postgres::begin(connection).await,
    }
}

/// Announces a commit to the other processes, in its own transaction. None: there are no others.
pub(crate) fn announcement(connection: &Connection, position: i64) -> Option<Statement> {
    match kind(connection) {
        Kind::Sqlite => None,
        Kind::Postgres => Some(postgres::announcement(position)),
    }
}

/// The name of the function that finds a text's position in a text, from 1.
pub(crate) fn position_function(connection: &Connection) -> &'static str {
    match kind(connection) {
        Kind::Sqlite => "instr",
        Kind::Postgres => "strpos",
    }
}

/// Runs statements one after the other, up to the first that fails. `rows` gets the rows that they return, `done` how
/// many rows each of them changed. `prepared` is there if this connection is the writer's.
pub(crate) async fn send(
    connection: &mut Connection,
    prepared: Option<&mut Prepared>,
    statements: &[Statement],
    rows: &mut Vec<Row>,
    done: &mut Vec<u64>,
) -> Result<()> {
    // PostgreSQL has no such text, and what one database refuses the other refuses as well.
    let has_nul = |value: &Value| matches!(value, Value::Text(text) if text.as_bytes().contains(&0));
    if statements.iter().flat_map(|statement| &statement.values).any(has_nul) {
        return Err(Error::refused("invalid", "a text can't contain the character U+0000"));
    }
    match kind(connection) {
        _ if statements.is_empty() => Ok(()),
        Kind::Sqlite => sqlite::send(connection, statements, rows, done).await,
        Kind::Postgres => postgres::send(connection, prepared, statements, rows, done).await,
    }
}

/// A statement's values, bound to the places of a query in this order.
fn bind<'q>(
    query: sqlx::query::Query<'q, Db, sqlx::any::AnyArguments>,
    values: Vec<Value>,
) -> sqlx::query::Query<'q, Db, sqlx::any::AnyArguments> {
    values.into_iter().fold(query, |query, value| match value {
        Value::NoText => query.bind(None::<String>),
        Value::NoInt => query.bind(None::<i64>),
        Value::NoDouble => query.bind(None::<f64>),
        Value::Text(text) => query.bind(text),
        Value::Int(int) => query.bind(int),
        Value::Double(double) => query.bind(double),
    })
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return match error {
                sqlx::Error::PoolTimedOut => Error::Busy,
                sqlx::Error::PoolClosed => Error::Closed,
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => {
                    Error::Unavailable(error.to_string())
                }
                _ => Error::Storage(error.to_string()),
            };
        };
        if database.is_unique_violation() {
            return Error::conflict("already_exists", "there is one already");
        }
        match database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            Some(error) => postgres::error(error),
            None => sqlite::error(database),
        }
    }
}
