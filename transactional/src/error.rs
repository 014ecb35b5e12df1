//! What can go wrong, said once for a person and once for a machine.

use domain::Invalid;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, time::Duration};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    #[error("there is no such {what}")]
    NotFound { what: Cow<'static, str> },
    /// A wrong value, or a rule of the business says no.
    #[error("{0}")]
    Refused(Refusal),
    /// The present state of a thing does not allow it, or the thing exists already.
    #[error("{0}")]
    Conflict(Refusal),
    #[error("too many commands are waiting; try again in a moment")]
    Busy,
    #[error("the disk of the database is full; free some space, nothing was lost: {0}")]
    Full(String),
    #[error("the database failed: {0}")]
    Storage(String),
    /// The database can't be reached. Nothing was done, so it is safe to try again.
    #[error("the database can't be reached at present; nothing was done, try again in a moment: {0}")]
    Unavailable(String),
    /// The connection broke at the commit, and no trace of the command tells whether it was made.
    #[error("the connection to the database broke at the commit: it is unknown whether this was done; look first")]
    Unknown,
    #[error("the command failed on a fault in this program; nothing of it was kept")]
    Panicked,
    #[error("the store is shutting down")]
    Closed,
}

/// A no with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: Cow<'static, str>,
    pub message: String,
    /// The input field that is wrong.
    pub field: Option<String>,
    /// In so many seconds the answer may be another one.
    #[serde(default)]
    pub retry_after_s: Option<u64>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    NotFound,
    Refused,
    Conflict,
    Busy,
    Full,
    Storage,
    Unavailable,
    Unknown,
    Panicked,
    Closed,
}

impl Error {
    pub fn not_found(what: &'static str) -> Self {
        Error::NotFound { what: what.into() }
    }

    pub fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Error::Refused(Refusal::new(code, message))
    }

    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Error::Conflict(Refusal::new(code, message))
    }

    /// Names the field that is wrong, if this is a refusal.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        if let Error::Refused(refusal) | Error::Conflict(refusal) = &mut self {
            refusal.field = Some(field.into());
        }
        self
    }

    /// Tells when it is worth asking again, if this is a refusal.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        if let Error::Refused(refusal) | Error::Conflict(refusal) = &mut self {
            refusal.retry_after_s = Some(wait.as_secs_f64().ceil() as u64);
        }
        self
    }

    pub fn kind(&self) -> Kind {
        match self {
            Error::NotFound { .. } => Kind::NotFound,
            Error::Refused(_) => Kind::Refused,
            Error::Conflict(_) => Kind::Conflict,
            Error::Busy => Kind::Busy,
            Error::Full(_) => Kind::Full,
            Error::Storage(_) => Kind::Storage,
            Error::Unavailable(_) => Kind::Unavailable,
            Error::Unknown => Kind::Unknown,
            Error::Panicked => Kind::Panicked,
            Error::Closed => Kind::Closed,
        }
    }

    /// The stable code for machines.
    pub fn code(&self) -> &str {
        match self {
            Error::NotFound { .. } => "not_found",
            Error::Refused(refusal) | Error::Conflict(refusal) => &refusal.code,
            Error::Busy => "busy",
            Error::Full(_) => "storage_full",
            Error::Storage(_) => "storage_failed",
            Error::Unavailable(_) => "storage_unavailable",
            Error::Unknown => "outcome_unknown",
            Error::Panicked => "internal",
            Error::Closed => "closed",
        }
    }

    pub(crate) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    pub(crate) fn from_json(text: &str) -> Result<Self> {
        Ok(serde_json::from_str(text)?)
    }

    /// The answer is about the request, so the same request gets it again.
    pub(crate) fn is_callers_fault(&self) -> bool {
        matches!(self.kind(), Kind::NotFound | Kind::Refused | Kind::Conflict)
    }
}

impl Refusal {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            field: None,
            retry_after_s: None,
        }
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Error::refused("invalid", invalid.0)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        // Its own words quote the value, which may be somebody's name.
        let (kind, line, column) = (error.classify(), error.line(), error.column());
        Error::Storage(format!(
            "a stored value can't be read: {kind:?} error at line {line}, column {column}"
        ))
    }
}
