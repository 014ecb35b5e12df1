use super::events::require_event;
use crate::{
    auth::Identity,
    extract::{Body, Id},
    problem::{Problem, Result},
    resource::{GateResource, Resource},
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{EventId, GateId, Label, role::Permission};
use serde::Deserialize;
use std::sync::Arc;
use transactional::gates::{self, GateDetails};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GateInput {
    #[schema(value_type = String, example = "North")]
    #[serde(deserialize_with = "crate::view::typed")]
    name: Label,
    /// A gate that is not can't be given to a device.
    #[serde(default = "active")]
    #[schema(default = true)]
    active: bool,
}

fn active() -> bool {
    true
}

impl From<GateInput> for GateDetails {
    fn from(input: GateInput) -> Self {
        Self {
            name: input.name,
            active: input.active,
        }
    }
}

/// Create a gate
#[utoipa::path(post, path = "/v1/events/{event_id}/gates", tag = "check-in", request_body = GateInput,
    params(("event_id" = String, Path)),
    responses((status = 201, body = GateResource), (status = 409, body = Problem)))]
pub async fn create_gate(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
    Body(input): Body<GateInput>,
) -> Result<(StatusCode, Json<GateResource>)> {
    require_event(&app, &identity, event_id, Permission::ManageEvents).await?;
    let gate = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { gates::create(tx, event_id, input.into()).await })
        })
        .await?;
    Ok((StatusCode::CREATED, Json(gate.into())))
}

/// List an event's gates
#[utoipa::path(get, path = "/v1/events/{event_id}/gates", tag = "check-in",
    params(("event_id" = String, Path)), responses((status = 200, body = Vec<GateResource>)))]
pub async fn list_gates(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
) -> Result<Json<Vec<GateResource>>> {
    require_event(&app, &identity, event_id, Permission::CheckIn).await?;
    let gates = gates::list(&mut app.store.read().await?, event_id).await?;
    Ok(Json(gates.into_iter().map(Resource::from).collect()))
}

/// Rename a gate, or open and close it
///
/// Scans keep the name that the gate had then.
#[utoipa::path(put, path = "/v1/gates/{gate_id}", tag = "check-in", request_body = GateInput,
    params(("gate_id" = String, Path)),
    responses((status = 200, body = GateResource), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn update_gate(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(gate_id): Id<GateId>,
    Body(input): Body<GateInput>,
) -> Result<Json<GateResource>> {
    let gate = gates::get(&mut app.store.read().await?, gate_id).await?;
    identity.require(gate.organizer_id, Permission::ManageEvents)?;
    let gate = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { gates::update(tx, gate_id, input.into()).await })
        })
        .await?;
    Ok(Json(gate.into()))
}
