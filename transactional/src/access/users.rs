//! Users: people with a password. They belong to no organizer; memberships tie them to some.

use super::lockout;
use crate::{
    Error, Result, Source, Tx,
    dialect::Row,
    sql::{self, Columns, binds},
};
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier},
};
use domain::{Email, Timestamp, UserId};
use tokio::sync::Semaphore;

#[derive(Clone, Debug, PartialEq)]
pub struct User {
    pub user_id: UserId,
    pub email: Email,
    pub name: Option<String>,
    pub platform_admin: bool,
    pub created_at: Timestamp,
    /// Somebody reads what is sent to the address.
    pub email_verified: bool,
    /// A log-in asks for a code as well.
    pub second_factor: bool,
}

#[derive(Clone, Debug)]
pub struct NewUser {
    pub email: Email,
    pub name: Option<String>,
    pub password: PasswordHash,
    pub platform_admin: bool,
}

/// An Argon2id hash with its salt. Only [`hash_password`] makes one, off the writer.
#[derive(Clone)]
pub struct PasswordHash(String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Each hash takes 19 MiB and some 20 ms of a core: a flood of log-ins queues here and leaves the rest alone.
static HASHING: Semaphore = Semaphore::const_new(2);

pub async fn hash_password(password: String) -> Result<PasswordHash> {
    if password.trim().chars().count() < 8 || password.chars().count() > 200 {
        let message = "a password has 8 to 200 characters, beside blanks at its ends";
        return Err(Error::refused("password_unsound", message).at("password"));
    }
    off_thread(move || {
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.map(|hash| PasswordHash(hash.to_string()))
            .map_err(|error| Error::Storage(error.to_string()))
    })
    .await
}

pub(super) async fn verify_password(password: String, hash: Option<String>) -> Result<bool> {
    off_thread(move || {
        // An unknown address takes as long as a wrong password, so that time doesn't tell who has an account.
        let text = hash.as_deref().unwrap_or(NOBODY);
        let parsed = argon2::password_hash::phc::PasswordHash::new(text);
        let parsed = parsed.map_err(|error| Error::Storage(format!("a password's hash is unreadable: {error}")))?;
        let right = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
        Ok(right && hash.is_some())
    })
    .await
}

/// The hash of a password that nobody has, with the parameters of [`hash_password`].
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$YmlsdGVuYmlsdGVuYmlsdA$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let _place = HASHING.acquire().await.map_err(|_| Error::Closed)?;
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Panicked)?
}

pub async fn create_user(tx: &mut Tx, new: NewUser) -> Result<User> {
    let user = User {
        user_id: UserId::new(),
        email: new.email,
        name: new.name,
        platform_admin: new.platform_admin,
        created_at: tx.now(),
        email_verified: false,
        second_factor: false,
    };
    let sql = "insert into users (user_id, email, name, password, platform_admin, created_at)
               values ($1, $2, $3, $4, $5, $6)";
    let values = binds![
        user.user_id,
        user.email,
        user.name,
        new.password.0,
        user.platform_admin,
        user.created_at
    ];
    sql::execute(tx, sql, values)
        .await
        .map_err(|error| match error.code() {
            "already_exists" => Error::conflict("email_taken", "a user has this address already").at("email"),
            _ => error,
        })?;
    Ok(user)
}

/// Ends the user's sessions too: whoever knew the old password is out.
pub async fn set_password(tx: &mut Tx, id: UserId, password: PasswordHash) -> Result<()> {
    let sql = "update users set password = $2 where user_id = $1";
    if sql::execute(tx, sql, binds![id, password.0]).await? == 0 {
        return Err(Error::not_found("user"));
    }
    let email = get_user(tx, id).await?.email;
    lockout::clear(tx, &lockout::account(&email)).await?;
    sql::execute(tx, "delete from sessions where user_id = $1", binds![id]).await?;
    Ok(())
}

pub async fn user_by_email(db: &mut impl Source, email: &Email) -> Result<Option<User>> {
    let row = sql::optional(db, "select * from users where email = $1", binds![email]).await?;
    row.as_ref().map(read).transpose()
}

pub async fn get_user(db: &mut impl Source, id: UserId) -> Result<User> {
    let row = sql::optional(db, "select * from users where user_id = $1", binds![id]).await?;
    read(&row.ok_or_else(|| Error::not_found("user"))?)
}

pub(super) fn read(row: &Row) -> Result<User> {
    Ok(User {
        user_id: row.parse("user_id")?,
        email: row.parse("email")?,
        name: row.maybe_text("name")?,
        platform_admin: row.int("platform_admin")? != 0,
        created_at: row.time("created_at")?,
        email_verified: row.maybe_int("email_verified_at")?.is_some(),
        second_factor: row.maybe_int("totp_confirmed_at")?.is_some(),
    })
}
