//! Errors towards clients: RFC 9457 problem details. Every code stands in one table, with its status and title; an
//! error that is our fault is logged here, once, and tells the client nothing but its request id.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ingest::collector::CollectError;
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;

pub const PROBLEM_JSON: &str = "application/problem+json";

/// code, status, title
const CODES: &[(&str, u16, &str)] = &[
    ("invalid_body", 400, "The body can't be read"),
    ("invalid_parameter", 400, "A parameter is wrong"),
    ("invalid_sql", 400, "The query can't be run"),
    ("unauthenticated", 401, "Log in or send an API token"),
    ("wrong_credentials", 401, "E-mail address or password is wrong"),
    ("code_needed", 401, "A second factor's code is needed"),
    ("wrong_code", 401, "The code is wrong"),
    ("bad_signature", 401, "The signature is wrong"),
    ("csrf", 403, "The form's token is missing or wrong"),
    ("query_forbidden", 403, "This query is not allowed"),
    ("forbidden", 403, "Your role does not allow this"),
    ("not_found", 404, "There is no such thing"),
    ("method_not_allowed", 405, "This address does not take that method"),
    ("not_acceptable", 406, "No format that you accept is to be had"),
    (
        "request_in_progress",
        409,
        "The first request with this key is still running",
    ),
    ("conflict", 409, "The present state does not allow this"),
    ("body_too_large", 413, "The body is too large"),
    ("unsupported_media_type", 415, "This type of body is not taken here"),
    ("wrong_role", 421, "Another process is for this"),
    ("invalid_field", 422, "A field is wrong"),
    ("idempotency_key_reused", 422, "This key was used with another body"),
    ("too_many_requests", 429, "Too many requests"),
    ("locked_out", 429, "Too many attempts have failed"),
    ("internal", 500, "The server failed"),
    ("outcome_unknown", 500, "It is unknown whether this was done"),
    ("busy", 503, "The server is busy"),
    ("unavailable", 503, "The server can't serve this now"),
    ("disk_full", 507, "The disk is full"),
    ("timeout", 504, "The request took too long"),
    (
        "resources_exhausted",
        422,
        "The query needs more memory than it may use",
    ),
];

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:bilten:problem:` and the code.
    r#type: String,
    title: Cow<'static, str>,
    status: u16,
    /// Stable, for programs.
    pub code: Cow<'static, str>,
    /// For people: what is wrong and how to mend it.
    pub detail: String,
    /// The field that is wrong, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    #[serde(skip)]
    retry_after: Option<u64>,
    /// How many are allowed, and after how many seconds there are more.
    #[serde(skip)]
    rate_limit: Option<(u32, u64)>,
}

pub type Result<T, E = Problem> = std::result::Result<T, E>;

impl Problem {
    pub fn new(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        let code = code.into();
        let (status, title) = CODES
            .iter()
            .find(|(known, ..)| *known == code)
            .map_or((409, "The present state does not allow this"), |(_, status, title)| {
                (*status, *title)
            });
        Self {
            r#type: format!("urn:bilten:problem:{code}"),
            title: title.into(),
            status,
            code,
            detail: detail.into(),
            pointer: None,
            retry_after: (status == 503).then_some(1),
            rate_limit: None,
        }
    }

    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub fn rate_limit(mut self, limit: u32, reset_seconds: u64) -> Self {
        self.rate_limit = Some((limit, reset_seconds));
        self
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub fn not_found(what: &str) -> Self {
        Self::new("not_found", format!("there is no such {what}"))
    }

    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new("forbidden", detail)
    }

    pub fn invalid(pointer: &str, detail: impl ToString) -> Self {
        Self::new("invalid_field", detail.to_string()).at(pointer)
    }

    /// Our fault: the cause goes to the log, not to the client.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new("internal", "the cause is in the server's log, under this request's id")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retry_after, rate_limit) = (self.status(), self.retry_after, self.rate_limit);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some((limit, reset)) = rate_limit {
            headers.insert("ratelimit-limit", HeaderValue::from(limit));
            headers.insert("ratelimit-remaining", HeaderValue::from_static("0"));
            headers.insert("ratelimit-reset", HeaderValue::from(reset));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.detail, self.code)
    }
}

impl std::error::Error for Problem {}

impl From<transactional::Error> for Problem {
    fn from(error: transactional::Error) -> Self {
        use transactional::Error as E;
        match error {
            E::NotFound { what } => Self::not_found(&what),
            E::Refused(refusal) => Self::refused(422, refusal),
            E::Conflict(refusal) => Self::refused(409, refusal),
            E::Busy => Self::new("busy", "too many commands wait for the database; try again in a moment"),
            E::Full(_) => Self::new(
                "disk_full",
                "nothing was stored; free some space on the server's disk and try again",
            ),
            E::Unavailable(why) => {
                tracing::error!(%why, "the database can't be reached");
                let detail = "the database can't be reached at present; nothing was done, try again in a moment";
                Self::new("unavailable", detail)
            }
            E::Unknown => Self::new("outcome_unknown", E::Unknown.to_string()),
            E::Closed => Self::new("unavailable", "the server is stopping"),
            other => Self::internal(other),
        }
    }
}

impl Problem {
    /// A refusal by the core keeps its own code. Where the table knows the code, the table's status counts.
    fn refused(status: u16, refusal: transactional::Refusal) -> Self {
        let known = CODES.iter().any(|(code, ..)| *code == refusal.code);
        let mut problem = Self::new(refusal.code, refusal.message);
        if !known {
            problem.status = status;
            problem.title = if status == 422 {
                "This can't be accepted"
            } else {
                "The present state does not allow this"
            }
            .into();
        }
        problem.retry_after = refusal.retry_after_s.or(problem.retry_after);
        problem.pointer = refusal.field.map(|field| format!("/{}", field.trim_start_matches('/')));
        problem
    }
}

impl From<lakehouse::Error> for Problem {
    fn from(error: lakehouse::Error) -> Self {
        use lakehouse::ErrorKind as K;
        match error.kind() {
            K::Invalid => Self::new("invalid_sql", error.to_string()).at("/sql"),
            K::Forbidden => Self::new("query_forbidden", error.to_string()),
            K::Timeout => Self::new("timeout", error.to_string()),
            K::ResourcesExhausted => Self::new("resources_exhausted", error.to_string()),
            K::Busy => Self::new("busy", error.to_string()),
            K::Unavailable => {
                tracing::error!(%error, "the lake failed");
                Self::new("unavailable", "the lake can't answer now; the server's log tells why")
            }
        }
    }
}

impl From<ingest::LogError> for Problem {
    fn from(error: ingest::LogError) -> Self {
        use ingest::LogError as E;
        match error {
            E::Full { .. } => Self::new(
                "disk_full",
                "nothing was stored; free some space on the server's disk and try again",
            ),
            E::TooLarge { .. } => Self::new("body_too_large", error.to_string()),
            E::Closed => Self::new("unavailable", "the server is stopping"),
            other if other.is_transient() => {
                tracing::error!(error = %other, "the log failed");
                Self::new("unavailable", "the log can't take it now; send it again")
            }
            other => Self::internal(other),
        }
    }
}

impl From<CollectError> for Problem {
    fn from(error: CollectError) -> Self {
        match error {
            CollectError::TooLarge => Self::new("body_too_large", error.to_string()),
            CollectError::Malformed(_) => Self::new("invalid_body", error.to_string()),
            CollectError::Log(error) => error.into(),
            CollectError::Store(error) => error.into(),
            CollectError::Panicked => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn whoever_is_to_come_again_is_told_when() {
        let retry_after = |problem: Problem| {
            let response = problem.into_response();
            let header = response.headers().get(header::RETRY_AFTER)?;
            header.to_str().ok()?.parse::<u64>().ok()
        };
        let locked = transactional::Error::refused("locked_out", "wait").retry_after(Duration::from_millis(29_001));
        assert_eq!(retry_after(locked.into()), Some(30));
        for (code, ..) in CODES.iter().filter(|(_, status, _)| *status == 503) {
            assert_eq!(retry_after(Problem::new(*code, "busy")), Some(1), "{code}");
        }
        assert_eq!(retry_after(Problem::new("disk_full", "nobody knows when")), None);
    }
}
