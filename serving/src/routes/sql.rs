use crate::{
    auth::Identity,
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
/// Answers JSON (an array of objects), CSV, an Arrow IPC stream, Parquet or a text table, by `Accept`. You see your
/// organizer's rows, as of one position that the header `Bilten-Position` names.
#[utoipa::path(post, path = "/v1/sql", tag = "lake", request_body = Query,
    responses((status = 200, description = "the rows", content(
        (Vec<serde_json::Value> = "application/json"), (String = "text/csv"), (String = "text/plain"),
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

/// The rows, with the position that they show.
pub(super) async fn respond(rows: QueryStream, (format, media_type): (Format, &'static str)) -> Result<Response> {
    let position = HeaderValue::from(rows.watermark());
    let mut response = Response::new(rows::body(rows, format).await?);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(POSITION, position);
    Ok(response)
}

/// The first format of the caller's list that we have.
pub(super) fn accepted(headers: &HeaderMap) -> Result<(Format, &'static str)> {
    const FORMATS: [(&str, Format); 5] = [
        ("application/json", Format::Json),
        ("text/csv", Format::Csv),
        ("application/vnd.apache.arrow.stream", Format::Arrow),
        ("application/vnd.apache.parquet", Format::Parquet),
        ("text/plain", Format::Table),
    ];
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("*/*");
    for wanted in accept
        .split(',')
        .map(|part| part.split(';').next().unwrap_or("").trim())
    {
        if wanted == "*/*" || wanted == "application/*" {
            return Ok((Format::Json, FORMATS[0].0));
        }
        if let Some((media_type, format)) = FORMATS.iter().find(|(media_type, _)| *media_type == wanted) {
            return Ok((*format, media_type));
        }
    }
    let known = FORMATS.map(|(media_type, _)| media_type).join(", ");
    Err(Problem::new("not_acceptable", format!("Accept names none of: {known}")))
}
