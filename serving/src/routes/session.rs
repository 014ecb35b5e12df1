use crate::{
    auth::{Identity, SESSION_COOKIE},
    extract::{Body, ClientAddress, Id, UserAgent},
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
use domain::{Email, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::access::{self, Device, OpenSession, Proof, SessionHolder};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    email: String,
    password: String,
    /// Of the second factor, if the account has one: six digits, or a recovery code.
    code: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct SessionView {
    session_id: String,
    email: String,
    email_verified: bool,
    name: Option<String>,
    platform_admin: bool,
    /// Log-ins to this account need a code as well.
    second_factor: bool,
    memberships: Vec<MembershipResource>,
    /// To be sent as `X-CSRF-Token` with every request that changes something.
    csrf_token: String,
    expires_at: Moment,
}

impl From<SessionHolder> for SessionView {
    fn from(holder: SessionHolder) -> Self {
        Self {
            session_id: holder.session_id.to_string(),
            email: holder.user.email.to_string(),
            email_verified: holder.user.email_verified,
            name: holder.user.name,
            platform_admin: holder.user.platform_admin,
            second_factor: holder.user.second_factor,
            memberships: holder.memberships.into_iter().map(Resource::from).collect(),
            csrf_token: holder.csrf_token,
            expires_at: Moment(holder.expires_at),
        }
    }
}

/// Log in
///
/// Sets the session cookie. The answer's `csrf_token` goes with every later request that changes something. An account
/// with a second factor answers `code_needed` first: the same again with `code`.
#[utoipa::path(post, path = "/v1/session", tag = "session", request_body = LogIn, security(()),
    responses((status = 200, body = SessionView), (status = 401, body = Problem), (status = 429, body = Problem)))]
pub async fn log_in(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    UserAgent(user_agent): UserAgent,
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
    let proof = Proof {
        email,
        password: input.password,
        code: input.code,
        at: Timestamp::now(),
    };
    let device = Device {
        user_agent,
        address: Some(address.to_string()),
    };
    let session = access::log_in(&app.store, proof, device).await?;
    let holder = access::session(&app.store, &session.token).await?.ok_or_else(wrong)?;
    let seconds = session.expires_at.since(Timestamp::now()).as_secs();
    let cookie = set_cookie(&app.public_url, &session.token, seconds);
    Ok(([(header::SET_COOKIE, cookie)], Json(holder.into())))
}

/// Where people come over HTTPS, a browser never sends the cookie in the clear. Without, it would not send it at all.
fn set_cookie(public_url: &str, token: &str, seconds: u64) -> String {
    let https = public_url.to_ascii_lowercase().starts_with("https://");
    let secure = if https { "; Secure" } else { "" };
    format!("{SESSION_COOKIE}={token}; HttpOnly; SameSite=Lax; Path=/; Max-Age={seconds}{secure}")
}

/// Show who is logged in
#[utoipa::path(get, path = "/v1/session", tag = "session",
    responses((status = 200, body = SessionView), (status = 401, body = Problem)))]
pub async fn show_session(identity: Identity) -> Result<Json<SessionView>> {
    Ok(Json(own_session(identity)?.into()))
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
    let gone = set_cookie(&app.public_url, "", 0);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]))
}

#[derive(Serialize, ToSchema)]
pub struct OpenSessionView {
    session_id: String,
    /// It is the one that asks.
    current: bool,
    user_agent: Option<String>,
    address: Option<String>,
    created_at: Moment,
    /// To the minute.
    last_seen_at: Moment,
    expires_at: Moment,
}

impl OpenSessionView {
    fn new(session: OpenSession, current: SessionId) -> Self {
        Self {
            session_id: session.session_id.to_string(),
            current: session.session_id == current,
            user_agent: session.device.user_agent,
            address: session.device.address,
            created_at: Moment(session.created_at),
            last_seen_at: Moment(session.last_seen_at),
            expires_at: Moment(session.expires_at),
        }
    }
}

/// List your sessions, the newest first
#[utoipa::path(get, path = "/v1/sessions", tag = "session",
    responses((status = 200, body = Vec<OpenSessionView>), (status = 401, body = Problem)))]
pub async fn list_sessions(State(app): State<Arc<App>>, identity: Identity) -> Result<Json<Vec<OpenSessionView>>> {
    let holder = own_session(identity)?;
    let (user_id, current) = (holder.user.user_id, holder.session_id);
    let sessions = access::open_sessions(&mut app.store.read().await?, user_id, Timestamp::now()).await?;
    let view = |session| OpenSessionView::new(session, current);
    Ok(Json(sessions.into_iter().map(view).collect()))
}

/// End one of your sessions
#[utoipa::path(delete, path = "/v1/sessions/{session_id}", tag = "session", params(("session_id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn end_session(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(session_id): Id<SessionId>,
) -> Result<StatusCode> {
    let (actor, user_id) = (identity.actor(), own_session(identity)?.user.user_id);
    app.store
        .write(actor, move |tx| {
            Box::pin(async move { access::end_session(tx, user_id, session_id).await })
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize, ToSchema)]
pub struct EndedSessions {
    ended: u64,
}

/// End all your other sessions
#[utoipa::path(delete, path = "/v1/sessions", tag = "session",
    responses((status = 200, body = EndedSessions), (status = 401, body = Problem)))]
pub async fn end_other_sessions(State(app): State<Arc<App>>, identity: Identity) -> Result<Json<EndedSessions>> {
    let (actor, holder) = (identity.actor(), own_session(identity)?);
    let (user_id, current) = (holder.user.user_id, holder.session_id);
    let ended = app
        .store
        .write(actor, move |tx| {
            Box::pin(async move { access::end_other_sessions(tx, user_id, current).await })
        })
        .await?;
    Ok(Json(EndedSessions { ended }))
}

/// The session of a request that is made in one.
pub fn own_session(identity: Identity) -> Result<SessionHolder> {
    match identity {
        Identity::User(holder) => Ok(*holder),
        _ => Err(Problem::new("unauthenticated", "an API token has no session")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_of_an_https_address_is_never_sent_in_the_clear() {
        for (url, secure) in [
            ("https://tickets.example.org", true),
            ("HTTPS://tickets.example.org", true),
            ("http://127.0.0.1:8484", false),
        ] {
            for cookie in [set_cookie(url, "token", 60), set_cookie(url, "", 0)] {
                assert_eq!(cookie.ends_with("; Secure"), secure, "{url}: {cookie}");
            }
        }
    }
}
