use crate::{
    auth::Identity,
    extract::bytes,
    problem::{Problem, Result},
    wiring::App,
};
use axum::{
    Json,
    extract::{Path, Request, State},
};
use serde::Serialize;
use std::sync::Arc;
use transactional::payments::{Applied, SIGNATURE_HEADER};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct ReportView {
    /// What it led to: `succeeded`, `failed`, `refunded`, `refund_failed`, `dispute_opened`, `dispute_won`,
    /// `dispute_lost`; `unapplied` (the money came too late and goes back), `repeated` (nothing to do), `mismatch` (an
    /// amount or currency that can't be: stored, not believed), `unknown_payment`, `ignored` (it is of nothing here)
    result: &'static str,
}

#[derive(Serialize, ToSchema)]
pub struct ProviderView {
    name: &'static str,
    signature_header: &'static str,
    /// The key of the webhook's HMAC-SHA256, hexadecimal.
    secret_hex: String,
}

/// Take a payment provider's report
///
/// Reports may come twice, late and in any order; each changes a payment at most once. The body is the provider's own
/// and carries its signature in a header.
#[utoipa::path(post, path = "/v1/webhooks/payments/{provider}", tag = "payments", security(()),
    params(("provider" = String, Path)), request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = ReportView), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub async fn take_report(
    State(app): State<Arc<App>>,
    Path(provider): Path<String>,
    request: Request,
) -> Result<Json<ReportView>> {
    if provider != app.payments.provider().name() {
        return Err(Problem::not_found("payment provider"));
    }
    let signature = request
        .headers()
        .get(app.payments.provider().signature_header())
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let body = bytes(request, &app).await?;
    let applied = app.payments.take_report(signature.as_deref(), &body).await?;
    let result = applied.map_or("ignored", name);
    Ok(Json(ReportView { result }))
}

/// Show the test payment provider, so that a test can play it
#[utoipa::path(get, path = "/v1/payment-providers/test", tag = "payments",
    responses((status = 200, body = ProviderView), (status = 403, body = Problem)))]
pub async fn show_test_provider(State(app): State<Arc<App>>, identity: Identity) -> Result<Json<ProviderView>> {
    identity.require_platform()?;
    let secret_hex = app
        .store
        .webhook_secret()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Json(ProviderView {
        name: app.payments.provider().name(),
        signature_header: SIGNATURE_HEADER,
        secret_hex,
    }))
}

fn name(applied: Applied) -> &'static str {
    match applied {
        Applied::Done(outcome) => outcome.as_str(),
        Applied::Unapplied => "unapplied",
        Applied::Repeated => "repeated",
        Applied::Mismatch => "mismatch",
        Applied::UnknownPayment => "unknown_payment",
    }
}
