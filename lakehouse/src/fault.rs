//! What is wrong with a query: in words, by the code that the SQL standard has for it, and where.

use arrow::error::ArrowError;
use datafusion::{common::SchemaError, error::DataFusionError, sql::sqlparser::parser::ParserError};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub message: String,
    /// SQLSTATE
    pub state: &'static str,
    /// Line and column in the query's text, each from 1.
    pub at: Option<(usize, usize)>,
}

const SYNTAX: &str = "42601";
const NOT_ALLOWED: &str = "42000";
const BAD_DATA: &str = "22000";

/// Where the parser says in its message that it stopped.
const AT: &str = " at Line: ";

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            state: NOT_ALLOWED,
            at: None,
        }
    }

    pub(crate) fn of(error: &DataFusionError) -> Self {
        let root = error.find_root();
        let message = match root {
            DataFusionError::SQL(error, _) => said(error),
            DataFusionError::Plan(why) | DataFusionError::Execution(why) | DataFusionError::NotImplemented(why) => {
                why.clone()
            }
            root => root.strip_backtrace(),
        };
        let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
        let seen = span.map(|span| (span.start.line as usize, span.start.column as usize));
        Self {
            state: state(root, &message),
            at: seen.or_else(|| stopped(&message)),
            message,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// The parser's words, without its type's.
fn said(error: &ParserError) -> String {
    match error {
        ParserError::TokenizerError(why) | ParserError::ParserError(why) => why.clone(),
        ParserError::RecursionLimitExceeded => "the query is nested too deeply".to_owned(),
    }
}

fn state(root: &DataFusionError, message: &str) -> &'static str {
    match root {
        DataFusionError::SQL(..) => SYNTAX,
        DataFusionError::NotImplemented(_) => "0A000",
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { .. } => "42703",
            SchemaError::AmbiguousReference { .. } => "42702",
            _ => "42701",
        },
        DataFusionError::Plan(_) if message.starts_with("table '") => "42P01",
        DataFusionError::Plan(_) if message.starts_with("Invalid function '") => "42883",
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            ArrowError::DivideByZero => "22012",
            ArrowError::ArithmeticOverflow(_) => "22003",
            ArrowError::CastError(_) | ArrowError::ParseError(_) => "22P02",
            _ => BAD_DATA,
        },
        DataFusionError::Execution(_) => BAD_DATA,
        _ => NOT_ALLOWED,
    }
}

fn stopped(message: &str) -> Option<(usize, usize)> {
    let (_, place) = message.rsplit_once(AT)?;
    let (line, column) = place.split_once(", Column: ")?;
    Some((line.parse().ok()?, column.trim().parse().ok()?))
}
