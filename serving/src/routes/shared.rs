//! Dashboards for who has a link to one.

use super::dashboards::{html_page, shared_live, shared_page, shared_panel};
use crate::{
    auth::share_principal,
    dashboards::{self, Frame, Shared},
    problem::{Problem, Result},
    wiring::App,
};
use axum::{
    Router,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
    routing::get,
};
use std::sync::Arc;
use transactional::insights::shares;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/shared/{token}", get(page))
        .route("/shared/{token}/panels/{id}", get(panel))
        .route("/shared/{token}/live", get(live))
}

async fn page(State(app): State<Arc<App>>, Path(token): Path<String>, RawQuery(query): RawQuery) -> Response {
    let embed = query.is_some_and(|query| query.split('&').any(|pair| pair == "embed=1"));
    let made = async { shared_page(&app, &of_link(&app, token).await?, embed).await };
    match made.await {
        Ok(page) => page,
        Err(problem) => plain(&app, problem),
    }
}

async fn panel(
    State(app): State<Arc<App>>,
    Path((token, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    shared_panel(&app, &of_link(&app, token).await?, &id, &query.unwrap_or_default()).await
}

async fn live(State(app): State<Arc<App>>, Path(token): Path<String>) -> Result<Response> {
    shared_live(&app, &of_link(&app, token).await?).await
}

async fn of_link(app: &Arc<App>, token: String) -> Result<Shared> {
    let found = shares::shared(&app.store, &token).await?;
    let share = found.ok_or_else(|| Problem::not_found("link, or it has expired or was revoked"))?;
    let (asking, known) = (app.clone(), token.clone());
    Ok(Shared {
        token,
        page: share.page.clone(),
        state: share.state.clone(),
        principal: share_principal(&share),
        may_embed: share.may_embed,
        until: share.expires_at,
        still_valid: Arc::new(move || {
            let (app, token) = (asking.clone(), known.clone());
            Box::pin(async move {
                match shares::shared(&app.store, &token).await {
                    Ok(share) => share.is_some(),
                    // The core is away for a moment: nobody is sent away for that.
                    Err(_) => true,
                }
            })
        }),
    })
}

/// A page without ways to anywhere, since who has a link has no account.
fn plain(app: &App, problem: Problem) -> Response {
    let frame = Frame {
        shared: true,
        ..Frame::default()
    };
    match dashboards::problem_html(&app.dashboards.files.current(), &frame, &problem) {
        Ok(html) => (problem.status(), html_page(html, false)).into_response(),
        Err(_) => problem.into_response(),
    }
}
