use crate::{
    auth::Identity,
    extract::{Body, Id, Params},
    problem::{Problem, Result},
    resource::OrganizerResource,
    view::{Page, PageQuery, page},
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{Currency, Label, OrganizerId, Slug, role::Permission};
use serde::Deserialize;
use std::sync::Arc;
use transactional::organizers::{self, OrganizerDetails};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizerInput {
    #[schema(value_type = String, example = "jazz-im-hof")]
    slug: Slug,
    #[schema(value_type = String, example = "Jazz im Hof")]
    #[serde(deserialize_with = "crate::view::typed")]
    name: Label,
    #[schema(value_type = String, example = "EUR")]
    currency: Currency,
    /// An IANA name.
    #[schema(example = "Europe/Vienna")]
    timezone: String,
    city: Option<String>,
    /// ISO 3166-1, two letters.
    country: Option<String>,
}

impl From<OrganizerInput> for OrganizerDetails {
    fn from(input: OrganizerInput) -> Self {
        let OrganizerInput {
            slug,
            name,
            currency,
            timezone,
            city,
            country,
        } = input;
        Self {
            slug,
            name,
            currency,
            timezone,
            city,
            country,
        }
    }
}

/// Create an organizer
#[utoipa::path(post, path = "/v1/organizers", tag = "organizers", request_body = OrganizerInput,
    responses((status = 201, body = OrganizerResource), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn create_organizer(
    State(app): State<Arc<App>>,
    identity: Identity,
    Body(input): Body<OrganizerInput>,
) -> Result<(StatusCode, Json<OrganizerResource>)> {
    identity.require_platform()?;
    let created = app
        .store
        .write(identity.actor(), |tx| {
            Box::pin(async move { organizers::create(tx, input.into()).await })
        })
        .await?;
    Ok((StatusCode::CREATED, Json(created.into())))
}

/// List organizers
#[utoipa::path(get, path = "/v1/organizers", tag = "organizers", params(PageQuery),
    responses((status = 200, body = Page<OrganizerResource>)))]
pub async fn list_organizers(
    State(app): State<Arc<App>>,
    identity: Identity,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<OrganizerResource>>> {
    let mut db = app.store.read().await?;
    if identity.is_platform() {
        return Ok(Json(page(organizers::list(&mut db, query.request()?).await?)));
    }
    let mut items = Vec::new();
    for organizer_id in identity.organizers() {
        items.push(organizers::get(&mut db, organizer_id).await?.into());
    }
    Ok(Json(Page {
        items,
        next_cursor: None,
    }))
}

/// Show an organizer
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}", tag = "organizers", params(("organizer_id" = String, Path)),
    responses((status = 200, body = OrganizerResource), (status = 404, body = Problem)))]
pub async fn show_organizer(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
) -> Result<Json<OrganizerResource>> {
    identity.require(organizer_id, Permission::CheckIn)?;
    let organizer = organizers::get(&mut app.store.read().await?, organizer_id).await?;
    Ok(Json(organizer.into()))
}
