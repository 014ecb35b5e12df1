use crate::{
    extract::{Id, Once},
    problem::{Problem, Result},
    resource::HoldResource,
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{EventId, HoldId, TicketTypeId};
use serde::Deserialize;
use std::sync::Arc;
use transactional::holds::{self, HoldRequest, LineRequest};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldInput {
    #[schema(value_type = String)]
    event_id: EventId,
    lines: Vec<LineInput>,
    #[schema(example = "EARLY-BIRD")]
    promo_code: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineInput {
    #[schema(value_type = String)]
    ticket_type_id: TicketTypeId,
    #[schema(minimum = 1)]
    quantity: i64,
}

/// Hold tickets for a buyer
///
/// The capacity is kept until `expires_at`. The hold's id is what a checkout needs, so a shop keeps it to itself.
#[utoipa::path(post, path = "/v1/holds", tag = "storefront", request_body = HoldInput, security(()),
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = HoldResource), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn place_hold(
    State(app): State<Arc<App>>,
    Once {
        body,
        key,
        request_hash,
    }: Once<HoldInput>,
) -> Result<(StatusCode, Json<HoldResource>)> {
    let lines = body
        .lines
        .into_iter()
        .map(|line| LineRequest {
            ticket_type_id: line.ticket_type_id,
            quantity: line.quantity,
        })
        .collect();
    let request = HoldRequest {
        event_id: body.event_id,
        lines,
        promo_code: body.promo_code,
    };
    let hold = app
        .write_once("holds", key, request_hash, "storefront".into(), move |tx| {
            Box::pin(async move { holds::place(tx, request).await })
        })
        .await?;
    Ok((StatusCode::CREATED, Json(hold.into())))
}

/// Show a hold
#[utoipa::path(get, path = "/v1/holds/{hold_id}", tag = "storefront", params(("hold_id" = String, Path)), security(()),
    responses((status = 200, body = HoldResource), (status = 404, body = Problem)))]
pub async fn show_hold(State(app): State<Arc<App>>, Id(hold_id): Id<HoldId>) -> Result<Json<HoldResource>> {
    Ok(Json(holds::get(&mut app.store.read().await?, hold_id).await?.into()))
}

/// Give a hold's tickets back
#[utoipa::path(delete, path = "/v1/holds/{hold_id}", tag = "storefront", params(("hold_id" = String, Path)), security(()),
    responses((status = 200, body = HoldResource), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn release_hold(State(app): State<Arc<App>>, Id(hold_id): Id<HoldId>) -> Result<Json<HoldResource>> {
    let hold = app
        .store
        .write("storefront", move |tx| {
            Box::pin(async move { holds::release(tx, hold_id).await })
        })
        .await?;
    Ok(Json(hold.into()))
}
