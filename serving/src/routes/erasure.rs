use crate::{
    auth::Identity,
    extract::{Body, Id, Once},
    problem::{Problem, Result},
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{Email, ErasureId, OrganizerId, PersonId, role::Permission};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use transactional::{
    erasure::{self, Erasure},
    people,
};
use utoipa::ToSchema;

/// Longer than a query may run, so that none loses its files.
const GRACE: u64 = 90;
const LONGEST_GRACE: u64 = 24 * 3600;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureInput {
    /// How many seconds the lake's old files stay for queries that run. 90 if it isn't said; with 0, such a query fails.
    grace_seconds: Option<u64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureByEmailInput {
    #[schema(value_type = String, example = "ada@example.org")]
    email: Email,
    /// As above.
    grace_seconds: Option<u64>,
}

/// How a person's erasure stands. It says nothing that the person could be known by but the id.
#[derive(Serialize, ToSchema)]
pub struct ErasureView {
    erasure_id: String,
    person_id: String,
    organizer_id: String,
    /// `requested`; `erased_in_core` while the lake's files are written again; `finished`.
    state: &'static str,
    requested_by: String,
    requested_at: String,
    finished_at: Option<String>,
    /// What was found and removed in each place, and what remains where, why and until when.
    #[schema(value_type = Object)]
    report: serde_json::Value,
}

impl From<Erasure> for ErasureView {
    fn from(erasure: Erasure) -> Self {
        let state = match (erasure.erased_seq, erasure.finished_at) {
            (_, Some(_)) => "finished",
            (Some(_), None) => "erased_in_core",
            (None, None) => "requested",
        };
        Self {
            erasure_id: erasure.erasure_id.to_string(),
            person_id: erasure.person_id.to_string(),
            organizer_id: erasure.organizer_id.to_string(),
            state,
            requested_by: erasure.requested_by,
            requested_at: erasure.requested_at.to_string(),
            finished_at: erasure.finished_at.map(|at| at.to_string()),
            report: erasure.report,
        }
    }
}

/// Erase a person's data
///
/// From the core, the log, the lake and its old versions. It takes a minute or two; orders, payments and tickets stay,
/// without a name. A person is erased once: asked again, it answers the first erasure.
#[utoipa::path(post, path = "/v1/people/{person_id}/erasure", tag = "people", request_body = ErasureInput,
    params(("person_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 202, body = ErasureView), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn erase_person(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(person_id): Id<PersonId>,
    Once {
        body,
        key,
        request_hash,
    }: Once<ErasureInput>,
) -> Result<(StatusCode, Json<ErasureView>)> {
    let person = people::get(&mut app.store.read().await?, person_id).await?;
    identity.require(person.organizer_id, Permission::ErasePeople)?;
    let grace = grace(body.grace_seconds)?;
    let id = app
        .write_once("erasures", key, request_hash, identity.actor(), move |tx| {
            Box::pin(async move { Ok(erasure::request(tx, person_id, grace).await?.erasure_id) })
        })
        .await?;
    let erasure = erasure::get(&mut app.store.read().await?, id).await?;
    Ok((StatusCode::ACCEPTED, Json(erasure.into())))
}

/// Erase the data of the person with an e-mail address
///
/// The address is in the body, because addresses of requests end in the logs of whatever stands between.
#[utoipa::path(post, path = "/v1/organizers/{organizer_id}/erasures", tag = "people",
    request_body = ErasureByEmailInput, params(("organizer_id" = String, Path)),
    responses((status = 202, body = ErasureView), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn erase_person_by_email(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Body(input): Body<ErasureByEmailInput>,
) -> Result<(StatusCode, Json<ErasureView>)> {
    identity.require(organizer_id, Permission::ErasePeople)?;
    let grace = grace(input.grace_seconds)?;
    let found = people::by_email(&mut app.store.read().await?, organizer_id, &input.email).await?;
    let person_id = found.ok_or_else(|| Problem::not_found("person"))?.person_id;
    let erasure = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { erasure::request(tx, person_id, grace).await })
        })
        .await?;
    Ok((StatusCode::ACCEPTED, Json(erasure.into())))
}

/// Show how an erasure stands, and its report
#[utoipa::path(get, path = "/v1/erasures/{erasure_id}", tag = "people", params(("erasure_id" = String, Path)),
    responses((status = 200, body = ErasureView), (status = 404, body = Problem)))]
pub async fn show_erasure(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(erasure_id): Id<ErasureId>,
) -> Result<Json<ErasureView>> {
    let erasure = erasure::get(&mut app.store.read().await?, erasure_id).await?;
    identity.require(erasure.organizer_id, Permission::ErasePeople)?;
    Ok(Json(erasure.into()))
}

fn grace(seconds: Option<u64>) -> Result<Duration> {
    match seconds.unwrap_or(GRACE) {
        seconds if seconds <= LONGEST_GRACE => Ok(Duration::from_secs(seconds)),
        _ => Err(Problem::invalid(
            "/grace_seconds",
            format!("old files stay for {LONGEST_GRACE} seconds at most"),
        )),
    }
}
