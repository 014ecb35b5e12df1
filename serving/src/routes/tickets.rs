//! Tickets one by one, and the keys that sign their codes: for staff.

use super::events::require_event;
use crate::{
    auth::Identity,
    extract::{Id, Ids},
    problem::{Problem, Result},
    resource::TicketResource,
    view::Moment,
    wiring::App,
};
use axum::{Json, extract::State};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{EventId, TicketId, role::Permission};
use serde::Serialize;
use std::sync::Arc;
use transactional::{
    ticket_keys::{self, PublicKey},
    tickets,
};
use utoipa::ToSchema;

/// Block a ticket
///
/// No door admits it until it is unblocked. Its order stays as it is.
#[utoipa::path(post, path = "/v1/tickets/{ticket_id}/block", tag = "check-in", params(("ticket_id" = String, Path)),
    responses((status = 200, body = TicketResource), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn block_ticket(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(ticket_id): Id<TicketId>,
) -> Result<Json<TicketResource>> {
    set_blocked(&app, &identity, ticket_id, true).await
}

/// Unblock a ticket
#[utoipa::path(post, path = "/v1/tickets/{ticket_id}/unblock", tag = "check-in", params(("ticket_id" = String, Path)),
    responses((status = 200, body = TicketResource), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn unblock_ticket(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(ticket_id): Id<TicketId>,
) -> Result<Json<TicketResource>> {
    set_blocked(&app, &identity, ticket_id, false).await
}

async fn set_blocked(app: &App, identity: &Identity, id: TicketId, blocked: bool) -> Result<Json<TicketResource>> {
    require_ticket(app, identity, id).await?;
    let ticket = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { tickets::block(tx, id, blocked).await })
        })
        .await?;
    Ok(Json(ticket.into()))
}

/// Give a ticket a new code
///
/// The old one is refused from now on, as `revoked`.
#[utoipa::path(post, path = "/v1/tickets/{ticket_id}/reissue", tag = "check-in", params(("ticket_id" = String, Path)),
    responses((status = 200, body = TicketResource), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn reissue_ticket(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(ticket_id): Id<TicketId>,
) -> Result<Json<TicketResource>> {
    require_ticket(&app, &identity, ticket_id).await?;
    let ticket = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { tickets::reissue(tx, ticket_id).await })
        })
        .await?;
    Ok(Json(ticket.into()))
}

async fn require_ticket(app: &App, identity: &Identity, id: TicketId) -> Result<()> {
    let ticket = tickets::get(&mut app.store.read().await?, id).await?;
    identity.require(ticket.organizer_id, Permission::ManageEvents)
}

#[derive(Serialize, ToSchema)]
pub struct EventKeyView {
    /// Codes name it.
    number: u8,
    /// Ed25519, 32 bytes as base64url.
    public_key: String,
    /// Since then it signs no more codes.
    retired_at: Option<Moment>,
    /// Since then its codes are worthless.
    revoked_at: Option<Moment>,
}

impl From<PublicKey> for EventKeyView {
    fn from(key: PublicKey) -> Self {
        Self {
            number: key.number,
            public_key: URL_SAFE_NO_PAD.encode(key.public_key),
            retired_at: key.retired_at.map(Moment),
            revoked_at: key.revoked_at.map(Moment),
        }
    }
}

fn views(keys: Vec<PublicKey>) -> Json<Vec<EventKeyView>> {
    Json(keys.into_iter().map(EventKeyView::from).collect())
}

/// List the keys that sign an event's tickets
#[utoipa::path(get, path = "/v1/events/{event_id}/keys", tag = "check-in", params(("event_id" = String, Path)),
    responses((status = 200, body = Vec<EventKeyView>)))]
pub async fn list_event_keys(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
) -> Result<Json<Vec<EventKeyView>>> {
    require_event(&app, &identity, event_id, Permission::CheckIn).await?;
    Ok(views(ticket_keys::keys(&app.store, event_id).await?))
}

/// Sign an event's tickets with a new key from now on
///
/// Codes that the earlier keys signed stay good. Other processes take up to two seconds to use the new one.
#[utoipa::path(post, path = "/v1/events/{event_id}/keys/rotate", tag = "check-in", params(("event_id" = String, Path)),
    responses((status = 200, body = Vec<EventKeyView>), (status = 409, body = Problem)))]
pub async fn rotate_event_key(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
) -> Result<Json<Vec<EventKeyView>>> {
    require_event(&app, &identity, event_id, Permission::ManageEvents).await?;
    Ok(views(
        ticket_keys::rotate(&app.store, identity.actor(), event_id).await?,
    ))
}

/// Revoke a retired key
///
/// All codes that it signed are `invalid` from at most two seconds later on, on paper as well; a ticket that is shown
/// again has a good one.
#[utoipa::path(post, path = "/v1/events/{event_id}/keys/{number}/revoke", tag = "check-in",
    params(("event_id" = String, Path), ("number" = u8, Path)),
    responses((status = 200, body = Vec<EventKeyView>), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn revoke_event_key(
    State(app): State<Arc<App>>,
    identity: Identity,
    Ids(event_id, number): Ids<EventId, u8>,
) -> Result<Json<Vec<EventKeyView>>> {
    require_event(&app, &identity, event_id, Permission::ManageEvents).await?;
    Ok(views(
        ticket_keys::revoke(&app.store, identity.actor(), event_id, number).await?,
    ))
}
