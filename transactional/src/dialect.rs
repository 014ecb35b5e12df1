//! The only file that knows which database it talks to. Everything else is SQL that SQLite and PostgreSQL share.

use crate::{
    Error, Result,
    error::Refusal,
    sql::{Statement, Value},
};
use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, Either, Executor};

/// The driver is chosen by the URL when a store is opened.
pub(crate) type Db = sqlx::Any;
pub(crate) type Connection = sqlx::AnyConnection;
pub(crate) type Row = sqlx::any::AnyRow;

/// Takes the write lock at once: a deferred transaction that upgrades later can fail for a lock it can't wait for.
pub(crate) const BEGIN_WRITE: &str = "begin immediate";

/// What every connection is told first. `full` makes an answered commit survive a power cut; 64 MB of cache hold the
/// hot part of the indexes.
pub(crate) const PRAGMAS: &str = "
    pragma journal_mode = wal;
    pragma synchronous = full;
    pragma busy_timeout = 10000;
    pragma foreign_keys = on;
    pragma cache_size = -65536;
    pragma temp_store = memory;
    pragma journal_size_limit = 67108864;
    pragma wal_autocheckpoint = 4000";

/// The position of a text in a text, from 1.
pub(crate) const POSITION: &str = "instr";

/// Makes a new database file that its owner alone can read, and gives the URL that opens it.
pub(crate) fn prepare(url: &str) -> Result<String> {
    let path = url
        .strip_prefix("sqlite://")
        .filter(|path| !path.is_empty() && !path.contains('?'))
        .ok_or_else(|| Error::refused("invalid_url", "a database URL has the form sqlite://PATH"))?;
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map_err(|error| Error::Storage(format!("can't open the database file {path}: {error}")))?;
    Ok(url.to_owned())
}

/// Runs statements one after the other, up to the first that fails. `rows` gets the rows that they return, `done` how
/// many rows each of them changed.
///
/// SQLite's driver runs on a thread of its own and takes several statements in one message, with one list of values:
/// a message costs some 10 µs, most statements less. Its `$1` is looked up by name, in time that grows with the square
/// of their number, so the places become `?` here and the values follow in the order of the text.
pub(crate) async fn send(
    connection: &mut Connection,
    statements: &[Statement],
    rows: &mut Vec<Row>,
    done: &mut Vec<u64>,
) -> Result<()> {
    if statements.is_empty() {
        return Ok(());
    }
    let (mut text, mut values) = (String::new(), Vec::new());
    for statement in statements {
        if !text.is_empty() {
            text.push_str("; ");
        }
        positional(statement, &mut text, &mut values);
    }
    let query = values
        .into_iter()
        .fold(sqlx::query(AssertSqlSafe(text)), |query, value| match value {
            Value::NoText => query.bind(None::<String>),
            Value::NoInt => query.bind(None::<i64>),
            Value::NoDouble => query.bind(None::<f64>),
            Value::Text(text) => query.bind(text),
            Value::Int(int) => query.bind(int),
            Value::Double(double) => query.bind(double),
        });
    let mut results = connection.fetch_many(query);
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

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return match error {
                sqlx::Error::PoolTimedOut => Error::Busy,
                sqlx::Error::PoolClosed => Error::Closed,
                _ => Error::Storage(error.to_string()),
            };
        };
        if database.is_unique_violation() {
            return Error::Conflict(Refusal::new("already_exists", "there is one already"));
        }
        let code = database.code().and_then(|code| code.parse::<u32>().ok());
        match code.map(|code| code & 0xff) {
            Some(FULL) => Error::Full(database.message().to_owned()),
            Some(BUSY | LOCKED) => Error::Busy,
            _ => Error::Storage(database.message().to_owned()),
        }
    }
}
