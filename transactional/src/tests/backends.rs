//! The databases that the suite runs on.

use sqlx::{AssertSqlSafe, Connection as _, Executor, postgres::PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// A new, empty database for one test. It goes with the value.
pub(super) trait Backend {
    async fn create() -> Self;

    fn url(&self) -> String;
}

pub(super) struct Sqlite(TempDir);

impl Sqlite {
    pub(super) fn folder(&self) -> &std::path::Path {
        self.0.path()
    }
}

impl Backend for Sqlite {
    async fn create() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.0.path().join("core.db").display())
    }
}

/// A database on the server that `BILTEN_TEST_POSTGRES` names.
pub(super) enum Postgres {
    On {
        server: String,
        name: String,
    },
    /// Without servers, as `BILTEN_EMBEDDED=1` asks for, a test of the suite runs on SQLite once more.
    LeftOut(Sqlite),
}

/// The URL of the server; None if tests that need it are to be left out.
pub(super) fn server() -> Option<String> {
    match std::env::var("BILTEN_TEST_POSTGRES") {
        Ok(server) => Some(server),
        Err(_) if std::env::var("BILTEN_EMBEDDED").is_ok_and(|value| value == "1") => {
            println!("left out: it needs PostgreSQL, and BILTEN_EMBEDDED=1 leaves the servers out");
            None
        }
        Err(_) => panic!(
            "this test needs PostgreSQL: run `make test`, or start the servers of tests/services and set \
             BILTEN_TEST_POSTGRES; BILTEN_EMBEDDED=1 leaves such tests out"
        ),
    }
}

impl Postgres {
    /// As [`Backend::create`], for a test that makes no sense elsewhere.
    pub(super) async fn on_server() -> Option<Self> {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let server = server()?;
        let number = LAST.fetch_add(1, Ordering::SeqCst);
        let name = format!("bilten_test_{}_{number}", std::process::id());
        // One that was left over by a killed run with the same number goes first.
        administer(
            &server,
            &[
                format!("drop database if exists {name} with (force)"),
                format!("create database {name}"),
            ],
        )
        .await;
        Some(Self::On { server, name })
    }

    /// Ends all connections to this database whose application has this name; returns how many there were.
    pub(super) async fn cut(&self, application: &str) -> u64 {
        let Self::On { server, name } = self else { return 0 };
        let sql = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = '{name}' and application_name = '{application}'"
        );
        administer(server, &[sql]).await
    }
}

impl Backend for Postgres {
    async fn create() -> Self {
        match Self::on_server().await {
            Some(database) => database,
            None => Self::LeftOut(Sqlite::create().await),
        }
    }

    fn url(&self) -> String {
        match self {
            Self::On { server, name } => {
                let (rest, query) = server.split_once('?').unwrap_or((server, ""));
                let base = rest.rsplit_once('/').map_or(rest, |(base, _)| base);
                format!("{base}/{name}?{query}")
            }
            Self::LeftOut(sqlite) => sqlite.url(),
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Self::On { server, name } = self else { return };
        let (server, sql) = (server.clone(), format!("drop database if exists {name} with (force)"));
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(administer(&server, &[sql]))
        });
        let _ = dropping.join();
    }
}

/// Runs statements on the server's own database; returns how many rows the last one gave or changed.
async fn administer(server: &str, statements: &[String]) -> u64 {
    let mut connection = PgConnection::connect(server).await.unwrap();
    let mut rows = 0;
    for sql in statements {
        let done = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.clone()))).await;
        rows = done.unwrap().rows_affected();
    }
    connection.close().await.unwrap();
    rows
}
