//! Dashboards for who is logged in. Who has a link to a shared one goes through the functions of [`shared_page`] and its
//! like.

use super::sql::POSITION;
use crate::{
    auth::{Caller, Identity, SESSION_COOKIE, cookie},
    dashboards::{
        self, Asking, Audience, FileFormat, Frame, Shared, StillValid,
        view::{Choice, Link, PageView},
    },
    problem::{Problem, Result},
    wiring::App,
};
use axum::{
    Router,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use chrono::DateTime;
use lakehouse::Principal;
use std::sync::Arc;
use transactional::{PageRequest, access, organizers};

const HERE: &str = "/dashboards";
/// Charts are drawn by WebAssembly and workers of ours, and set styles by themselves; nothing from elsewhere is loaded.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; \
                      worker-src 'self' blob:; base-uri 'none'; form-action 'self'";
/// More are found by their names elsewhere; a list of choices ends somewhere.
const MOST_ORGANIZERS: u32 = 200;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route(HERE, get(first))
        .route("/dashboards/", get(first))
        .route("/dashboards/sql", get(sql))
        .route("/dashboards/manage", get(manage))
        .route("/dashboards/assets/{*path}", get(asset))
        .route("/dashboards/{page}", get(page))
        .route("/dashboards/{page}/panels/{id}", get(panel))
        .route("/dashboards/{page}/live", get(live))
}

async fn first(State(app): State<Arc<App>>, caller: Caller, RawQuery(query): RawQuery) -> Result<Response> {
    let Caller(Some(identity)) = caller else {
        return Ok(log_in(HERE));
    };
    let loaded = app.dashboards.files.current();
    let may_see = |page: &&Arc<dashboards::Page>| page.audience == Audience::Organizer || identity.is_platform();
    let first = loaded
        .pages
        .iter()
        .find(may_see)
        .ok_or_else(|| Problem::not_found("dashboard"))?;
    let query = query.map_or(String::new(), |query| format!("?{query}"));
    Ok(Redirect::to(&format!("{HERE}/{}{query}", first.name)).into_response())
}

async fn page(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let Caller(Some(identity)) = caller else {
        return log_in(&format!("{HERE}/{name}?{query}"));
    };
    let made = async {
        let asking = dashboards::looked_at(&app, &identity, &name, &query).await?;
        let frame = frame(&app, &identity, &asking).await?;
        whole_page(&app, &asking, &frame).await
    };
    match made.await {
        Ok(html) => html_page(html, false),
        Err(problem) => problem_page(&app, &identity, problem).await,
    }
}

async fn panel(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path((name, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let query = query.unwrap_or_default();
    let asking = dashboards::looked_at(&app, &identity, &name, &query).await?;
    one_panel(&asking, &id, &query).await
}

async fn live(
    State(app): State<Arc<App>>,
    identity: Identity,
    headers: HeaderMap,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let asking = dashboards::looked_at(&app, &identity, &name, &query.unwrap_or_default()).await?;
    let still_valid = still_valid(&app, &identity, &headers, &asking);
    let events = app.dashboards.live.listen(asking, still_valid, app.stopping.clone())?;
    Ok(events.into_response())
}

async fn sql(State(app): State<Arc<App>>, caller: Caller, RawQuery(query): RawQuery) -> Response {
    let Caller(Some(identity)) = caller else {
        return log_in("/dashboards/sql");
    };
    let made = async {
        let asked = organizer_of(query.as_deref().unwrap_or_default())?;
        let organizer = dashboards::organizer(&identity, asked);
        let session = app.session_for(&identity, organizer)?;
        let project = app.transforms.as_ref().map(|runner| runner.project());
        let schema = dashboards::Schema::of(&session, project).await?;
        let mut frame = surroundings(&app, &identity, organizer).await?;
        frame.title = "SQL".to_owned();
        "sql".clone_into(&mut frame.page);
        frame.base = "/dashboards/sql".to_owned();
        dashboards::sql_html(&app.dashboards.files.current(), &frame, &schema)
    };
    match made.await {
        Ok(html) => html_page(html, false),
        Err(problem) => problem_page(&app, &identity, problem).await,
    }
}

/// What an organizer has given away: links, reports, alerts. The page asks for them itself.
async fn manage(State(app): State<Arc<App>>, caller: Caller, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let Caller(Some(identity)) = caller else {
        return log_in(&format!("/dashboards/manage?{query}"));
    };
    let made = async {
        let organizer = dashboards::organizer(&identity, organizer_of(&query)?);
        identity.principal(organizer)?;
        let mut frame = surroundings(&app, &identity, organizer).await?;
        frame.title = "Links, reports and alerts".to_owned();
        "manage".clone_into(&mut frame.page);
        frame.base = "/dashboards/manage".to_owned();
        dashboards::manage_html(&app.dashboards.files.current(), &frame)
    };
    match made.await {
        Ok(html) => html_page(html, false),
        Err(problem) => problem_page(&app, &identity, problem).await,
    }
}

async fn asset(State(app): State<Arc<App>>, Path(path): Path<String>) -> Response {
    match app.dashboards.files.asset(&path) {
        Some(content) => super::pages::file(&path, content, POLICY, super::pages::FOREVER),
        None => Problem::not_found("file").into_response(),
    }
}

/// The page of a shared dashboard.
pub async fn shared_page(app: &App, shared: &Shared, embed: bool) -> Result<Response> {
    let asking = dashboards::shared(app, shared).await?;
    let until = DateTime::from_timestamp_micros(shared.until.as_micros()).unwrap_or_default();
    let frame = Frame {
        title: asking.page.title.clone(),
        shared_by: match asking.principal.organizer {
            Some(id) => organizers::get(&mut app.store.read().await?, id)
                .await?
                .value
                .name
                .to_string(),
            None => String::new(),
        },
        shared_until: until.with_timezone(&asking.zone).format("%-d %b %Y, %H:%M").to_string(),
        base: format!("/shared/{}", shared.token),
        page: asking.page.name.clone(),
        shared: true,
        embed,
        ..Frame::default()
    };
    Ok(html_page(whole_page(app, &asking, &frame).await?, shared.may_embed))
}

/// One panel of it. `query` may say a format, and nothing else counts.
pub async fn shared_panel(app: &App, shared: &Shared, id: &str, query: &str) -> Result<Response> {
    one_panel(&dashboards::shared(app, shared).await?, id, query).await
}

pub async fn shared_live(app: &App, shared: &Shared) -> Result<Response> {
    let asking = dashboards::shared(app, shared).await?;
    let events = app
        .dashboards
        .live
        .listen(asking, shared.still_valid.clone(), app.stopping.clone())?;
    Ok(events.into_response())
}

async fn whole_page(app: &App, asking: &Asking, frame: &Frame) -> Result<String> {
    let asks_for_event = asking.page.of.is_some() && asking.state.event(&asking.page).is_none();
    let answers = async {
        match asks_for_event {
            true => Vec::new(),
            false => asking.all().await,
        }
    };
    let choices = async {
        match frame.shared {
            true => asking.chosen().await,
            false => asking.choices(&frame.base).await,
        }
    };
    let (answers, choices) = tokio::join!(answers, choices);
    let view = PageView::new(asking, frame, choices, &answers)?;
    dashboards::page_html(&app.dashboards.files.current(), frame, &view)
}

async fn one_panel(asking: &Asking, id: &str, query: &str) -> Result<Response> {
    let panel = asking
        .page
        .panel(id)
        .ok_or_else(|| Problem::not_found("panel of this dashboard"))?;
    let format = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "format");
    let format = format.map_or("json".to_owned(), |(_, format)| format.into_owned());
    if format == "json" {
        let data = asking.answer(panel).await;
        let position = HeaderValue::from(data.position);
        return Ok(([(POSITION, position)], axum::Json(data)).into_response());
    }
    let format: FileFormat = format.parse()?;
    let (body, position) = dashboards::file(asking, panel, format).await?;
    let name = format!("{}-{id}.{}", asking.page.name, format.ending());
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.media_type())),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::try_from(format!("attachment; filename=\"{name}\"")).map_err(Problem::internal)?,
        ),
        (POSITION, HeaderValue::from(position)),
    ];
    Ok((headers, body).into_response())
}

async fn frame(app: &App, identity: &Identity, asking: &Asking) -> Result<Frame> {
    let mut frame = surroundings(app, identity, asking.principal.organizer).await?;
    frame.title = asking.page.title.clone();
    frame.base = format!("{HERE}/{}", asking.page.name);
    frame.query = asking.state.query();
    frame.page = asking.page.name.clone();
    // Whoever goes on to another page goes on with the days and filters that they chose.
    frame.nav = nav(app, identity, |page| asking.state.carried(&asking.page, page).query());
    frame
        .nav
        .iter_mut()
        .for_each(|link| link.current = link.href.starts_with(&format!("{}?", frame.base)));
    Ok(frame)
}

/// Where else who is logged in can go, and whose rows they may look at.
async fn surroundings(app: &App, identity: &Identity, organizer: Option<domain::OrganizerId>) -> Result<Frame> {
    let organizer_id = organizer.map_or(String::new(), |id| id.to_string());
    Ok(Frame {
        nav: nav(app, identity, |_| format!("organizer_id={organizer_id}")),
        organizers: choices(app, identity, &organizer_id).await?,
        viewer: match identity {
            Identity::User(holder) => holder
                .user
                .name
                .clone()
                .unwrap_or_else(|| holder.user.email.to_string()),
            _ => String::new(),
        },
        platform: identity.is_platform(),
        organizer_id,
        ..Frame::default()
    })
}

/// The pages that there are for them, each with what its address says.
fn nav(app: &App, identity: &Identity, query: impl Fn(&dashboards::Page) -> String) -> Vec<Link> {
    let loaded = app.dashboards.files.current();
    let seen = loaded
        .pages
        .iter()
        .filter(|page| page.audience == Audience::Organizer || identity.is_platform());
    let link = |page: &Arc<dashboards::Page>| Link {
        title: page.title.clone(),
        href: format!("{HERE}/{}?{}", page.name, query(page)),
        current: false,
    };
    seen.map(link).collect()
}

async fn choices(app: &App, identity: &Identity, current: &str) -> Result<Vec<Choice>> {
    let mut db = app.store.read().await?;
    let mut choices = Vec::new();
    if identity.is_platform() {
        choices.push(Choice {
            value: String::new(),
            label: "All organizers".to_owned(),
            selected: current.is_empty(),
        });
        let page = PageRequest {
            limit: MOST_ORGANIZERS,
            after: None,
        };
        let found = organizers::list(&mut db, page).await?.items.into_iter();
        choices.extend(found.map(|organizer| choice(&organizer.value, current)));
    } else {
        for id in identity.organizers() {
            choices.push(choice(&organizers::get(&mut db, id).await?.value, current));
        }
    }
    Ok(choices)
}

fn choice(organizer: &domain::changes::Organizer, current: &str) -> Choice {
    let value = organizer.id.to_string();
    Choice {
        label: organizer.name.to_string(),
        selected: value == current,
        value,
    }
}

fn organizer_of(query: &str) -> Result<Option<domain::OrganizerId>> {
    let asked = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "organizer_id");
    let asked = asked.filter(|(_, id)| !id.is_empty());
    let wrong = |error: domain::Invalid| Problem::new("invalid_parameter", error.to_string()).at("/organizer_id");
    asked.map(|(_, id)| id.parse().map_err(wrong)).transpose()
}

/// A session may end while a page is open, a token may be revoked, and either may come to see less.
fn still_valid(app: &Arc<App>, identity: &Identity, headers: &HeaderMap, asking: &Asking) -> StillValid {
    let session = match identity {
        Identity::User(_) => cookie(headers, SESSION_COOKIE).map(str::to_owned),
        _ => None,
    };
    let bearer = headers.get(header::AUTHORIZATION).cloned();
    let (app, audience, principal) = (Arc::clone(app), asking.page.audience, asking.principal.clone());
    Arc::new(move || {
        let (app, session, bearer, principal) = (app.clone(), session.clone(), bearer.clone(), principal.clone());
        Box::pin(async move {
            let now = match (session, bearer) {
                (Some(token), _) => access::session(&app.store, &token)
                    .await
                    .map(|holder| holder.map(|holder| Identity::User(Box::new(holder))))
                    .map_err(Problem::from),
                (None, Some(bearer)) => crate::auth::of_header(&app, &bearer).await.map(Some),
                (None, None) => Ok(None),
            };
            match now {
                Ok(identity) => identity.is_some_and(|identity| may_go_on(&identity, audience, &principal)),
                // The core is away for a moment: nobody is sent away for that.
                Err(problem) => problem.status().is_server_error(),
            }
        })
    })
}

/// Whether the page is still there for them, with the same rows.
fn may_go_on(identity: &Identity, audience: Audience, principal: &Principal) -> bool {
    let is_there = audience == Audience::Organizer || identity.is_platform();
    is_there
        && identity
            .principal(principal.organizer)
            .is_ok_and(|now| now == *principal)
}

fn log_in(next: &str) -> Response {
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    Redirect::to(&format!("/?next={next}")).into_response()
}

pub(super) fn html_page(html: String, may_embed: bool) -> Response {
    let ancestors = if may_embed { "*" } else { "'none'" };
    let headers: [(HeaderName, String); 4] = [
        (
            header::CONTENT_SECURITY_POLICY,
            format!("{POLICY}; frame-ancestors {ancestors}"),
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::REFERRER_POLICY, "same-origin".to_owned()),
    ];
    (headers, Html(html)).into_response()
}

/// What went wrong, with the way back to what works.
async fn problem_page(app: &App, identity: &Identity, problem: Problem) -> Response {
    let status: StatusCode = problem.status();
    let frame = surroundings(app, identity, None).await.unwrap_or_default();
    match dashboards::problem_html(&app.dashboards.files.current(), &frame, &problem) {
        Ok(html) => (status, html_page(html, false)).into_response(),
        Err(_) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{OrganizerId, Role};

    #[test]
    fn who_comes_to_see_less_goes_on_no_longer() {
        let organizer_id = OrganizerId::new();
        let of = |organizer_id, role| Identity::Token {
            id: "t".into(),
            organizer_id,
            role,
        };
        let may = |identity: &Identity, before: &Identity, audience| {
            let principal = before.principal(None).unwrap();
            may_go_on(identity, audience, &principal)
        };
        let analyst = of(organizer_id, Role::Analyst);
        assert!(may(&analyst, &analyst, Audience::Organizer));
        assert!(!may(&of(organizer_id, Role::Door), &analyst, Audience::Organizer));
        assert!(!may(
            &of(OrganizerId::new(), Role::Analyst),
            &analyst,
            Audience::Organizer
        ));
        let owner = of(organizer_id, Role::Owner);
        assert!(
            !may(&analyst, &owner, Audience::Organizer),
            "names are not for analysts"
        );
        let platform = Identity::Platform { id: "p".into() };
        assert!(may(&platform, &platform, Audience::Platform));
        for audience in [Audience::Organizer, Audience::Platform] {
            assert!(
                !may(&owner, &platform, audience),
                "who was the platform's sees one organizer now"
            );
        }
        assert!(!may(&owner, &owner, Audience::Platform));
    }
}
