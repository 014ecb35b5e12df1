use super::sql::POSITION;
use crate::{
    auth::Identity,
    exports::{self, Export},
    problem::{Problem, Result},
    wiring::App,
};
use axum::{
    extract::{Path, State},
    http::{HeaderValue, header},
    response::Response,
};
use domain::EventId;
use std::sync::Arc;
use transactional::events;

/// Export an event's orders, tickets or check-ins
///
/// `orders`, `tickets` or `check-ins`, as `.csv`, `.xlsx` or `.parquet`. Names and addresses of people are there for who
/// may read orders. In CSV and XLSX an amount stands in decimal beside its minor units, and a text that a spreadsheet
/// would run begins with an apostrophe.
#[utoipa::path(get, path = "/v1/events/{event_id}/exports/{file}", tag = "orders",
    params(("event_id" = String, Path), ("file" = String, Path, example = "orders.csv")),
    responses((status = 200, description = "the file", content(
        (String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (Vec<u8> = "application/vnd.apache.parquet"))),
        (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn export(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path((event_id, file)): Path<(String, String)>,
) -> Result<Response> {
    let event_id: EventId = event_id
        .parse()
        .map_err(|error| Problem::new("invalid_parameter", format!("in the path: {error}")))?;
    let export: Export = file.parse()?;
    let event = events::get(&mut app.store.read().await?, event_id).await?;
    let principal = identity.principal(Some(event.organizer_id))?;
    let (body, position) = exports::body(&app, &principal, event_id, export).await?;
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(export.format.media_type()),
    );
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{file}\""));
    headers.insert(header::CONTENT_DISPOSITION, disposition.map_err(Problem::internal)?);
    headers.insert(POSITION, HeaderValue::from(position));
    Ok(response)
}
