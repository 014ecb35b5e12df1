//! Tokens that are sent by mail. Who has one reads the mail of that address: this confirms the address, or is reason
//! enough to choose a new password. A token is stored as its hash, counts once, and not for long.

use super::users::{self, PasswordHash, set_password};
use crate::{
    Error, Result, Tx,
    mail::{self, Content, Recipient},
    secrets,
    sql::{self, Columns, binds},
};
use domain::{Email, Timestamp, UserId, message::Language};
use std::time::Duration;

#[derive(Clone, Copy)]
enum Purpose {
    PasswordReset,
    EmailVerification,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Purpose::PasswordReset => "password_reset",
            Purpose::EmailVerification => "email_verification",
        }
    }

    /// As the mail says it.
    fn lasts(self) -> Duration {
        match self {
            Purpose::PasswordReset => Duration::from_secs(3600),
            Purpose::EmailVerification => Duration::from_secs(3 * 24 * 3600),
        }
    }

    fn content(self, token: String) -> Content {
        match self {
            Purpose::PasswordReset => Content::PasswordReset { token },
            Purpose::EmailVerification => Content::EmailVerification { token },
        }
    }
}

/// Nobody gets more mails than one in this time, whoever asks for them.
const PAUSE: Duration = Duration::from_secs(60);

/// Mails a token to the user with this address. If there is none, nothing happens, and nothing tells so.
pub async fn ask_for_password_reset(tx: &mut Tx, email: Email, language: Language, at: Timestamp) -> Result<()> {
    match users::user_by_email(tx, &email).await? {
        Some(user) => send(tx, user.user_id, Purpose::PasswordReset, language, at).await,
        None => Ok(()),
    }
}

/// Sets a new password, ends all sessions, and mails that this was done.
pub async fn reset_password(
    tx: &mut Tx,
    token: &str,
    password: PasswordHash,
    language: Language,
    at: Timestamp,
) -> Result<()> {
    let id = redeem(tx, token, Purpose::PasswordReset, at).await?;
    set_password(tx, id, password).await?;
    verified(tx, id, at).await?;
    mail::queue(tx, Recipient::User(id), language, Content::PasswordChanged {}).map(drop)
}

pub async fn ask_for_verification(tx: &mut Tx, id: UserId, language: Language, at: Timestamp) -> Result<()> {
    match users::get_user(tx, id).await?.email_verified {
        true => Ok(()),
        false => send(tx, id, Purpose::EmailVerification, language, at).await,
    }
}

pub async fn verify_email(tx: &mut Tx, token: &str, at: Timestamp) -> Result<()> {
    let id = redeem(tx, token, Purpose::EmailVerification, at).await?;
    verified(tx, id, at).await
}

pub(crate) async fn sweep(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    let sql = "delete from user_tokens where expires_at <= $1";
    sql::execute(tx, sql, binds![now]).await
}

async fn send(tx: &mut Tx, id: UserId, purpose: Purpose, language: Language, at: Timestamp) -> Result<()> {
    let sql = "select token_hash from user_tokens where user_id = $1 and purpose = $2 and created_at > $3";
    let just_sent = sql::optional(tx, sql, binds![id, purpose.name(), at - PAUSE]).await?;
    if just_sent.is_some() {
        return Ok(());
    }
    let token = secrets::random();
    let sql = "insert into user_tokens (token_hash, user_id, purpose, created_at, expires_at)
               values ($1, $2, $3, $4, $5)";
    let values = binds![secrets::hash(&token), id, purpose.name(), at, at + purpose.lasts()];
    tx.defer(sql, values, 1);
    mail::queue(tx, Recipient::User(id), language, purpose.content(token)).map(drop)
}

/// Uses up the token, and with it every other one of the user for that purpose.
async fn redeem(tx: &mut Tx, token: &str, purpose: Purpose, at: Timestamp) -> Result<UserId> {
    let sql = "select user_id from user_tokens where token_hash = $1 and purpose = $2 and expires_at > $3";
    let row = sql::optional(tx, sql, binds![secrets::hash(token), purpose.name(), at]).await?;
    let row = row.ok_or_else(|| {
        Error::refused(
            "token_invalid",
            "this link is unknown, over, or was used before; ask for a new one",
        )
        .at("token")
    })?;
    let id: UserId = row.parse("user_id")?;
    let sql = "delete from user_tokens where user_id = $1 and purpose = $2";
    sql::execute(tx, sql, binds![id, purpose.name()]).await?;
    Ok(id)
}

async fn verified(tx: &mut Tx, id: UserId, at: Timestamp) -> Result<()> {
    let sql = "update users set email_verified_at = $2 where user_id = $1 and email_verified_at is null";
    sql::execute(tx, sql, binds![id, at]).await.map(drop)
}
