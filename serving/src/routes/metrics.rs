use crate::{
    auth::Identity,
    extract::Params,
    problem::{Problem, Result},
    rows::{self, Format},
    wiring::App,
};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderValue, header},
    response::Response,
};
use domain::OrganizerId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

#[derive(Serialize, ToSchema)]
pub struct MetricView {
    name: &'static str,
    description: &'static str,
    /// What one row stands for.
    grain: &'static str,
    unit: &'static str,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MetricQuery {
    /// Whose rows; needed by who belongs to several organizers.
    #[param(value_type = Option<String>)]
    organizer_id: Option<OrganizerId>,
}

/// List the metrics
#[utoipa::path(get, path = "/v1/metrics", tag = "lake", responses((status = 200, body = Vec<MetricView>)))]
pub async fn list_metrics(_: Identity) -> Json<Vec<MetricView>> {
    let views = transforms::metrics().iter().map(|metric| MetricView {
        name: &metric.name,
        description: &metric.description,
        grain: &metric.grain,
        unit: &metric.unit,
    });
    Json(views.collect())
}

/// Show a metric as of now
#[utoipa::path(get, path = "/v1/metrics/{name}", tag = "lake", params(("name" = String, Path), MetricQuery),
    responses((status = 200, body = Vec<serde_json::Value>), (status = 404, body = Problem)))]
pub async fn show_metric(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(name): Path<String>,
    Params(query): Params<MetricQuery>,
) -> Result<Response> {
    let metric = transforms::metrics().iter().find(|metric| metric.name == name);
    let metric = metric.ok_or_else(|| Problem::not_found("metric; GET /v1/metrics lists them"))?;
    let principal = identity.principal(query.organizer_id)?;
    let answer = app.queries()?.session(&principal).sql(&metric.sql).await?;
    let mut response = Response::new(rows::body(answer, Format::Json).await?);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
