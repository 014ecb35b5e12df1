use super::events::require_event;
use crate::{
    auth::Identity,
    extract::{Body, Id},
    problem::{Problem, Result},
    resource::{PoolResource, TicketTypeResource},
    view::{Moment, MoneyView},
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{Currency, EventId, Label, PoolId, Timestamp, role::Permission};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::{
    pools::{self, PoolDetails, PoolState},
    ticket_types::{self, Offer, PriceDetails, TicketTypeDetails},
};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolInput {
    #[schema(value_type = String, example = "Stalls")]
    #[serde(deserialize_with = "crate::view::typed")]
    name: Label,
    /// None: without limit. Never below what is held and sold.
    #[schema(minimum = 0)]
    capacity: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct PoolView {
    #[serde(flatten)]
    pool: PoolResource,
    held: i64,
    sold: i64,
}

impl From<PoolState> for PoolView {
    fn from(state: PoolState) -> Self {
        Self {
            held: state.held,
            sold: state.sold,
            pool: state.pool.into(),
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketTypeInput {
    #[schema(value_type = String, example = "Regular")]
    #[serde(deserialize_with = "crate::view::typed")]
    name: Label,
    /// Shown and sold only to who has a promo code that names it.
    #[serde(default)]
    #[schema(default = false)]
    hidden: bool,
    #[serde(default = "one")]
    #[schema(default = 1, minimum = 1)]
    min_per_order: i64,
    #[serde(default = "ten")]
    #[schema(default = 10)]
    max_per_order: i64,
    sales_from: Option<Moment>,
    sales_to: Option<Moment>,
    /// From when on a door admits it.
    valid_from: Option<Moment>,
    valid_to: Option<Moment>,
    /// The capacities that a ticket of this type takes from. All of them must have room.
    #[schema(value_type = Vec<String>)]
    pools: Vec<PoolId>,
    /// The phase that began last counts, as long as its pool has room.
    prices: Vec<PriceInput>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceInput {
    #[serde(default = "regular")]
    #[schema(example = "early bird", default = "regular")]
    phase: String,
    /// In the event's currency.
    #[schema(minimum = 0, example = 1250)]
    amount_minor: i64,
    from_at: Option<Moment>,
    to_at: Option<Moment>,
    /// A pool of its own, which limits how many are sold at this price.
    #[schema(value_type = Option<String>)]
    pool_id: Option<PoolId>,
}

fn one() -> i64 {
    1
}

fn ten() -> i64 {
    10
}

fn regular() -> String {
    "regular".into()
}

impl From<TicketTypeInput> for TicketTypeDetails {
    fn from(input: TicketTypeInput) -> Self {
        let at = |moment: Option<Moment>| moment.map(Timestamp::from);
        Self {
            name: input.name,
            hidden: input.hidden,
            min_per_order: input.min_per_order,
            max_per_order: input.max_per_order,
            sales_from: at(input.sales_from),
            sales_to: at(input.sales_to),
            valid_from: at(input.valid_from),
            valid_to: at(input.valid_to),
            pools: input.pools,
            prices: input
                .prices
                .into_iter()
                .map(|price| PriceDetails {
                    phase: price.phase,
                    amount_minor: price.amount_minor,
                    from_at: at(price.from_at),
                    to_at: at(price.to_at),
                    pool_id: price.pool_id,
                })
                .collect(),
        }
    }
}

/// A ticket type as a buyer sees it now.
#[derive(Serialize, ToSchema)]
pub struct OfferView {
    #[serde(flatten)]
    ticket_type: TicketTypeResource,
    /// None: no price is in force now.
    price: Option<MoneyView>,
    /// None: without limit.
    available: Option<i64>,
    on_sale: bool,
}

impl OfferView {
    pub(super) fn new(offer: Offer, currency: Currency) -> Self {
        Self {
            ticket_type: TicketTypeResource::from(offer.ticket_type).with_currency(currency),
            price: offer.price.map(MoneyView::from),
            available: offer.available,
            on_sale: offer.on_sale,
        }
    }
}

/// Create a capacity pool
#[utoipa::path(post, path = "/v1/events/{event_id}/pools", tag = "events", request_body = PoolInput,
    params(("event_id" = String, Path)), responses((status = 201, body = PoolResource), (status = 422, body = Problem)))]
pub async fn create_pool(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
    Body(input): Body<PoolInput>,
) -> Result<(StatusCode, Json<PoolResource>)> {
    require_event(&app, &identity, event_id, Permission::ManageEvents).await?;
    let details = PoolDetails {
        name: input.name,
        capacity: input.capacity,
    };
    let pool = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { pools::create(tx, event_id, details).await })
        })
        .await?;
    Ok((StatusCode::CREATED, Json(pool.into())))
}

/// List an event's capacity pools with what is held and sold
#[utoipa::path(get, path = "/v1/events/{event_id}/pools", tag = "events", params(("event_id" = String, Path)),
    responses((status = 200, body = Vec<PoolView>)))]
pub async fn list_pools(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
) -> Result<Json<Vec<PoolView>>> {
    require_event(&app, &identity, event_id, Permission::CheckIn).await?;
    let pools = pools::list(&mut app.store.read().await?, event_id).await?;
    Ok(Json(pools.into_iter().map(PoolView::from).collect()))
}

/// Rename or resize a capacity pool
#[utoipa::path(put, path = "/v1/pools/{pool_id}", tag = "events", request_body = PoolInput,
    params(("pool_id" = String, Path)), responses((status = 200, body = PoolResource), (status = 409, body = Problem)))]
pub async fn resize_pool(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(pool_id): Id<PoolId>,
    Body(input): Body<PoolInput>,
) -> Result<Json<PoolResource>> {
    let pool = pools::get(&mut app.store.read().await?, pool_id).await?;
    identity.require(pool.organizer_id, Permission::ManageEvents)?;
    let details = PoolDetails {
        name: input.name,
        capacity: input.capacity,
    };
    let pool = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { pools::resize(tx, pool_id, details).await })
        })
        .await?;
    Ok(Json(pool.into()))
}

/// Create a ticket type
#[utoipa::path(post, path = "/v1/events/{event_id}/ticket-types", tag = "events", request_body = TicketTypeInput,
    params(("event_id" = String, Path)),
    responses((status = 201, body = TicketTypeResource), (status = 422, body = Problem)))]
pub async fn create_ticket_type(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
    Body(input): Body<TicketTypeInput>,
) -> Result<(StatusCode, Json<TicketTypeResource>)> {
    let event = require_event(&app, &identity, event_id, Permission::ManageEvents).await?;
    let ticket_type = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { ticket_types::create(tx, event_id, input.into()).await })
        })
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(TicketTypeResource::from(ticket_type).with_currency(event.currency)),
    ))
}

/// List an event's ticket types with price and availability
#[utoipa::path(get, path = "/v1/events/{event_id}/ticket-types", tag = "events", params(("event_id" = String, Path)),
    responses((status = 200, body = Vec<OfferView>)))]
pub async fn list_ticket_types(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
) -> Result<Json<Vec<OfferView>>> {
    let event = require_event(&app, &identity, event_id, Permission::CheckIn).await?;
    let offers = ticket_types::offers(&mut app.store.read().await?, event_id, Timestamp::now()).await?;
    Ok(Json(
        offers
            .into_iter()
            .map(|offer| OfferView::new(offer, event.currency))
            .collect(),
    ))
}
