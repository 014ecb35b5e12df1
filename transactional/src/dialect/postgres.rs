//! PostgreSQL: a server that several processes write to, and that may go away and come back.

mod batch;
mod follow;

pub(crate) use batch::Prepared;
pub(crate) use follow::advance;
pub(super) use follow::{announcement, follow_commits};

use super::{Columns, Connection, Row};
use crate::{Error, Result, sql::Statement};
use domain::Timestamp;
use futures::TryStreamExt;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Either, Executor,
    any::AnyConnectOptions,
    postgres::{PgConnectOptions, PgDatabaseError},
};
use std::time::Duration;
use tokio::time::timeout;

/// What the writer's connection is told first.
///
/// A writer that stands still inside a transaction, or whose machine is gone, keeps all others out. So the server ends
/// it after some seconds: by the keepalives, the idle timeout or the statement timeout, whichever sees it first. Others
/// wait longer for the lock than a transaction may be idle.
///
/// Plans are made once: the writer's statements find their rows by keys, whatever the values. While the tables are
/// still small, other plans look as cheap, such as one that reads all people of an index to find one; such a plan must
/// not be the one that is kept. So nothing but nested loops over indexes is left to choose from where there is an
/// index. Nothing of a plan is compiled: that takes longer than any of these statements runs.
pub(super) const WRITER_SETTINGS: &str = "
    set application_name = 'bilten writer';
    set synchronous_commit = on;
    set standard_conforming_strings = on;
    set lock_timeout = '8s';
    set statement_timeout = '10s';
    set idle_in_transaction_session_timeout = '5s';
    set tcp_keepalives_idle = 5;
    set tcp_keepalives_interval = 2;
    set tcp_keepalives_count = 3;
    set plan_cache_mode = force_generic_plan;
    set enable_seqscan = off;
    set enable_bitmapscan = off;
    set enable_hashjoin = off;
    set enable_mergejoin = off;
    set enable_material = off;
    set jit = off";

/// A reader's limits are wide, since it holds nobody up; but no snapshot stays for ever, or old rows would as well.
pub(super) const READER_SETTINGS: &str = "
    set application_name = 'bilten reader';
    set jit = off;
    set statement_timeout = '60s';
    set idle_in_transaction_session_timeout = '10min';
    set tcp_keepalives_idle = 30;
    set tcp_keepalives_interval = 10;
    set tcp_keepalives_count = 3";

pub(super) const BEGIN_SNAPSHOT: &str = "begin isolation level repeatable read, read only";

/// Longer than the server lets any statement run. No answer by then: it is not there any more.
const WRITER_DEADLINE: Duration = Duration::from_secs(12);
const READER_DEADLINE: Duration = Duration::from_secs(65);

pub(super) fn options(url: &str) -> Result<AnyConnectOptions> {
    let invalid = |error: sqlx::Error| {
        let message = format!("this is no URL of a PostgreSQL database: {error}");
        Error::refused("invalid_url", message)
    };
    let options: AnyConnectOptions = url.parse().map_err(invalid)?;
    url.parse::<PgConnectOptions>().map_err(invalid)?;
    // The text of the writer's messages contains what people typed, and must not stand in a log.
    Ok(options.disable_statement_logging())
}

/// Texts are compared byte by byte, as SQLite does: the order of ids is that of every other engine, and an upgrade of
/// the server's locales can't put its indexes out of order.
pub(super) fn ddl(sql: &str) -> String {
    let line = |line: &str| match line.trim_start().starts_with("--") {
        true => line.to_owned(),
        false => line.replace(" text", " text collate \"C\""),
    };
    sql.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The server samples the values of each column for its planner, and keeps samples in a catalog of its own, where they
/// outlive the rows and no owner of a database can delete them. So of columns that tell of people it takes none. To give
/// a column the type that it has costs nothing, and drops the samples that were taken before this was said.
///
/// No plan misses them: these columns are found by unique indexes or by nothing.
pub(super) const NO_SAMPLES: &str = r#"
    do $$
    declare
        told constant text[] := array['people.email', 'people.name', 'people.phone', 'person_keys.key',
                                      'idempotency_keys.response', 'outbox.payload'];
        sampled record;
    begin
        if not exists (select from pg_attribute where attrelid::regclass || '.' || attname = any (told)
                       and coalesce(attstattarget, -1) <> 0) then
            return;
        end if;
        perform pg_advisory_xact_lock(4815162342);
        for sampled in select attrelid::regclass as of, attname as name from pg_attribute
                       where attrelid::regclass || '.' || attname = any (told) and coalesce(attstattarget, -1) <> 0
        loop
            execute format('alter table %1$s alter %2$I type text collate "C", alter %2$I set statistics 0',
                           sampled.of, sampled.name);
        end loop;
    end $$"#;

/// Commands were written for one writer at a time. The lock is held up to the end of the transaction, however it ends;
/// so whoever has it knows that the writer before has committed or never will.
///
/// The number is arbitrary; it must only be the same in all processes, and not sqlx's, which guards migrations.
const BEGIN: &str = "
    begin;
    select pg_advisory_xact_lock(4815162342);
    select at from positions where name = 'committed'";

/// The time of the last commit comes along: another process's clock may be ahead of ours, and times must not go back.
pub(super) async fn begin(connection: &mut Connection) -> Result<Option<Timestamp>> {
    let begun = in_time(WRITER_DEADLINE, async {
        Ok(connection.fetch_all(sqlx::raw_sql(BEGIN)).await?)
    });
    begun.await?.last().map(|row| row.time("at")).transpose()
}

/// Statements without values and without rows, for the writer.
pub(super) async fn raw(connection: &mut Connection, sql: &'static str) -> Result<()> {
    in_time(WRITER_DEADLINE, async {
        connection.execute(sqlx::raw_sql(sql)).await?;
        Ok(())
    })
    .await
}

/// A writer's statements go together, in one message. A reader has but one, and its values are bound to it.
pub(super) async fn send(
    connection: &mut Connection,
    prepared: Option<&mut Prepared>,
    statements: &[Statement],
    rows: &mut Vec<Row>,
    done: &mut Vec<u64>,
) -> Result<()> {
    if let Some(prepared) = prepared {
        return in_time(
            WRITER_DEADLINE,
            batch::send(connection, prepared, statements, rows, done),
        )
        .await;
    }
    for statement in statements {
        let query = sqlx::query(AssertSqlSafe(statement.text.as_str().to_owned()));
        let mut results = connection.fetch_many(super::bind(query, statement.values.clone()));
        in_time(READER_DEADLINE, async {
            while let Some(result) = results.try_next().await? {
                match result {
                    Either::Left(result) => done.push(result.rows_affected()),
                    Either::Right(row) => rows.push(row),
                }
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn in_time<T>(deadline: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Error::Unavailable("it does not answer any more".into());
    timeout(deadline, work).await.map_err(late)?
}

pub(super) fn error(error: &PgDatabaseError) -> Error {
    let message = error.message().to_owned();
    match error.code() {
        // 53100 disk full
        "53100" => Error::Full(message),
        // lock not available; statement timeout; deadlock; serialization failure
        "55P03" | "57014" | "40P01" | "40001" => Error::Busy,
        // The server stops, starts, has crashed or has ended this connection; it takes no more connections; it has
        // become a standby, which can't be written to; it has no room for another connection.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25006" | "53300" => Error::Unavailable(message),
        code if code.starts_with("08") => Error::Unavailable(message),
        _ => Error::Storage(message),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn texts_of_tables_are_compared_byte_by_byte_and_comments_stay() {
        let sql = "-- a text\ncreate table t (\n    a text primary key,\n    b text);";
        let expected = "-- a text\ncreate table t (\n    a text collate \"C\" primary key,\n    b text collate \"C\");";
        assert_eq!(super::ddl(sql), expected);
    }
}
