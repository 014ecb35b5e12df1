use super::events::require_event;
use crate::{
    auth::Identity,
    extract::{Id, Once},
    problem::{Problem, Result},
    view::Moment,
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{EventId, role::Permission};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::payments::event_refunds::{self, EventRefunds};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventRefundsInput {}

/// How far a cancelled event's refunds have come.
#[derive(Serialize, ToSchema)]
pub struct EventRefundsView {
    event_id: String,
    asked_at: Moment,
    /// None: there is something left to do.
    finished_at: Option<Moment>,
    /// Orders that are not cancelled yet.
    #[schema(minimum = 0)]
    orders_left: i64,
}

impl From<EventRefunds> for EventRefundsView {
    fn from(refunds: EventRefunds) -> Self {
        Self {
            event_id: refunds.event_id.to_string(),
            asked_at: Moment(refunds.asked_at),
            finished_at: refunds.finished_at.map(Moment),
            orders_left: refunds.orders_left,
        }
    }
}

/// Give all money of a cancelled event back
///
/// Every order of it is cancelled, what is left of its payment goes back, and its buyer is told by mail. It goes on after
/// the answer, a few orders at a time; asked again, it tells how far it is.
#[utoipa::path(post, path = "/v1/events/{event_id}/refunds", tag = "money", request_body = EventRefundsInput,
    params(("event_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 202, body = EventRefundsView), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn refund_event(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
    Once { key, request_hash, .. }: Once<EventRefundsInput>,
) -> Result<(StatusCode, Json<EventRefundsView>)> {
    require_event(&app, &identity, event_id, Permission::ManageEvents).await?;
    let asked = app
        .write_once("event-refunds", key, request_hash, identity.actor(), move |tx| {
            Box::pin(event_refunds::ask(tx, event_id))
        })
        .await?;
    Ok((StatusCode::ACCEPTED, Json(asked.into())))
}

/// Show how far an event's refunds have come
#[utoipa::path(get, path = "/v1/events/{event_id}/refunds", tag = "money", params(("event_id" = String, Path)),
    responses((status = 200, body = EventRefundsView), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn show_event_refunds(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
) -> Result<Json<EventRefundsView>> {
    require_event(&app, &identity, event_id, Permission::ReadOrders).await?;
    let progress = event_refunds::progress(&mut app.store.read().await?, event_id).await?;
    Ok(Json(progress.into()))
}
