use crate::{
    auth::{Identity, SESSION_COOKIE},
    extract::{Body, ClientAddress},
    problem::{Problem, Result},
    resource::{MembershipResource, Resource},
    view::Moment,
    wiring::App,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
};
use domain::Email;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::access::{self, SessionHolder};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    email: String,
    password: String,
}

#[derive(Serialize, ToSchema)]
pub struct SessionView {
    email: String,
    name: Option<String>,
    platform_admin: bool,
    memberships: Vec<MembershipResource>,
    /// To be sent as `X-CSRF-Token` with every request that changes something.
    csrf_token: String,
    expires_at: Moment,
}

impl From<SessionHolder> for SessionView {
    fn from(holder: SessionHolder) -> Self {
        Self {
            email: holder.user.email.to_string(),
            name: holder.user.name,
            platform_admin: holder.user.platform_admin,
            memberships: holder.memberships.into_iter().map(Resource::from).collect(),
            csrf_token: holder.csrf_token,
            expires_at: Moment(holder.expires_at),
        }
    }
}

/// Log in
///
/// Sets the session cookie. The answer's `csrf_token` goes with every later request that changes something.
#[utoipa::path(post, path = "/v1/session", tag = "session", request_body = LogIn, security(()),
    responses((status = 200, body = SessionView), (status = 401, body = Problem), (status = 429, body = Problem)))]
pub async fn log_in(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    Body(input): Body<LogIn>,
) -> Result<([(HeaderName, String); 1], Json<SessionView>)> {
    app.limits.log_in(address)?;
    let wrong = || {
        Problem::new(
            "wrong_credentials",
            "check both; after several failures an account is locked for a while",
        )
    };
    let email: Email = input.email.parse().map_err(|_| wrong())?;
    let session = access::log_in(&app.store, &email, input.password).await?;
    let holder = access::session(&app.store, &session.token).await?.ok_or_else(wrong)?;
    let seconds = session.expires_at.since(domain::Timestamp::now()).as_secs();
    let cookie = format!(
        "{SESSION_COOKIE}={}; HttpOnly; SameSite=Lax; Path=/; Max-Age={seconds}",
        session.token
    );
    Ok(([(header::SET_COOKIE, cookie)], Json(holder.into())))
}

/// Show who is logged in
#[utoipa::path(get, path = "/v1/session", tag = "session",
    responses((status = 200, body = SessionView), (status = 401, body = Problem)))]
pub async fn show_session(identity: Identity) -> Result<Json<SessionView>> {
    match identity {
        Identity::User(holder) => Ok(Json((*holder).into())),
        _ => Err(Problem::new("unauthenticated", "an API token has no session")),
    }
}

/// Log out
#[utoipa::path(delete, path = "/v1/session", tag = "session", responses((status = 204)))]
pub async fn log_out(
    State(app): State<Arc<App>>,
    identity: Identity,
) -> Result<(StatusCode, [(HeaderName, String); 1])> {
    if let Identity::User(holder) = &identity {
        let session_id = holder.session_id;
        app.store
            .write(identity.actor(), move |tx| {
                Box::pin(async move { access::log_out(tx, session_id).await })
            })
            .await?;
    }
    let gone = format!("{SESSION_COOKIE}=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]))
}
