//! What the files of a database still hold of rows that were deleted or changed.

use super::{Connection, Db, Kind, Row, kind};
use crate::{Error, Result};
use sqlx::{Row as _, pool::PoolConnection};
use std::time::Duration;
use tokio::time::sleep;

/// What remains where this program can't reach, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scrubbed {
    pub done: &'static str,
    pub remains: &'static str,
}

/// Old pages are kept up to the end of the oldest read, which may be an audit's.
const CHECKPOINTS: u32 = 120;
const PAUSE: Duration = Duration::from_millis(500);

/// Writes the tables that held personal data anew, without what is gone. Others wait meanwhile, for as long as it takes
/// to copy them.
pub(crate) async fn scrub(mut connection: PoolConnection<Db>) -> Result<Scrubbed> {
    let scrubbed = match kind(&connection) {
        Kind::Sqlite => sqlite(&mut connection).await,
        Kind::Postgres => postgres(&mut connection).await,
    };
    // It has settings that no other reader is to inherit.
    let _ = connection.close().await;
    scrubbed
}

/// A page may keep pieces of rows that were moved within it or away from it, even with `secure_delete`. So the whole
/// file is copied, which also goes through the write-ahead log, and that is emptied at last.
async fn sqlite(connection: &mut Connection) -> Result<Scrubbed> {
    // In memory, the copy would take as much of it as the file is large.
    run(connection, "pragma temp_store = file").await?;
    run(connection, "pragma secure_delete = on").await?;
    run(connection, "vacuum").await?;
    for _ in 0..CHECKPOINTS {
        let row: Row = sqlx::query("pragma wal_checkpoint(truncate)")
            .fetch_one(&mut *connection)
            .await?;
        if row.try_get::<i64, _>(0)? == 0 {
            return Ok(Scrubbed {
                done: "SQLite: the file was rebuilt (vacuum) and its write-ahead log emptied",
                remains: "copies of the file that were made before: until whoever made them deletes them",
            });
        }
        sleep(PAUSE).await;
    }
    Err(Error::Busy)
}

/// A plain vacuum frees rows without overwriting them.
async fn postgres(connection: &mut Connection) -> Result<Scrubbed> {
    run(connection, "set statement_timeout = 0").await?;
    // Whoever waits behind us waits no longer than this.
    run(connection, "set lock_timeout = '5s'").await?;
    for table in ["people", "person_keys", "idempotency_keys", "outbox"] {
        let sql = format!("vacuum (full) {table}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut *connection)
            .await?;
    }
    Ok(Scrubbed {
        done: "PostgreSQL: the tables people, person_keys, idempotency_keys and outbox were rewritten (vacuum full), and \
               the planner's statistics hold no samples of them",
        remains: "write-ahead log (pg_wal, whose files are used again later or never), replicas that lag, archives and \
                  backups of PostgreSQL: until the operator's retention of them ends; they hold the person's key as well. \
                  The server's own text log, which quotes a statement that failed with its values, unless the operator \
                  has set log_min_error_statement = panic",
    })
}

async fn run(connection: &mut Connection, sql: &'static str) -> Result<()> {
    sqlx::raw_sql(sql).execute(connection).await?;
    Ok(())
}
