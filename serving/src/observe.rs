//! What surrounds every request: its id, its span, its figures, and the end of its patience.

use crate::{problem::Problem, telemetry};
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::{Instrument, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use transactional::correlation::{self, Correlation};
use uuid::Uuid;

/// Longer than a query may run, so that the query's own limit speaks first.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// It is kept with every change that the request makes.
const LONGEST_REQUEST_ID: usize = 128;

/// Gives a request its id, follows it in log and trace, counts and times its answer, and ends what takes too long.
/// The state is the process's role.
pub async fn observe(State(role): State<Arc<str>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let id_text = id.to_str().unwrap_or_default().to_owned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    // Not the path as it was asked for: it names people's orders, and there is no end of it.
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = method_name(request.method());
    let span = tracing::info_span!(
        "request",
        method,
        route,
        request_id = id_text,
        role = &*role,
        status = Empty,
        otel.name = Empty,
        otel.kind = Empty,
        otel.status_code = Empty,
    );
    let came_with = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    // What the request's commands change carries both, up to the rows of the lake.
    let correlation = Correlation {
        traceparent: trace(&span, method, &route, came_with),
        correlation_id: Some(id_text),
    };
    let _in_flight = InFlight::begin();
    let answer = tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).instrument(span.clone());
    let mut response = match correlation::with(correlation, answer).await {
        Ok(response) => response,
        Err(_) => Problem::new("timeout", format!("it took more than {REQUEST_TIMEOUT:?}")).into_response(),
    };
    let status = response.status();
    span.record("status", status.as_u16());
    if status.is_server_error() && telemetry::is_tracing() {
        span.record("otel.status_code", "error");
    }
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    response.headers_mut().insert(REQUEST_ID, id);
    let took = started.elapsed();
    span.in_scope(|| tracing::debug!(took_ms = took.as_millis() as u64, "answered"));
    count(method, route, status.as_u16(), took);
    response
}

/// The client's own id if it can stand in a log and a table as it is, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sane = |id: &&HeaderValue| {
        let length = id.as_bytes().len();
        (1..=LONGEST_REQUEST_ID).contains(&length) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    let new = || HeaderValue::from_str(&Uuid::now_v7().to_string());
    let given = headers.get(REQUEST_ID).filter(sane).cloned();
    given.or_else(|| new().ok()).unwrap_or(HeaderValue::from_static("none"))
}

/// Anybody may invent a method, and each would be a figure of its own.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Joins the client's trace, and says under which parent what the request causes goes on. A process that sends no
/// traces hands the client's on to those that do.
fn trace(span: &Span, method: &'static str, route: &str, came_with: Option<&str>) -> Option<String> {
    if !telemetry::is_tracing() {
        return came_with
            .filter(|parent| ingest::trace::is_well_formed(parent))
            .map(str::to_owned);
    }
    span.record("otel.kind", "server");
    span.record("otel.name", format!("{method} {route}"));
    if let Some(parent) = came_with {
        ingest::trace::continue_trace(span, parent);
    }
    span.set_attribute("http.request.method", method);
    span.set_attribute("http.route", route.to_owned());
    ingest::trace::traceparent(span)
}

fn count(method: &'static str, route: String, status: u16, took: Duration) {
    metrics::histogram!("bilten_http_request_duration_seconds", "method" => method, "route" => route.clone())
        .record(took.as_secs_f64());
    metrics::counter!("bilten_http_requests_total", "method" => method, "route" => route, "status" => status.to_string())
        .increment(1);
}

/// Counts down however the request ends, also when its client goes away.
struct InFlight(metrics::Gauge);

impl InFlight {
    fn begin() -> Self {
        let gauge = metrics::gauge!("bilten_http_requests_in_flight");
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_own_id_counts_if_it_is_sane() {
        let given = |id: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(id).unwrap());
            request_id(&headers)
        };
        assert_eq!(given(b"abc-1"), "abc-1");
        let longest = [b'x'; LONGEST_REQUEST_ID];
        assert_eq!(given(&longest), std::str::from_utf8(&longest).unwrap());
        for odd in [
            b"".as_slice(),
            b"two words",
            b"\xc3\xa4",
            b"tab\tbed",
            &[b'x'; LONGEST_REQUEST_ID + 1],
        ] {
            let made = given(odd);
            assert!(
                Uuid::parse_str(made.to_str().unwrap()).is_ok(),
                "{odd:?} became {made:?}"
            );
        }
        assert!(Uuid::parse_str(request_id(&HeaderMap::new()).to_str().unwrap()).is_ok());
    }

    #[test]
    fn a_method_that_somebody_invented_is_no_figure_of_its_own() {
        assert_eq!(method_name(&Method::POST), "POST");
        assert_eq!(method_name(&Method::from_bytes(b"BREW").unwrap()), "other");
    }
}
