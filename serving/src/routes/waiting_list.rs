use super::{buyer::Occasion, events::require_event, orders::language};
use crate::{
    auth::Identity,
    extract::{Body, Id, Params},
    problem::{Problem, Result},
    resource::{HoldResource, WaitingEntryResource},
    secret::SecretQuery,
    view::{Page, PageQuery, page},
    wiring::App,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use domain::{Email, EventId, TicketTypeId, WaitingEntryId, role::Permission};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::{
    holds, people,
    waiting_list::{self, Joining},
};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitingInput {
    #[schema(value_type = String)]
    ticket_type_id: TicketTypeId,
    #[schema(minimum = 1)]
    quantity: i64,
    #[schema(value_type = String, example = "ada@example.org")]
    email: Email,
    name: Option<String>,
}

/// A place in the waiting list, as who holds it sees it.
#[derive(Serialize, ToSchema)]
pub struct WaitingView {
    #[serde(flatten)]
    entry: WaitingEntryResource,
    /// Who has it may see the entry, and leave the list.
    secret: String,
}

/// A place in the waiting list with all that the page of its offer shows.
#[derive(Serialize, ToSchema)]
pub struct WaitingPage {
    #[serde(flatten)]
    entry: WaitingEntryResource,
    #[serde(flatten)]
    occasion: Occasion,
    /// Who waits, to be asked for at the checkout.
    email: Option<String>,
    name: Option<String>,
    /// The offer, with what it costs.
    hold: Option<HoldResource>,
}

/// Join an event's waiting list
///
/// Tickets that come back are offered in the order in which people joined, by mail. An offer is a hold: its `hold_id` is
/// checked out like any other, until `offer_expires_at`. If tickets are to be had now, the offer comes at once.
#[utoipa::path(post, path = "/v1/events/{event_id}/waiting-list", tag = "storefront", request_body = WaitingInput,
    security(()), params(("event_id" = String, Path)),
    responses((status = 201, body = WaitingView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn join_waiting_list(
    State(app): State<Arc<App>>,
    Id(event_id): Id<EventId>,
    headers: HeaderMap,
    Body(input): Body<WaitingInput>,
) -> Result<(StatusCode, Json<WaitingView>)> {
    let joining = Joining {
        event_id,
        ticket_type_id: input.ticket_type_id,
        quantity: input.quantity,
        email: input.email,
        name: input.name,
        language: language(&headers),
    };
    let joined = app.store.write("buyer", |tx| Box::pin(waiting_list::join(tx, joining)));
    let entry = joined.await?;
    let secret = app.store.waiting_secret(entry.waiting_entry_id);
    let entry = entry.into();
    Ok((StatusCode::CREATED, Json(WaitingView { entry, secret })))
}

/// Show a place in the waiting list
#[utoipa::path(get, path = "/v1/waiting-list/{waiting_entry_id}", tag = "storefront", security(()),
    params(("waiting_entry_id" = String, Path), SecretQuery),
    responses((status = 200, body = WaitingPage), (status = 404, body = Problem)))]
pub async fn show_waiting_entry(
    State(app): State<Arc<App>>,
    Id(id): Id<WaitingEntryId>,
    query: SecretQuery,
) -> Result<Json<WaitingPage>> {
    require_secret(&app, id, &query)?;
    let mut db = app.store.read().await?;
    let entry = waiting_list::get(&mut db, id).await?;
    let occasion = Occasion::of(&app, &mut db, entry.event_id, [entry.ticket_type_id]).await?;
    let person = people::get(&mut db, entry.person_id).await?.value;
    let hold = match entry.hold_id {
        Some(hold_id) => Some(holds::get(&mut db, hold_id).await?.into()),
        None => None,
    };
    Ok(Json(WaitingPage {
        entry: entry.into(),
        occasion,
        email: person.email.map(|email| email.to_string()),
        name: person.name,
        hold,
    }))
}

/// Leave the waiting list, or give an offer back
#[utoipa::path(delete, path = "/v1/waiting-list/{waiting_entry_id}", tag = "storefront", security(()),
    params(("waiting_entry_id" = String, Path), SecretQuery),
    responses((status = 200, body = WaitingEntryResource), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn leave_waiting_list(
    State(app): State<Arc<App>>,
    Id(id): Id<WaitingEntryId>,
    query: SecretQuery,
) -> Result<Json<WaitingEntryResource>> {
    require_secret(&app, id, &query)?;
    let left = app
        .store
        .write("buyer", move |tx| Box::pin(waiting_list::leave(tx, id)));
    Ok(Json(left.await?.into()))
}

/// List who waits for an event, in the order in which they joined
#[utoipa::path(get, path = "/v1/events/{event_id}/waiting-list", tag = "orders",
    params(("event_id" = String, Path), PageQuery), responses((status = 200, body = Page<WaitingEntryResource>)))]
pub async fn list_waiting_entries(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<WaitingEntryResource>>> {
    require_event(&app, &identity, event_id, Permission::ReadOrders).await?;
    let entries = waiting_list::list(&mut app.store.read().await?, event_id, query.request()?).await?;
    Ok(Json(page(entries)))
}

fn require_secret(app: &App, id: WaitingEntryId, query: &SecretQuery) -> Result<()> {
    match &query.secret {
        Some(secret) if app.store.is_waiting_secret(id, secret) => Ok(()),
        _ => Err(Problem::not_found("place in a waiting list")),
    }
}
