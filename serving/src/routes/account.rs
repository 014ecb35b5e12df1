//! One's own account: a forgotten password, the e-mail address, the second factor.

use super::session::own_session;
use crate::{
    auth::Identity,
    extract::{Body, ClientAddress, Spoken},
    problem::{Problem, Result},
    qr,
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{Email, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::access::{self, Enrolment, Proof};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordResetInput {
    #[schema(value_type = String, example = "ada@example.org")]
    email: Email,
}

/// Ask for a mail to choose a new password with
///
/// The answer is the same, and as fast, whether or not somebody has an account with this address.
#[utoipa::path(post, path = "/v1/password-resets", tag = "session", request_body = PasswordResetInput, security(()),
    responses((status = 202), (status = 429, body = Problem)))]
pub async fn ask_for_password_reset(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    Spoken(language): Spoken,
    Body(input): Body<PasswordResetInput>,
) -> Result<StatusCode> {
    app.limits.log_in(address)?;
    // Answered before it is done: nothing that it finds can show in the answer or in the time that this takes.
    tokio::spawn(async move {
        let asked = app.store.write("system", move |tx| {
            Box::pin(async move { access::ask_for_password_reset(tx, input.email, language, Timestamp::now()).await })
        });
        if let Err(error) = asked.await {
            tracing::error!(%error, "a mail for a new password could not be queued");
        }
    });
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPasswordInput {
    /// From the mail.
    token: String,
    /// 8 to 200 characters.
    password: String,
}

/// Choose a new password with the token from the mail
///
/// All sessions of the account end. The token counts once, and for an hour.
#[utoipa::path(post, path = "/v1/password-resets/confirm", tag = "session", request_body = NewPasswordInput,
    security(()), responses((status = 204), (status = 422, body = Problem), (status = 429, body = Problem)))]
pub async fn reset_password(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    Spoken(language): Spoken,
    Body(input): Body<NewPasswordInput>,
) -> Result<StatusCode> {
    app.limits.log_in(address)?;
    let password = access::hash_password(input.password).await?;
    let reset = app.store.write("system", move |tx| {
        Box::pin(async move { access::reset_password(tx, &input.token, password, language, Timestamp::now()).await })
    });
    reset.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask for a mail to confirm your e-mail address with
#[utoipa::path(post, path = "/v1/email-verifications", tag = "session",
    responses((status = 202), (status = 401, body = Problem)))]
pub async fn ask_for_verification(
    State(app): State<Arc<App>>,
    identity: Identity,
    Spoken(language): Spoken,
) -> Result<StatusCode> {
    let (actor, id) = (identity.actor(), own_session(identity)?.user.user_id);
    let asked = app.store.write(actor, move |tx| {
        Box::pin(async move { access::ask_for_verification(tx, id, language, Timestamp::now()).await })
    });
    asked.await?;
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerificationInput {
    /// From the mail.
    token: String,
}

/// Confirm an e-mail address with the token from the mail
#[utoipa::path(post, path = "/v1/email-verifications/confirm", tag = "session", request_body = VerificationInput,
    security(()), responses((status = 204), (status = 422, body = Problem), (status = 429, body = Problem)))]
pub async fn verify_email(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    Body(input): Body<VerificationInput>,
) -> Result<StatusCode> {
    app.limits.log_in(address)?;
    let verified = app.store.write("system", move |tx| {
        Box::pin(async move { access::verify_email(tx, &input.token, Timestamp::now()).await })
    });
    verified.await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofInput {
    password: String,
    /// Of the second factor, once it is on.
    code: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct EnrolmentView {
    /// In base32, for who can't scan.
    secret: String,
    /// To be shown as a QR code to an authenticator app.
    #[schema(example = "otpauth://totp/Bilten:ada%40example.org?secret=…&issuer=Bilten")]
    otpauth_uri: String,
    /// That QR code, an SVG image.
    otpauth_qr: String,
}

impl EnrolmentView {
    fn new(enrolment: Enrolment) -> Result<Self> {
        Ok(Self {
            otpauth_qr: qr::svg(&enrolment.otpauth_uri)?,
            secret: enrolment.secret,
            otpauth_uri: enrolment.otpauth_uri,
        })
    }
}

/// Begin to use a second factor
///
/// Answers what an authenticator app needs (TOTP, RFC 6238: SHA-1, six digits, 30 seconds). It counts once a code of it
/// is confirmed.
#[utoipa::path(post, path = "/v1/second-factor", tag = "session", request_body = ProofInput,
    responses((status = 201, body = EnrolmentView), (status = 401, body = Problem), (status = 409, body = Problem)))]
pub async fn enrol(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    identity: Identity,
    Body(input): Body<ProofInput>,
) -> Result<(StatusCode, Json<EnrolmentView>)> {
    app.limits.log_in(address)?;
    let holder = own_session(identity)?;
    if holder.user.second_factor {
        return Err(Problem::new("second_factor_on", "turn the second factor off first"));
    }
    let id = access::prove(&app.store, proof(holder.user.email, input)).await?;
    let enrolled = app.store.write(format!("user:{id}"), move |tx| {
        Box::pin(async move { access::enrol(tx, id).await })
    });
    Ok((StatusCode::CREATED, Json(EnrolmentView::new(enrolled.await?)?)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeInput {
    /// Six digits.
    code: String,
}

#[derive(Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// Each takes the place of a code once, when the device that shows codes is lost. Shown this once.
    recovery_codes: Vec<String>,
}

/// Turn the second factor on, with a code of the authenticator app
#[utoipa::path(post, path = "/v1/second-factor/confirm", tag = "session", request_body = CodeInput,
    responses((status = 200, body = RecoveryCodes), (status = 401, body = Problem), (status = 409, body = Problem)))]
pub async fn confirm(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    identity: Identity,
    Body(input): Body<CodeInput>,
) -> Result<Json<RecoveryCodes>> {
    app.limits.log_in(address)?;
    let (actor, id) = (identity.actor(), own_session(identity)?.user.user_id);
    let confirmed = app.store.write(actor, move |tx| {
        Box::pin(async move { access::confirm(tx, id, &input.code, Timestamp::now()).await })
    });
    let recovery_codes = confirmed.await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}

/// Turn the second factor off
#[utoipa::path(post, path = "/v1/second-factor/turn-off", tag = "session", request_body = ProofInput,
    responses((status = 204), (status = 401, body = Problem), (status = 429, body = Problem)))]
pub async fn turn_off(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    identity: Identity,
    Body(input): Body<ProofInput>,
) -> Result<StatusCode> {
    app.limits.log_in(address)?;
    let email = own_session(identity)?.user.email;
    let id = access::prove(&app.store, proof(email, input)).await?;
    let done = app.store.write(format!("user:{id}"), move |tx| {
        Box::pin(async move { access::turn_off(tx, id).await })
    });
    done.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make new recovery codes; the old ones no longer count
#[utoipa::path(post, path = "/v1/second-factor/recovery-codes", tag = "session", request_body = ProofInput,
    responses((status = 200, body = RecoveryCodes), (status = 401, body = Problem), (status = 409, body = Problem)))]
pub async fn new_recovery_codes(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    identity: Identity,
    Body(input): Body<ProofInput>,
) -> Result<Json<RecoveryCodes>> {
    app.limits.log_in(address)?;
    let user = own_session(identity)?.user;
    if !user.second_factor {
        return Err(Problem::new("no_second_factor", "turn a second factor on first"));
    }
    let id = access::prove(&app.store, proof(user.email, input)).await?;
    let made = app.store.write(format!("user:{id}"), move |tx| {
        Box::pin(async move { access::new_recovery_codes(tx, id).await })
    });
    let recovery_codes = made.await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}

fn proof(email: Email, input: ProofInput) -> Proof {
    Proof {
        email,
        password: input.password,
        code: input.code,
        at: Timestamp::now(),
    }
}
