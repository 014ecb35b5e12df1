//! What went wrong, as PostgreSQL says it. Our own code stands in the detail.

use crate::problem::Problem;
use lakehouse::Error;
use pgwire::error::{ErrorInfo, PgWireError};

fn refuse(severity: &str, problem: &Problem) -> ErrorInfo {
    let state = match problem.code.as_ref() {
        "invalid_sql" => "42601",
        "query_forbidden" | "forbidden" | "not_found" => "42501",
        "invalid_field" => "22023",
        "timeout" => "57014",
        "resources_exhausted" => "53200",
        "busy" | "too_many_requests" => "53300",
        "unauthenticated" => "28P01",
        "unavailable" => "58000",
        "invalid_body" => "08P01",
        _ => "XX000",
    };
    let mut info = ErrorInfo::new(severity.to_owned(), state.to_owned(), problem.detail.clone());
    info.detail = Some(format!("code {}", problem.code));
    info
}

/// The statement has failed.
pub(super) fn error(problem: impl Into<Problem>) -> PgWireError {
    PgWireError::UserError(Box::new(refuse("ERROR", &problem.into())))
}

/// The connection ends.
pub(super) fn fatal(problem: impl Into<Problem>) -> PgWireError {
    PgWireError::UserError(Box::new(refuse("FATAL", &problem.into())))
}

/// What only this protocol knows.
pub(super) fn said(state: &str, message: &str) -> Box<ErrorInfo> {
    Box::new(ErrorInfo::new("ERROR".to_owned(), state.to_owned(), message.to_owned()))
}

/// The same, and the connection ends.
pub(super) fn ended(mut info: Box<ErrorInfo>) -> PgWireError {
    info.severity = "FATAL".to_owned();
    PgWireError::UserError(info)
}

pub(super) fn stopping() -> PgWireError {
    ended(said("57P01", "the server is stopping"))
}

/// The lake has refused a statement; the place is one in the text that the client has sent.
pub(super) fn failed(failure: Error, sent: &str) -> PgWireError {
    let Error::InvalidQuery(fault) = &failure else {
        return error(failure);
    };
    let (state, place) = (fault.state, fault.at.and_then(|at| position(sent, at)));
    let mut info = refuse("ERROR", &failure.into());
    info.code = state.to_owned();
    info.position = place.map(|place| place.to_string());
    PgWireError::UserError(Box::new(info))
}

/// Characters from the beginning, from 1.
fn position(sql: &str, (line, column): (usize, usize)) -> Option<usize> {
    let before = sql.split_inclusive('\n').take(line.checked_sub(1)?);
    let place = before.map(|line| line.chars().count()).sum::<usize>() + column;
    (place <= sql.chars().count() + 1).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_characters_over_lines() {
        assert_eq!(position("select 'ü',\n  nope", (2, 3)), Some(15));
        assert_eq!(position("select", (1, 7)), Some(7));
        assert_eq!(position("select", (2, 1)), Some(7));
        assert_eq!(position("select", (1, 9)), None);
    }
}
