use super::insights::Maker;
use crate::{
    auth::Identity,
    extract::{Body, Id, Params},
    problem::{Problem, Result},
    view::{Moment, Page, PageQuery, page_of},
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{Label, OrganizerId, SavedQuestionId, Timestamp, role::Permission};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use transactional::insights::questions::{self, QuestionDetails, SavedQuestion};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedQuestionInput {
    #[schema(value_type = String, example = "Sales by hour")]
    #[serde(deserialize_with = "crate::view::typed")]
    name: Label,
    /// At most 2,000 bytes.
    #[serde(default)]
    description: String,
    /// At most 16 KiB. It is kept as it is, and checked when it is asked.
    #[schema(example = "select status, count(*) from orders group by status")]
    sql: String,
    /// How it is drawn: an object that the page understands, at most 16 KiB.
    #[schema(value_type = Option<Object>, example = json!({ "kind": "bar", "x": "status", "y": "count(*)" }))]
    chart: Option<serde_json::Map<String, Value>>,
    /// Seen by everyone of the organizer who may ask the lake.
    #[serde(default)]
    shared: bool,
    /// When it is changed: the `updated_at` that was seen. If it is another one by now, nothing is changed.
    updated_at: Option<Moment>,
}

#[derive(Serialize, ToSchema)]
pub struct SavedQuestionView {
    saved_question_id: String,
    organizer_id: String,
    name: String,
    description: String,
    sql: String,
    #[schema(value_type = Option<Object>)]
    chart: Option<Value>,
    shared: bool,
    /// Whether it is the caller's own.
    mine: bool,
    owner: Maker,
    created_at: Moment,
    updated_at: Moment,
}

impl From<SavedQuestionInput> for QuestionDetails {
    fn from(input: SavedQuestionInput) -> Self {
        Self {
            name: input.name,
            description: input.description,
            sql: input.sql,
            chart: input.chart.map(|chart| Value::Object(chart).to_string()),
            shared: input.shared,
        }
    }
}

/// Save a question
///
/// SQL with the chart that shows its answer. At most 500 an organizer. No change tells of saved questions, so the audit log
/// and webhooks know of none.
#[utoipa::path(post, path = "/v1/organizers/{organizer_id}/saved-questions", tag = "insights",
    request_body = SavedQuestionInput, params(("organizer_id" = String, Path)),
    responses((status = 201, body = SavedQuestionView), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn save_question(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Body(input): Body<SavedQuestionInput>,
) -> Result<(StatusCode, Json<SavedQuestionView>)> {
    identity.require(organizer_id, Permission::ReadLake)?;
    let saved = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { questions::create(tx, organizer_id, input.into()).await })
    });
    let saved = saved.await?;
    Ok((
        StatusCode::CREATED,
        Json(view(&app, &identity, vec![saved]).await?.remove(0)),
    ))
}

/// List one's own saved questions and those that are shared, the newest first
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/saved-questions", tag = "insights",
    params(("organizer_id" = String, Path), PageQuery), responses((status = 200, body = Page<SavedQuestionView>)))]
pub async fn list_saved_questions(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<SavedQuestionView>>> {
    identity.require(organizer_id, Permission::ReadLake)?;
    let (viewer, request) = (identity.actor(), query.request()?);
    let found = questions::list(&mut app.store.read().await?, organizer_id, &viewer, request).await?;
    let items = view(&app, &identity, found.items).await?;
    let page = transactional::Page {
        items,
        next: found.next,
    };
    Ok(Json(page_of(page, |view| view)))
}

/// Show a saved question
#[utoipa::path(get, path = "/v1/saved-questions/{saved_question_id}", tag = "insights",
    params(("saved_question_id" = String, Path)),
    responses((status = 200, body = SavedQuestionView), (status = 404, body = Problem)))]
pub async fn show_saved_question(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<SavedQuestionId>,
) -> Result<Json<SavedQuestionView>> {
    let question = readable(&app, &identity, id).await?;
    Ok(Json(view(&app, &identity, vec![question]).await?.remove(0)))
}

/// Change a saved question
///
/// Its owner may, and of one that is shared also owners and managers of the organizer.
#[utoipa::path(put, path = "/v1/saved-questions/{saved_question_id}", tag = "insights",
    request_body = SavedQuestionInput, params(("saved_question_id" = String, Path)),
    responses((status = 200, body = SavedQuestionView), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn update_saved_question(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<SavedQuestionId>,
    Body(input): Body<SavedQuestionInput>,
) -> Result<Json<SavedQuestionView>> {
    changeable(&app, &identity, id).await?;
    let seen_at = input.updated_at.map(Timestamp::from);
    let updated = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { questions::update(tx, id, input.into(), seen_at).await })
    });
    let updated = updated.await?;
    Ok(Json(view(&app, &identity, vec![updated]).await?.remove(0)))
}

/// Delete a saved question
#[utoipa::path(delete, path = "/v1/saved-questions/{saved_question_id}", tag = "insights",
    params(("saved_question_id" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn delete_saved_question(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(id): Id<SavedQuestionId>,
) -> Result<StatusCode> {
    changeable(&app, &identity, id).await?;
    let deleted = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move { questions::delete(tx, id).await })
    });
    deleted.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A private question does not exist for others.
async fn readable(app: &App, identity: &Identity, id: SavedQuestionId) -> Result<SavedQuestion> {
    let question = questions::get(&mut app.store.read().await?, id).await?;
    identity.require(question.organizer_id, Permission::ReadLake)?;
    match question.details.shared || question.owner == identity.actor() {
        true => Ok(question),
        false => Err(Problem::not_found("saved question")),
    }
}

async fn changeable(app: &App, identity: &Identity, id: SavedQuestionId) -> Result<()> {
    let question = readable(app, identity, id).await?;
    match question.owner == identity.actor() {
        true => Ok(()),
        false => identity.require(question.organizer_id, Permission::ManageEvents),
    }
}

async fn view(app: &App, identity: &Identity, questions: Vec<SavedQuestion>) -> Result<Vec<SavedQuestionView>> {
    let viewer = identity.actor();
    let owners = Maker::all(app, questions.iter().map(|question| question.owner.as_str())).await?;
    let view = |(question, owner): (SavedQuestion, Maker)| SavedQuestionView {
        saved_question_id: question.saved_question_id.to_string(),
        organizer_id: question.organizer_id.to_string(),
        name: question.details.name.to_string(),
        description: question.details.description,
        sql: question.details.sql,
        chart: question
            .details
            .chart
            .and_then(|chart| serde_json::from_str(&chart).ok()),
        shared: question.details.shared,
        mine: question.owner == viewer,
        owner,
        created_at: Moment(question.created_at),
        updated_at: Moment(question.updated_at),
    };
    Ok(questions.into_iter().zip(owners).map(view).collect())
}
