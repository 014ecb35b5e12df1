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
pub struct QuestionView {
    name: &'static str,
    description: &'static str,
    /// What one row stands for.
    grain: &'static str,
    unit: &'static str,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OwnerQuery {
    /// Whose rows; needed by who belongs to several organizers.
    #[param(value_type = Option<String>)]
    organizer_id: Option<OrganizerId>,
}

/// List the questions that have a name
#[utoipa::path(get, path = "/v1/questions", tag = "lake", responses((status = 200, body = Vec<QuestionView>)))]
pub async fn list_questions(_: Identity) -> Json<Vec<QuestionView>> {
    let views = transforms::questions().iter().map(|question| QuestionView {
        name: &question.name,
        description: &question.description,
        grain: &question.grain,
        unit: &question.unit,
    });
    Json(views.collect())
}

/// Answer a question as of now
#[utoipa::path(get, path = "/v1/questions/{name}", tag = "lake", params(("name" = String, Path), OwnerQuery),
    responses((status = 200, body = Vec<serde_json::Value>), (status = 404, body = Problem)))]
pub async fn show_question(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(name): Path<String>,
    Params(query): Params<OwnerQuery>,
) -> Result<Response> {
    let question = transforms::questions().iter().find(|question| question.name == name);
    let question = question.ok_or_else(|| Problem::not_found("question; GET /v1/questions lists them"))?;
    let session = app.session_for(&identity, query.organizer_id)?;
    let answer = session.sql(&question.sql).await?;
    let mut response = Response::new(rows::body(answer, Format::Json).await?);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
