//! SQLite: a file of this process's own.

use super::{Connection, Row};
use crate::{
    Error, Result,
    sql::{Statement, Value},
};
use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, Either, Executor, any::AnyConnectOptions, error::DatabaseError};

/// What every connection is told first. `full` makes an answered commit survive a power cut; 64 MB of cache hold the
/// hot part of the indexes.
pub(super) const SETTINGS: &str = "
    pragma journal_mode = wal;
    pragma synchronous = full;
    pragma busy_timeout = 10000;
    pragma foreign_keys = on;
    pragma cache_size = -65536;
    pragma temp_store = memory;
    pragma journal_size_limit = 67108864;
    pragma wal_autocheckpoint = 4000";

/// Makes a new database file that its owner alone can read.
pub(super) fn prepare(url: &str) -> Result<AnyConnectOptions> {
    let path = url
        .strip_prefix("sqlite://")
        .filter(|path| !path.is_empty() && !path.contains('?'))
        .ok_or_else(|| {
            Error::refused(
                "invalid_url",
                "the URL of an SQLite database has the form sqlite://PATH",
            )
        })?;
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map_err(|error| Error::Storage(format!("can't open the database file {path}: {error}")))?;
    Ok(url.parse()?)
}

/// SQLite's driver runs on a thread of its own and takes several statements in one message, with one list of values:
/// a message costs some 10 µs, most statements less. Its `$1` is looked up by name, in time that grows with the square
/// of their number, so the places become `?` here and the values follow in the order of the text.
pub(super) async fn send(
    connection: &mut Connection,
    statements: &[Statement],
    rows: &mut Vec<Row>,
    done: &mut Vec<u64>,
) -> Result<()> {
    let (mut text, mut values) = (String::new(), Vec::new());
    for statement in statements {
        if !text.is_empty() {
            text.push_str("; ");
        }
        positional(statement, &mut text, &mut values);
    }
    let mut results = connection.fetch_many(super::bind(sqlx::query(AssertSqlSafe(text)), values));
    while let Some(result) = results.try_next().await? {
        match result {
            Either::Left(result) => done.push(result.rows_affected()),
            Either::Right(row) => rows.push(row),
        }
    }
    Ok(())
}

fn positional(statement: &Statement, text: &mut String, values: &mut Vec<Value>) {
    let mut parts = statement.text.as_str().split('$');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let value = part[..digits]
            .parse::<usize>()
            .ok()
            .and_then(|place| statement.values.get(place.wrapping_sub(1)));
        values.push(value.cloned().unwrap_or(Value::NoText));
        text.push('?');
        text.push_str(&part[digits..]);
    }
}

/// SQLite's result code, in its low byte; the rest says more about it.
const FULL: u32 = 13;
const BUSY: u32 = 5;
const LOCKED: u32 = 6;

pub(super) fn error(error: &dyn DatabaseError) -> Error {
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    match code.map(|code| code & 0xff) {
        Some(FULL) => Error::Full(error.message().to_owned()),
        Some(BUSY | LOCKED) => Error::Busy,
        _ => Error::Storage(error.message().to_owned()),
    }
}
