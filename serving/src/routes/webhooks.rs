use crate::{
    auth::Identity,
    extract::{Body, Id, Params},
    problem::{Problem, Result},
    resource::WebhookEndpointResource,
    view::{Moment, Page, PageQuery, page_of},
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{OrganizerId, WebhookDeliveryId, WebhookEndpointId, message::DeliveryStatus, role::Permission};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::webhooks::{self, Delivery, Endpoint, EndpointDetails};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookEndpointInput {
    /// `https://`, on the public Internet.
    #[schema(example = "https://hooks.example.org/bilten")]
    url: String,
    /// Empty: every change of the organizer.
    #[serde(default)]
    #[schema(example = json!(["order.paid", "order.cancelled"]))]
    change_types: Vec<String>,
    #[serde(default = "yes")]
    #[schema(default = true)]
    active: bool,
}

fn yes() -> bool {
    true
}

impl WebhookEndpointInput {
    fn details(self, app: &App) -> Result<EndpointDetails> {
        let url = app.outgoing.check(&self.url);
        let url = url.map_err(|why| Problem::invalid("/url", why))?;
        Ok(EndpointDetails {
            host: url.host_str().unwrap_or_default().to_owned(),
            url: url.into(),
            change_types: self.change_types,
            active: self.active,
        })
    }
}

#[derive(Serialize, ToSchema)]
pub struct WebhookEndpointView {
    #[serde(flatten)]
    endpoint: WebhookEndpointResource,
    url: String,
}

impl From<Endpoint> for WebhookEndpointView {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            endpoint: endpoint.endpoint.into(),
            url: endpoint.url,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct NewWebhookEndpoint {
    #[serde(flatten)]
    endpoint: WebhookEndpointView,
    /// Shown this once. Deliveries are signed with it, by the scheme of Standard Webhooks.
    secret: String,
}

/// A change on its way to an endpoint.
#[derive(Serialize, ToSchema)]
pub struct WebhookDeliveryView {
    /// Also in the header `webhook-id`, the same at every attempt.
    webhook_delivery_id: String,
    webhook_endpoint_id: String,
    seq: i64,
    change_id: String,
    change_type: String,
    /// `waiting`, `delivered`, `failed`
    status: &'static str,
    attempts: i64,
    created_at: Moment,
    next_try_at: Option<Moment>,
    finished_at: Option<Moment>,
    /// What the endpoint answered last.
    response_status: Option<i64>,
    /// Why there was no answer.
    reason: Option<String>,
}

impl From<Delivery> for WebhookDeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            webhook_delivery_id: delivery.webhook_delivery_id.to_string(),
            webhook_endpoint_id: delivery.webhook_endpoint_id.to_string(),
            seq: delivery.seq,
            change_id: delivery.change_id,
            change_type: delivery.change_type,
            status: delivery.status.as_str(),
            attempts: delivery.attempts,
            created_at: Moment(delivery.created_at),
            next_try_at: delivery.next_try_at.map(Moment),
            finished_at: delivery.finished_at.map(Moment),
            response_status: delivery.response_status,
            reason: delivery.reason,
        }
    }
}

/// Create a webhook endpoint
///
/// It is told of changes from now on: a POST each, signed by the scheme of Standard Webhooks (`webhook-id`,
/// `webhook-timestamp`, `webhook-signature`), at least once, and in order as far as failures allow. An answer of 2xx
/// takes a delivery; anything else has it come again, for three days; `Retry-After` is heeded, up to an hour; 410 turns
/// the endpoint off. Names and addresses of
/// people are not part of what is sent.
#[utoipa::path(post, path = "/v1/organizers/{organizer_id}/webhook-endpoints", tag = "webhooks",
    request_body = WebhookEndpointInput, params(("organizer_id" = String, Path)),
    responses((status = 201, body = NewWebhookEndpoint), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn create_endpoint(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Body(input): Body<WebhookEndpointInput>,
) -> Result<(StatusCode, Json<NewWebhookEndpoint>)> {
    identity.require(organizer_id, Permission::ManageWebhooks)?;
    let details = input.details(&app)?;
    let created = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { webhooks::create(tx, organizer_id, details).await })
    });
    let (endpoint, secret) = created.await?;
    let endpoint = endpoint.into();
    Ok((StatusCode::CREATED, Json(NewWebhookEndpoint { endpoint, secret })))
}

/// List webhook endpoints
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/webhook-endpoints", tag = "webhooks",
    params(("organizer_id" = String, Path)), responses((status = 200, body = Vec<WebhookEndpointView>)))]
pub async fn list_endpoints(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
) -> Result<Json<Vec<WebhookEndpointView>>> {
    identity.require(organizer_id, Permission::ManageWebhooks)?;
    let endpoints = webhooks::list(&mut app.store.read().await?, organizer_id).await?;
    Ok(Json(endpoints.into_iter().map(Into::into).collect()))
}

/// Show a webhook endpoint
#[utoipa::path(get, path = "/v1/webhook-endpoints/{webhook_endpoint_id}", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path)),
    responses((status = 200, body = WebhookEndpointView), (status = 404, body = Problem)))]
pub async fn show_endpoint(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<WebhookEndpointId>,
) -> Result<Json<WebhookEndpointView>> {
    Ok(Json(managed(&app, &identity, id).await?.into()))
}

/// Change a webhook endpoint, or turn it on or off
///
/// While it is off, no deliveries are made for it; those that wait go on when it is on again.
#[utoipa::path(put, path = "/v1/webhook-endpoints/{webhook_endpoint_id}", tag = "webhooks",
    request_body = WebhookEndpointInput, params(("webhook_endpoint_id" = String, Path)),
    responses((status = 200, body = WebhookEndpointView), (status = 422, body = Problem)))]
pub async fn update_endpoint(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<WebhookEndpointId>,
    Body(input): Body<WebhookEndpointInput>,
) -> Result<Json<WebhookEndpointView>> {
    managed(&app, &identity, id).await?;
    let details = input.details(&app)?;
    let updated = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { webhooks::update(tx, id, details).await })
    });
    Ok(Json(updated.await?.into()))
}

/// Replace a webhook endpoint's secret
///
/// The new one is shown this once. For a day, deliveries carry a signature by each of the two, so that none is refused
/// while the new one is put in place.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/rotate-secret", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path)),
    responses((status = 200, body = NewWebhookEndpoint), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn rotate_secret(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<WebhookEndpointId>,
) -> Result<Json<NewWebhookEndpoint>> {
    managed(&app, &identity, id).await?;
    let rotated = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { webhooks::rotate_secret(tx, id).await })
    });
    let (endpoint, secret) = rotated.await?;
    let endpoint = endpoint.into();
    Ok(Json(NewWebhookEndpoint { endpoint, secret }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryQuery {
    /// `waiting`, `delivered` or `failed`
    #[param(value_type = Option<String>)]
    status: Option<DeliveryStatus>,
    /// How many at most: 1 to 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// List an endpoint's deliveries of the last 30 days, the newest first
#[utoipa::path(get, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/deliveries", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path), DeliveryQuery),
    responses((status = 200, body = Page<WebhookDeliveryView>)))]
pub async fn list_deliveries(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<WebhookEndpointId>,
    Params(query): Params<DeliveryQuery>,
) -> Result<Json<Page<WebhookDeliveryView>>> {
    managed(&app, &identity, id).await?;
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let found = webhooks::deliveries(&mut app.store.read().await?, id, query.status, page.request()?).await?;
    Ok(Json(page_of(found, Into::into)))
}

/// Send a delivery once more
#[utoipa::path(post, path = "/v1/webhook-deliveries/{webhook_delivery_id}/send-again", tag = "webhooks",
    params(("webhook_delivery_id" = String, Path)),
    responses((status = 200, body = WebhookDeliveryView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn send_again(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<WebhookDeliveryId>,
) -> Result<Json<WebhookDeliveryView>> {
    let delivery = webhooks::get_delivery(&mut app.store.read().await?, id).await?;
    managed(&app, &identity, delivery.webhook_endpoint_id).await?;
    let waiting = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { webhooks::send_again(tx, id).await })
    });
    Ok(Json(waiting.await?.into()))
}

async fn managed(app: &App, identity: &Identity, id: WebhookEndpointId) -> Result<Endpoint> {
    let endpoint = webhooks::get(&mut app.store.read().await?, id).await?;
    identity.require(endpoint.endpoint.organizer_id, Permission::ManageWebhooks)?;
    Ok(endpoint)
}
