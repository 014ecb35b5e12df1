//! The only file that knows which database it talks to. Everything else is SQL that SQLite and PostgreSQL share.

use crate::{Error, Result, error::Refusal};

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
