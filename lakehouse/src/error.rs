//! What can go wrong, told apart by what the caller can do about it.

use crate::fault::Fault;
use datafusion::error::DataFusionError;
use deltalake::{DeltaTableError, ObjectStoreError, datafusion::arrow::error::ArrowError};
use std::io;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The query is wrong.
    #[error(transparent)]
    InvalidQuery(Fault),
    /// The query is well-formed, but this principal may not run it.
    #[error("{0}")]
    Forbidden(String),
    #[error("the query ran longer than the limit of {0:?}; narrow it, or aggregate first")]
    Timeout(std::time::Duration),
    #[error("the query needs more memory than its limit allows; narrow it, or aggregate first ({0})")]
    ResourcesExhausted(String),
    #[error("too many queries are running; try again in a moment")]
    Busy,
    #[error("no space is left where the lake is stored; free some, and writing goes on by itself")]
    DiskFull,
    #[error("the lake is closed")]
    Closed,
    #[error("the lake is stored in a way this program can't read: {0}")]
    Unsupported(String),
    #[error("the lake can't be read or written: {0}")]
    Unavailable(String),
}

/// What to tell a client, without the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    Invalid,
    Forbidden,
    Timeout,
    ResourcesExhausted,
    Busy,
    Unavailable,
}

impl Error {
    pub fn invalid(why: impl Into<String>) -> Self {
        Error::InvalidQuery(Fault::new(why))
    }

    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::InvalidQuery(_) => ErrorKind::Invalid,
            Error::Forbidden(_) => ErrorKind::Forbidden,
            Error::Timeout(_) => ErrorKind::Timeout,
            Error::ResourcesExhausted(_) => ErrorKind::ResourcesExhausted,
            Error::Busy => ErrorKind::Busy,
            Error::DiskFull | Error::Closed | Error::Unsupported(_) | Error::Unavailable(_) => ErrorKind::Unavailable,
        }
    }

    /// An error met while storing: a full disk is told apart, because it mends itself.
    fn storing(error: &(dyn std::error::Error + 'static)) -> Self {
        if is_disk_full(error) {
            Error::DiskFull
        } else {
            Error::Unavailable(error.to_string())
        }
    }
}

fn is_disk_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let full = error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded));
        if full {
            return true;
        }
        cause = error.source();
    }
    // Parquet's errors keep the text of their cause, and not the cause.
    error.to_string().contains("No space left on device")
}

impl From<DeltaTableError> for Error {
    fn from(error: DeltaTableError) -> Self {
        Error::storing(&error)
    }
}

impl From<ObjectStoreError> for Error {
    fn from(error: ObjectStoreError) -> Self {
        Error::storing(&error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::storing(&error)
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        DataFusionError::from(error).into()
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => Error::ResourcesExhausted(error.strip_backtrace()),
            DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => Error::storing(error.find_root()),
            DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
                Some(Error::Forbidden(why)) => Error::Forbidden(why.clone()),
                Some(Error::InvalidQuery(fault)) => Error::InvalidQuery(fault.clone()),
                _ => Error::Unavailable(error.strip_backtrace()),
            },
            DataFusionError::Internal(_) | DataFusionError::ParquetError(_) => {
                Error::Unavailable(error.strip_backtrace())
            }
            // Planning errors, and values that an expression can't compute, such as 1/0: the query's fault.
            _ => Error::InvalidQuery(Fault::of(&error)),
        }
    }
}
