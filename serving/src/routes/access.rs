use crate::{
    auth::Identity,
    extract::{Body, Id, Ids, Params},
    problem::{Problem, Result},
    resource::{ApiTokenResource, MembershipResource},
    view::{Page, PageQuery, page, page_of},
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{ApiTokenId, Email, Label, MembershipId, OrganizerId, Role, role::Permission};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::access::{self, NewUser};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserInput {
    #[schema(value_type = String)]
    email: Email,
    name: Option<String>,
    /// 8 to 200 characters.
    password: String,
    /// May do everything, for every organizer.
    #[serde(default)]
    platform_admin: bool,
}

#[derive(Serialize, ToSchema)]
pub struct UserView {
    user_id: String,
    email: String,
    name: Option<String>,
    platform_admin: bool,
}

/// Create a user
#[utoipa::path(post, path = "/v1/users", tag = "access", request_body = UserInput,
    responses((status = 201, body = UserView), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn create_user(
    State(app): State<Arc<App>>,
    identity: Identity,
    Body(input): Body<UserInput>,
) -> Result<(StatusCode, Json<UserView>)> {
    identity.require_platform()?;
    let password = access::hash_password(input.password).await?;
    let new = NewUser {
        email: input.email,
        name: input.name,
        password,
        platform_admin: input.platform_admin,
    };
    let user = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { access::create_user(tx, new).await })
        })
        .await?;
    let view = UserView {
        user_id: user.user_id.to_string(),
        email: user.email.to_string(),
        name: user.name,
        platform_admin: user.platform_admin,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserByEmail {
    #[schema(value_type = String, example = "ada@example.org")]
    email: Email,
}

/// Turn a user's second factor off, for who has lost it and the recovery codes too
#[utoipa::path(post, path = "/v1/users/turn-off-second-factor", tag = "access", request_body = UserByEmail,
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn turn_off_second_factor(
    State(app): State<Arc<App>>,
    identity: Identity,
    Body(input): Body<UserByEmail>,
) -> Result<StatusCode> {
    identity.require_platform()?;
    let done = app.store.write(identity.actor(), move |tx| {
        Box::pin(async move {
            let user = access::user_by_email(tx, &input.email).await?;
            let user = user.ok_or_else(|| transactional::Error::not_found("user"))?;
            access::turn_off(tx, user.user_id).await
        })
    });
    done.await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberInput {
    #[schema(value_type = String)]
    email: Email,
    name: Option<String>,
    /// Needed if nobody with this e-mail address has an account yet: 8 to 200 characters.
    password: Option<String>,
    #[schema(value_type = String, example = "door")]
    role: Role,
}

#[derive(Serialize, ToSchema)]
pub struct MemberView {
    #[serde(flatten)]
    membership: MembershipResource,
    email: String,
    name: Option<String>,
}

/// Add a member
///
/// A person who has an account keeps its password. Adding a member again changes the role.
#[utoipa::path(post, path = "/v1/organizers/{organizer_id}/members", tag = "access", request_body = MemberInput,
    params(("organizer_id" = String, Path)),
    responses((status = 201, body = MembershipResource), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn add_member(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Body(input): Body<MemberInput>,
) -> Result<(StatusCode, Json<MembershipResource>)> {
    identity.require(organizer_id, Permission::ManageAccess)?;
    let password = match input.password {
        Some(password) => Some(access::hash_password(password).await?),
        None => None,
    };
    let membership = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move {
                let user = match (access::user_by_email(tx, &input.email).await?, password) {
                    (Some(user), _) => user,
                    (None, Some(password)) => {
                        let new = NewUser {
                            email: input.email,
                            name: input.name,
                            password,
                            platform_admin: false,
                        };
                        access::create_user(tx, new).await?
                    }
                    (None, None) => {
                        let message = "nobody with this e-mail address has an account yet: give a password";
                        return Err(transactional::Error::refused("password_needed", message).at("password"));
                    }
                };
                access::grant(tx, organizer_id, user.user_id, input.role).await
            })
        })
        .await?;
    Ok((StatusCode::CREATED, Json(membership.into())))
}

/// List members
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/members", tag = "access",
    params(("organizer_id" = String, Path), PageQuery), responses((status = 200, body = Page<MemberView>)))]
pub async fn list_members(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<MemberView>>> {
    identity.require(organizer_id, Permission::ManageAccess)?;
    let members = access::members(&mut app.store.read().await?, organizer_id, query.request()?).await?;
    Ok(Json(page_of(members, |member| MemberView {
        membership: member.membership.into(),
        email: member.email.to_string(),
        name: member.name,
    })))
}

/// Remove a member
#[utoipa::path(delete, path = "/v1/organizers/{organizer_id}/members/{membership_id}", tag = "access",
    params(("organizer_id" = String, Path), ("membership_id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove_member(
    State(app): State<Arc<App>>,
    identity: Identity,
    Ids(organizer_id, membership_id): Ids<OrganizerId, MembershipId>,
) -> Result<StatusCode> {
    identity.require(organizer_id, Permission::ManageAccess)?;
    app.store
        .write(identity.actor(), move |tx| {
            Box::pin(async move {
                let revoked = access::revoke_membership(tx, membership_id).await?;
                of_organizer(revoked.organizer_id, organizer_id, "member")
            })
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiTokenInput {
    #[schema(value_type = String, example = "the shop")]
    #[serde(deserialize_with = "crate::view::typed")]
    name: Label,
    #[schema(value_type = String, example = "analyst")]
    role: Role,
}

#[derive(Serialize, ToSchema)]
pub struct NewApiToken {
    #[serde(flatten)]
    token: ApiTokenResource,
    /// Shown this once: only its hash is kept.
    secret: String,
}

/// Create an API token
#[utoipa::path(post, path = "/v1/organizers/{organizer_id}/api-tokens", tag = "access", request_body = ApiTokenInput,
    params(("organizer_id" = String, Path)),
    responses((status = 201, body = NewApiToken), (status = 403, body = Problem)))]
pub async fn create_api_token(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Body(input): Body<ApiTokenInput>,
) -> Result<(StatusCode, Json<NewApiToken>)> {
    identity.require(organizer_id, Permission::ManageAccess)?;
    let new = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { access::create_token(tx, organizer_id, input.name, input.role).await })
        })
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(NewApiToken {
            token: new.token.into(),
            secret: new.secret,
        }),
    ))
}

/// List API tokens
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/api-tokens", tag = "access",
    params(("organizer_id" = String, Path), PageQuery), responses((status = 200, body = Page<ApiTokenResource>)))]
pub async fn list_api_tokens(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<ApiTokenResource>>> {
    identity.require(organizer_id, Permission::ManageAccess)?;
    Ok(Json(page(
        access::tokens(&mut app.store.read().await?, organizer_id, query.request()?).await?,
    )))
}

/// Revoke an API token
///
/// It is refused from at most two seconds later on.
#[utoipa::path(delete, path = "/v1/organizers/{organizer_id}/api-tokens/{api_token_id}", tag = "access",
    params(("organizer_id" = String, Path), ("api_token_id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn revoke_api_token(
    State(app): State<Arc<App>>,
    identity: Identity,
    Ids(organizer_id, api_token_id): Ids<OrganizerId, ApiTokenId>,
) -> Result<StatusCode> {
    identity.require(organizer_id, Permission::ManageAccess)?;
    app.store
        .write(identity.actor(), move |tx| {
            Box::pin(async move {
                let revoked = access::revoke_token(tx, api_token_id).await?;
                of_organizer(revoked.organizer_id, organizer_id, "API token")
            })
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses, and so takes back, a command on what belongs to another organizer.
fn of_organizer(found: OrganizerId, named: OrganizerId, what: &'static str) -> transactional::Result<()> {
    if found == named {
        return Ok(());
    }
    Err(transactional::Error::not_found(what))
}
