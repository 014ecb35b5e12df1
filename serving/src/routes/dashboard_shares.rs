use super::insights::Maker;
use crate::{
    auth::Identity,
    extract::{Body, Id, Params},
    insights,
    problem::{Problem, Result},
    view::{Moment, Page, PageQuery, page_of},
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{DashboardShareId, OrganizerId, Timestamp, changes::DashboardShare, role::Permission};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::{
    Stored,
    insights::shares::{self, ShareDetails},
};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DashboardShareInput {
    /// The dashboard's name.
    #[schema(example = "money")]
    page: String,
    /// The page's query string, which stays as it is: `range`, `from`, `to`, `compare` and `filter.DIMENSION`.
    #[serde(default)]
    #[schema(example = "range=30d&filter.channel=online")]
    state: String,
    /// An hour to a year from now; 30 days if nothing is said.
    expires_at: Option<Moment>,
    /// Other sites may put it into a frame.
    #[serde(default)]
    may_embed: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DashboardShareUpdate {
    /// An hour to a year from now.
    expires_at: Moment,
    may_embed: bool,
}

#[derive(Serialize, ToSchema)]
pub struct DashboardShareView {
    dashboard_share_id: String,
    organizer_id: String,
    version: i64,
    page: String,
    state: String,
    may_embed: bool,
    created_by: Maker,
    created_at: Moment,
    expires_at: Moment,
    revoked_at: Option<Moment>,
}

#[derive(Serialize, ToSchema)]
pub struct NewDashboardShare {
    #[serde(flatten)]
    share: DashboardShareView,
    /// Shown this once: only its hash is kept.
    token: String,
    /// Where who has the link looks.
    #[schema(example = "https://tickets.example.org/shared/bilten_share_…")]
    url: String,
}

/// Share a dashboard by a link
///
/// Whoever has the link sees this state of it, with the organizer's figures and nobody's name, until it expires or is
/// revoked. At most 200 are in force at once.
#[utoipa::path(post, path = "/v1/organizers/{organizer_id}/dashboard-shares", tag = "insights",
    request_body = DashboardShareInput, params(("organizer_id" = String, Path)),
    responses((status = 201, body = NewDashboardShare), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn create_share(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Body(input): Body<DashboardShareInput>,
) -> Result<(StatusCode, Json<NewDashboardShare>)> {
    identity.require(organizer_id, Permission::ShareDashboards)?;
    insights::check_page(&app, organizer_id, &input.page, &input.state).await?;
    let details = ShareDetails {
        page: input.page,
        state: input.state,
        expires_at: input.expires_at.map(Timestamp::from),
        may_embed: input.may_embed,
    };
    let made = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { shares::create(tx, organizer_id, details).await })
    });
    let made = made.await?;
    let view = NewDashboardShare {
        url: format!("{}/shared/{}", app.public_url.trim_end_matches('/'), made.token),
        share: view(&app, vec![made.share]).await?.remove(0),
        token: made.token,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// List the links to dashboards that are in force, the newest first
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/dashboard-shares", tag = "insights",
    params(("organizer_id" = String, Path), PageQuery), responses((status = 200, body = Page<DashboardShareView>)))]
pub async fn list_shares(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<DashboardShareView>>> {
    identity.require(organizer_id, Permission::ReadLake)?;
    let (now, request) = (Timestamp::now(), query.request()?);
    let found = shares::list(&mut app.store.read().await?, organizer_id, now, request).await?;
    let views = view(&app, found.items).await?;
    let page = transactional::Page {
        items: views,
        next: found.next,
    };
    Ok(Json(page_of(page, |view| view)))
}

/// Change until when a link is good, and whether other sites may frame what it shows
#[utoipa::path(put, path = "/v1/dashboard-shares/{dashboard_share_id}", tag = "insights",
    request_body = DashboardShareUpdate, params(("dashboard_share_id" = String, Path)),
    responses((status = 200, body = DashboardShareView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn update_share(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<DashboardShareId>,
    Body(input): Body<DashboardShareUpdate>,
) -> Result<Json<DashboardShareView>> {
    require_share(&app, &identity, id).await?;
    let updated = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { shares::update(tx, id, input.expires_at.into(), input.may_embed).await })
    });
    let updated = updated.await?;
    Ok(Json(view(&app, vec![updated]).await?.remove(0)))
}

/// Revoke a link to a dashboard
#[utoipa::path(delete, path = "/v1/dashboard-shares/{dashboard_share_id}", tag = "insights",
    params(("dashboard_share_id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn revoke_share(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<DashboardShareId>,
) -> Result<StatusCode> {
    require_share(&app, &identity, id).await?;
    let revoked = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { shares::revoke(tx, id).await })
    });
    revoked.await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn require_share(app: &App, identity: &Identity, id: DashboardShareId) -> Result<()> {
    let share = shares::get(&mut app.store.read().await?, id).await?;
    identity.require(share.organizer_id, Permission::ShareDashboards)
}

async fn view(app: &App, shares: Vec<Stored<DashboardShare>>) -> Result<Vec<DashboardShareView>> {
    let makers = Maker::all(app, shares.iter().map(|share| share.created_by.as_str())).await?;
    let view = |(share, created_by): (Stored<DashboardShare>, Maker)| DashboardShareView {
        dashboard_share_id: share.dashboard_share_id.to_string(),
        organizer_id: share.organizer_id.to_string(),
        version: share.version,
        page: share.value.page,
        state: share.value.state,
        may_embed: share.value.may_embed,
        created_by,
        created_at: Moment(share.value.created_at),
        expires_at: Moment(share.value.expires_at),
        revoked_at: share.value.revoked_at.map(Moment),
    };
    Ok(shares.into_iter().zip(makers).map(view).collect())
}
