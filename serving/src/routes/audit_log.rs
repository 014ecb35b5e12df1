use crate::{
    audit_log::{self, AuditEntry, Wanted},
    auth::Identity,
    extract::{Id, Params},
    problem::{Problem, Result},
    view::{Moment, Page, PageQuery, page_of},
    wiring::App,
};
use axum::{Json, extract::State};
use domain::{EventId, OrderId, OrganizerId, TicketId, role::Permission};
use serde::Deserialize;
use std::sync::Arc;
use transactional::{events, orders, tickets};
use utoipa::IntoParams;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// `order`, `ticket`, `event`, …
    entity: Option<String>,
    entity_id: Option<String>,
    /// `order.cancelled`, …
    change_type: Option<String>,
    /// As changes have it: `user:…`, `token:…`, `storefront`, `system`, …
    actor: Option<String>,
    /// From this moment on.
    #[param(value_type = Option<String>)]
    from: Option<Moment>,
    /// Up to, and without, this moment.
    #[param(value_type = Option<String>)]
    to: Option<Moment>,
    /// How many at most: 1 to 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Read an organizer's audit log: who did what to which thing when, the newest first
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/audit-log", tag = "organizers",
    params(("organizer_id" = String, Path), AuditQuery),
    responses((status = 200, body = Page<AuditEntry>), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn of_organizer(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Params(query): Params<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>> {
    read(&app, &identity, organizer_id, None, query).await
}

/// Read an event's audit log, with that of its orders, tickets and doors
#[utoipa::path(get, path = "/v1/events/{event_id}/audit-log", tag = "events",
    params(("event_id" = String, Path), AuditQuery),
    responses((status = 200, body = Page<AuditEntry>), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn of_event(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
    Params(query): Params<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>> {
    let organizer = events::get(&mut app.store.read().await?, event_id).await?.organizer_id;
    read(
        &app,
        &identity,
        organizer,
        Some(("event_id", event_id.to_string())),
        query,
    )
    .await
}

/// Read an order's audit log, with that of its payments and tickets
#[utoipa::path(get, path = "/v1/orders/{order_id}/audit-log", tag = "orders",
    params(("order_id" = String, Path), AuditQuery),
    responses((status = 200, body = Page<AuditEntry>), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn of_order(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(order_id): Id<OrderId>,
    Params(query): Params<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>> {
    let organizer = orders::get(&mut app.store.read().await?, order_id).await?.organizer_id;
    read(
        &app,
        &identity,
        organizer,
        Some(("order_id", order_id.to_string())),
        query,
    )
    .await
}

/// Read a ticket's audit log, with its scans
#[utoipa::path(get, path = "/v1/tickets/{ticket_id}/audit-log", tag = "orders",
    params(("ticket_id" = String, Path), AuditQuery),
    responses((status = 200, body = Page<AuditEntry>), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn of_ticket(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(ticket_id): Id<TicketId>,
    Params(query): Params<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>> {
    let organizer = tickets::get(&mut app.store.read().await?, ticket_id)
        .await?
        .organizer_id;
    read(
        &app,
        &identity,
        organizer,
        Some(("ticket_id", ticket_id.to_string())),
        query,
    )
    .await
}

async fn read(
    app: &App,
    identity: &Identity,
    organizer_id: OrganizerId,
    of: Option<(&'static str, String)>,
    query: AuditQuery,
) -> Result<Json<Page<AuditEntry>>> {
    identity.require(organizer_id, Permission::ReadAuditLog)?;
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let wanted = Wanted {
        of,
        entity: query.entity,
        entity_id: query.entity_id,
        change_type: query.change_type,
        actor: query.actor,
        from: query.from.map(Into::into),
        to: query.to.map(Into::into),
    };
    let principal = audit_log::principal(identity.actor(), organizer_id);
    let found = audit_log::read(app, &principal, &wanted, &page.request()?).await?;
    Ok(Json(page_of(found, |entry| entry)))
}
