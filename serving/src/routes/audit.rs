use crate::{
    audit::{self, AuditReport},
    auth::Identity,
    problem::{Problem, Result},
    wiring::App,
};
use axum::{Json, extract::State};
use std::sync::Arc;

/// Prove that lake and core agree
///
/// Compares every entity at one position, while sales go on.
#[utoipa::path(post, path = "/v1/audit", tag = "operation",
    responses((status = 200, body = AuditReport), (status = 403, body = Problem)))]
pub async fn run_audit(State(app): State<Arc<App>>, identity: Identity) -> Result<Json<AuditReport>> {
    identity.require_platform()?;
    let report = audit::audit(&app).await?;
    audit::remember(&app, &report);
    Ok(Json(report))
}
