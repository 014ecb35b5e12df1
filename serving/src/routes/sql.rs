use crate::{
    auth::Identity,
    exports,
    extract::Body,
    problem::{Problem, Result},
    rows::{self, Format},
    wiring::App,
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
};
use domain::OrganizerId;
use lakehouse::QueryStream;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The position in the order of changes that an answer shows: everything up to it, nothing after it.
pub(super) const POSITION: HeaderName = HeaderName::from_static("bilten-position");

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// One statement that reads. Schemas: `lake` (the default), `staging`, `marts`, `system`.
    #[schema(example = "select status, count(*) from orders group by status")]
    sql: String,
    /// Whose rows; needed by who belongs to several organizers. The platform sees all without it.
    #[schema(value_type = Option<String>)]
    organizer_id: Option<OrganizerId>,
}

/// Query the lake
///
/// Answers JSON (an array of objects), CSV, XLSX, an Arrow IPC stream, Parquet or a text table, by `Accept`. CSV has texts
/// as they are; `text/csv; for=spreadsheet` and XLSX are safe to open where texts may be formulas. You see your
/// organizer's rows, as of one position that the header `Bilten-Position` names.
#[utoipa::path(post, path = "/v1/sql", tag = "lake", request_body = Query,
    responses((status = 200, description = "the rows", content(
        (Vec<serde_json::Value> = "application/json"), (String = "text/csv"), (String = "text/plain"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"), (Vec<u8> = "application/vnd.apache.parquet"))),
        (status = 400, body = Problem), (status = 403, body = Problem), (status = 504, body = Problem)))]
pub async fn query(
    State(app): State<Arc<App>>,
    identity: Identity,
    headers: HeaderMap,
    Body(query): Body<Query>,
) -> Result<Response> {
    let accepted = accepted(&headers)?;
    let answer = app.session_for(&identity, query.organizer_id)?.sql(&query.sql).await?;
    respond(answer, accepted).await
}

/// How rows are written: as they are, or so that a spreadsheet takes no text for a formula.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Written {
    Rows(Format),
    Spreadsheet(exports::Format),
}

/// The rows, with the position that they show.
pub(super) async fn respond(rows: QueryStream, (written, media_type): (Written, &'static str)) -> Result<Response> {
    let position = HeaderValue::from(rows.watermark());
    let body = match written {
        Written::Rows(format) => rows::body(rows, format).await?,
        Written::Spreadsheet(format) => exports::written(rows, format).await?,
    };
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(POSITION, position);
    Ok(response)
}

/// The first format of the caller's list that we have.
pub(super) fn accepted(headers: &HeaderMap) -> Result<(Written, &'static str)> {
    const FORMATS: [(&str, Written); 7] = [
        ("application/json", Written::Rows(Format::Json)),
        ("text/csv", Written::Rows(Format::Csv)),
        ("text/csv; for=spreadsheet", Written::Spreadsheet(exports::Format::Csv)),
        (exports::XLSX, Written::Spreadsheet(exports::Format::Xlsx)),
        ("application/vnd.apache.arrow.stream", Written::Rows(Format::Arrow)),
        ("application/vnd.apache.parquet", Written::Rows(Format::Parquet)),
        ("text/plain", Written::Rows(Format::Table)),
    ];
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("*/*");
    for part in accept.split(',').map(str::trim) {
        let plain = part.split(';').next().unwrap_or("").trim();
        if plain == "*/*" || plain == "application/*" {
            return Ok((FORMATS[0].1, FORMATS[0].0));
        }
        let named = |name: &str| FORMATS.iter().find(|(media_type, _)| *media_type == name);
        if let Some((media_type, written)) = named(part).or_else(|| named(plain)) {
            return Ok((*written, media_type));
        }
    }
    let known = FORMATS.map(|(media_type, _)| media_type).join(", ");
    Err(Problem::new("not_acceptable", format!("Accept names none of: {known}")))
}
