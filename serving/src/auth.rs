//! Who asks, and whether they may: an API token, a session cookie, or the admin token of this server.

use crate::{
    problem::{Problem, Result},
    wiring::App,
};
use axum::{
    extract::{FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{EventId, OrganizerId, Role, changes::DashboardShare, role::Permission};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use transactional::{
    Stored,
    access::{self, SessionHolder, TokenHolder},
    check_ins::Scanner,
    devices::{self, DeviceHolder},
};

pub const SESSION_COOKIE: &str = "bilten_session";
const CSRF_HEADER: &str = "x-csrf-token";
/// How long a revoked token may still be believed. Without this memory each scan at a door would begin with a read.
const TOKEN_MEMORY: Duration = Duration::from_secs(2);
const TOKENS_REMEMBERED: usize = 10_000;

/// Whoever makes a request, known.
#[derive(Clone, Debug)]
pub enum Identity {
    /// The operator of this server: its commands, or a platform token.
    Platform {
        id: String,
    },
    Token {
        id: String,
        organizer_id: OrganizerId,
        role: Role,
    },
    /// A scanner: it may check in, and only at its own event if it has one.
    Device(DeviceHolder),
    User(Box<SessionHolder>),
}

/// Whoever makes a request to a public route, known or not.
pub struct Caller(pub Option<Identity>);

impl Identity {
    /// For the outbox's `actor`.
    pub fn actor(&self) -> String {
        match self {
            Identity::Platform { id } => format!("platform:{id}"),
            Identity::Token { id, .. } => format!("token:{id}"),
            Identity::Device(holder) => format!("device:{}", holder.device_id),
            Identity::User(holder) => format!("user:{}", holder.user.user_id),
        }
    }

    fn role(&self, organizer: OrganizerId) -> Option<Role> {
        match self {
            Identity::Platform { .. } => Some(Role::Owner),
            Identity::Token { organizer_id, role, .. } => (*organizer_id == organizer).then_some(*role),
            Identity::Device(holder) => (holder.organizer_id == organizer).then_some(Role::Door),
            Identity::User(holder) if holder.user.platform_admin => Some(Role::Owner),
            Identity::User(holder) => holder
                .memberships
                .iter()
                .find(|membership| membership.organizer_id == organizer && membership.active)
                .map(|membership| membership.role),
        }
    }

    /// An organizer that the identity has nothing to do with does not exist for it: 404, so that ids can't be probed.
    pub fn require(&self, organizer: OrganizerId, permission: Permission) -> Result<()> {
        match self.role(organizer) {
            None => Err(Problem::not_found("organizer, or nothing of it is yours")),
            Some(role) if role.may(permission) => Ok(()),
            Some(role) => Err(Problem::forbidden(format!("the role {role} does not allow this"))),
        }
    }

    /// The same for one event: a device of another event has nothing to do with it.
    pub fn require_at(&self, organizer: OrganizerId, event: EventId, permission: Permission) -> Result<()> {
        match self {
            Identity::Device(holder) if holder.event_id.is_some_and(|own| own != event) => {
                Err(Problem::not_found("event, or this device is of another"))
            }
            _ => self.require(organizer, permission),
        }
    }

    /// As a door knows it.
    pub fn scanner(&self) -> Scanner {
        let device = match self {
            Identity::Device(holder) => Some(holder),
            _ => None,
        };
        Scanner {
            actor: self.actor(),
            device_id: device.map(|holder| holder.device_id),
            gate: device.and_then(|holder| holder.gate.clone()),
        }
    }

    pub fn may(&self, organizer: OrganizerId, permission: Permission) -> bool {
        self.require(organizer, permission).is_ok()
    }

    pub fn is_platform(&self) -> bool {
        match self {
            Identity::Platform { .. } => true,
            Identity::Token { .. } | Identity::Device(_) => false,
            Identity::User(holder) => holder.user.platform_admin,
        }
    }

    pub fn require_platform(&self) -> Result<()> {
        if self.is_platform() {
            return Ok(());
        }
        Err(Problem::forbidden(
            "this is for the platform's operator: use the admin token or a platform account",
        ))
    }

    /// The organizers that it belongs to.
    pub fn organizers(&self) -> Vec<OrganizerId> {
        match self {
            Identity::Platform { .. } => Vec::new(),
            Identity::Token { organizer_id, .. } => vec![*organizer_id],
            Identity::Device(holder) => vec![holder.organizer_id],
            Identity::User(holder) => holder
                .memberships
                .iter()
                .filter(|m| m.active)
                .map(|membership| membership.organizer_id)
                .collect(),
        }
    }

    /// Whose rows a query sees. A user of several organizers has to say which one is meant.
    pub fn principal(&self, asked: Option<OrganizerId>) -> Result<lakehouse::Principal> {
        let organizer = match (asked, self) {
            (Some(asked), _) => Some(asked),
            (None, identity) if identity.is_platform() => None,
            (None, identity) => match identity.organizers()[..] {
                [only] => Some(only),
                [] => return Err(Problem::forbidden("you belong to no organizer")),
                _ => {
                    return Err(Problem::invalid(
                        "/organizer_id",
                        "you belong to several organizers: name one",
                    ));
                }
            },
        };
        let personal_data = match organizer {
            Some(organizer) => {
                self.require(organizer, Permission::ReadLake)?;
                self.may(organizer, Permission::ReadOrders)
            }
            None => true,
        };
        Ok(lakehouse::Principal {
            id: self.actor(),
            organizer,
            personal_data,
        })
    }
}

impl FromRequestParts<Arc<App>> for Identity {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        identify(parts, app)
            .await?
            .ok_or_else(|| Problem::new("unauthenticated", "send Authorization: Bearer <token>, or log in"))
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        identify(parts, app).await.map(Self)
    }
}

/// For routes that no door needs: whatever a device's token is asked for there, it is not for that.
pub async fn refuse_devices(request: Request, next: Next) -> Response {
    match secret(request.headers()) {
        Some(Ok(secret)) if secret.starts_with(devices::PREFIX) => {
            Problem::forbidden("a device's token is for doors and nothing else").into_response()
        }
        _ => next.run(request).await,
    }
}

/// Who an Authorization header names, for whoever has to ask again later.
pub async fn of_header(app: &App, value: &HeaderValue) -> Result<Identity> {
    bearer(app, secret_in(value)?).await
}

/// What the Authorization header holds.
fn secret(headers: &HeaderMap) -> Option<Result<&str>> {
    headers.get(header::AUTHORIZATION).map(secret_in)
}

fn secret_in(value: &HeaderValue) -> Result<&str> {
    let secret = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    secret.map(|(_, secret)| secret.trim()).ok_or_else(|| {
        Problem::new(
            "unauthenticated",
            "the Authorization header is not of the form Bearer <token>",
        )
    })
}

async fn identify(parts: &Parts, app: &App) -> Result<Option<Identity>> {
    if let Some(secret) = secret(&parts.headers) {
        return bearer(app, secret?).await.map(Some);
    }
    let Some(token) = cookie(&parts.headers, SESSION_COOKIE) else {
        return Ok(None);
    };
    let Some(holder) = access::session(&app.store, token).await? else {
        return Ok(None);
    };
    if parts.method != Method::GET && parts.method != Method::HEAD {
        let sent = parts.headers.get(CSRF_HEADER).map(|value| value.as_bytes());
        if sent != Some(holder.csrf_token.as_bytes()) {
            return Err(Problem::new(
                "csrf",
                format!("send the session's csrf_token in the header {CSRF_HEADER}"),
            ));
        }
    }
    Ok(Some(Identity::User(Box::new(holder))))
}

/// Whose token this is.
pub(crate) async fn bearer(app: &App, secret: &str) -> Result<Identity> {
    let hash: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
    if hash == app.admin_token_hash {
        return Ok(Identity::Platform { id: "server".into() });
    }
    if let Some(known) = app.tokens.recall(&hash) {
        return Ok(known);
    }
    let found = match secret.starts_with(devices::PREFIX) {
        true => devices::holder(&app.store, secret).await?.map(Identity::Device),
        false => access::token_holder(&app.store, secret).await?.map(Identity::from),
    };
    let identity = found.ok_or_else(|| Problem::new("unauthenticated", "this token is unknown or was revoked"))?;
    app.tokens.remember(hash, identity.clone());
    Ok(identity)
}

impl From<TokenHolder> for Identity {
    fn from(holder: TokenHolder) -> Self {
        match holder.organizer {
            Some((organizer_id, role)) => Identity::Token {
                id: holder.id,
                organizer_id,
                role,
            },
            None => Identity::Platform { id: holder.id },
        }
    }
}

/// Whoever has a link to a dashboard: the organizer's figures, and nobody's name.
pub fn share_principal(share: &Stored<DashboardShare>) -> lakehouse::Principal {
    lakehouse::Principal {
        id: format!("share:{}", share.dashboard_share_id),
        organizer: Some(share.organizer_id),
        personal_data: false,
    }
}

pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let text = headers.get(header::COOKIE)?.to_str().ok()?;
    text.split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Tokens that were found good a moment ago, by the hash of their secret.
#[derive(Default)]
pub struct TokenMemory(Mutex<HashMap<[u8; 32], (Instant, Identity)>>);

impl TokenMemory {
    fn recall(&self, hash: &[u8; 32]) -> Option<Identity> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(hash)
            .filter(|(at, _)| at.elapsed() < TOKEN_MEMORY)
            .map(|(_, identity)| identity.clone())
    }

    fn remember(&self, hash: [u8; 32], identity: Identity) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= TOKENS_REMEMBERED {
            known.clear();
        }
        known.insert(hash, (Instant::now(), identity));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_token_reaches_its_own_organizer_and_others_do_not_exist_for_it() {
        let (own, other) = (OrganizerId::new(), OrganizerId::new());
        let token = Identity::Token {
            id: "t".into(),
            organizer_id: own,
            role: Role::Analyst,
        };
        assert!(token.require(own, Permission::ReadLake).is_ok());
        assert_eq!(token.require(own, Permission::CheckIn).unwrap_err().code, "forbidden");
        assert_eq!(
            token.require(other, Permission::ReadLake).unwrap_err().code,
            "not_found"
        );
        assert_eq!(token.principal(None).unwrap().organizer, Some(own));
        assert!(!token.principal(None).unwrap().personal_data);
        assert_eq!(token.principal(Some(other)).unwrap_err().code, "not_found");
        assert!(token.require_platform().is_err());
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            HeaderValue::from_static("a=1; bilten_session=s3cret; b=2"),
        );
        assert_eq!(cookie(&headers, SESSION_COOKIE), Some("s3cret"));
        assert_eq!(cookie(&headers, "session"), None);
    }
}
