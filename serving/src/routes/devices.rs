use crate::{
    auth::Identity,
    extract::{Body, Id, Params},
    problem::{Problem, Result},
    qr,
    resource::DeviceResource,
    view::{Page, PageQuery, page},
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{DeviceId, EventId, GateId, Label, OrganizerId, role::Permission};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::devices::{self, DeviceDetails};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceInput {
    #[schema(value_type = String, example = "Scanner 7")]
    #[serde(deserialize_with = "crate::view::typed")]
    name: Label,
    /// The only event that it may check in at; none: all of the organizer's.
    #[schema(value_type = Option<String>)]
    event_id: Option<EventId>,
    /// Where it stands: an active gate of its event. Its scans have this gate unless they name another.
    #[schema(value_type = Option<String>)]
    gate_id: Option<GateId>,
}

impl From<DeviceInput> for DeviceDetails {
    fn from(input: DeviceInput) -> Self {
        Self {
            name: input.name,
            event_id: input.event_id,
            gate_id: input.gate_id,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct NewDeviceView {
    #[serde(flatten)]
    device: DeviceResource,
    /// The device's bearer token. Shown this once: only its hash is kept.
    secret: String,
    /// The link that sets the scanner page up, once, on the phone that opens it.
    set_up_url: String,
    /// The same as a QR code, an SVG image for the scanner page's log-in to read.
    set_up_qr: String,
}

/// Register a device
///
/// Its token may check in and see what a door needs, and nothing else.
#[utoipa::path(post, path = "/v1/organizers/{organizer_id}/devices", tag = "check-in", request_body = DeviceInput,
    params(("organizer_id" = String, Path)),
    responses((status = 201, body = NewDeviceView), (status = 422, body = Problem)))]
pub async fn register_device(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Body(input): Body<DeviceInput>,
) -> Result<(StatusCode, Json<NewDeviceView>)> {
    identity.require(organizer_id, Permission::ManageEvents)?;
    let new = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { devices::register(tx, organizer_id, input.into()).await })
        })
        .await?;
    // Behind the #, where no server and no log gets to see it.
    let set_up_url = format!("{}/scanner#token={}", app.public_url.trim_end_matches('/'), new.secret);
    let view = NewDeviceView {
        device: new.device.into(),
        secret: new.secret,
        set_up_qr: qr::svg(&set_up_url)?,
        set_up_url,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// List devices
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/devices", tag = "check-in",
    params(("organizer_id" = String, Path), PageQuery), responses((status = 200, body = Page<DeviceResource>)))]
pub async fn list_devices(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<DeviceResource>>> {
    identity.require(organizer_id, Permission::ManageEvents)?;
    let devices = devices::list(&mut app.store.read().await?, organizer_id, query.request()?).await?;
    Ok(Json(page(devices)))
}

/// Rename a device, or send it to another event or gate
#[utoipa::path(put, path = "/v1/devices/{device_id}", tag = "check-in", request_body = DeviceInput,
    params(("device_id" = String, Path)),
    responses((status = 200, body = DeviceResource), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn move_device(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(device_id): Id<DeviceId>,
    Body(input): Body<DeviceInput>,
) -> Result<Json<DeviceResource>> {
    require_device(&app, &identity, device_id).await?;
    let device = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { devices::move_to(tx, device_id, input.into()).await })
        })
        .await?;
    Ok(Json(device.into()))
}

/// Revoke a device
///
/// Its token is refused from at most two seconds later on.
#[utoipa::path(delete, path = "/v1/devices/{device_id}", tag = "check-in", params(("device_id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn revoke_device(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(device_id): Id<DeviceId>,
) -> Result<StatusCode> {
    require_device(&app, &identity, device_id).await?;
    app.store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { devices::revoke(tx, device_id).await })
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn require_device(app: &App, identity: &Identity, id: DeviceId) -> Result<()> {
    let device = devices::get(&mut app.store.read().await?, id).await?;
    identity.require(device.organizer_id, Permission::ManageEvents)
}
