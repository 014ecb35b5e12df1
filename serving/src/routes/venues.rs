use crate::{
    auth::Identity,
    extract::{Body, Id, Params},
    problem::{Problem, Result},
    resource::VenueResource,
    view::{Page, PageQuery, page},
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{Label, OrganizerId, VenueId, role::Permission};
use serde::Deserialize;
use std::sync::Arc;
use transactional::venues::{self, VenueDetails};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VenueInput {
    #[schema(value_type = String, example = "Stadtsaal")]
    #[serde(deserialize_with = "crate::view::typed")]
    name: Label,
    address: Option<String>,
    city: Option<String>,
    country: Option<String>,
    /// Degrees north, WGS 84.
    latitude: Option<f64>,
    /// Degrees east, WGS 84.
    longitude: Option<f64>,
    timezone: Option<String>,
}

impl From<VenueInput> for VenueDetails {
    fn from(input: VenueInput) -> Self {
        let VenueInput {
            name,
            address,
            city,
            country,
            latitude,
            longitude,
            timezone,
        } = input;
        Self {
            name,
            address,
            city,
            country,
            latitude,
            longitude,
            timezone,
        }
    }
}

/// Create a venue
#[utoipa::path(post, path = "/v1/organizers/{organizer_id}/venues", tag = "venues", request_body = VenueInput,
    params(("organizer_id" = String, Path)),
    responses((status = 201, body = VenueResource), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn create_venue(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Body(input): Body<VenueInput>,
) -> Result<(StatusCode, Json<VenueResource>)> {
    identity.require(organizer_id, Permission::ManageEvents)?;
    let venue = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { venues::create(tx, organizer_id, input.into()).await })
        })
        .await?;
    Ok((StatusCode::CREATED, Json(venue.into())))
}

/// List venues
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/venues", tag = "venues",
    params(("organizer_id" = String, Path), PageQuery), responses((status = 200, body = Page<VenueResource>)))]
pub async fn list_venues(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<VenueResource>>> {
    identity.require(organizer_id, Permission::CheckIn)?;
    Ok(Json(page(
        venues::list(&mut app.store.read().await?, organizer_id, query.request()?).await?,
    )))
}

/// Show a venue
#[utoipa::path(get, path = "/v1/venues/{venue_id}", tag = "venues", params(("venue_id" = String, Path)),
    responses((status = 200, body = VenueResource), (status = 404, body = Problem)))]
pub async fn show_venue(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(venue_id): Id<VenueId>,
) -> Result<Json<VenueResource>> {
    let venue = venues::get(&mut app.store.read().await?, venue_id).await?;
    identity.require(venue.organizer_id, Permission::CheckIn)?;
    Ok(Json(venue.into()))
}
