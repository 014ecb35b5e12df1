//! Logging in. A session's token is in the browser's cookie; here is only its hash.

use super::{
    memberships::memberships_of,
    users::{self, User, verify_password},
};
use crate::{
    Error, Result, Store, Stored, Tx, secrets,
    sql::{self, Columns, binds},
};
use domain::{Email, SessionId, Timestamp, UserId, changes::Membership};
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Session {
    /// For the cookie. It is not stored.
    pub token: String,
    /// For the forms of this session.
    pub csrf_token: String,
    pub user: User,
    pub expires_at: Timestamp,
}

/// Who a session's token stands for.
#[derive(Clone, Debug)]
pub struct SessionHolder {
    pub session_id: SessionId,
    pub user: User,
    pub csrf_token: String,
    pub memberships: Vec<Stored<Membership>>,
    pub expires_at: Timestamp,
}

const LASTS: Duration = Duration::from_secs(7 * 24 * 3600);
/// After so many wrong passwords in a row, the account takes none for a while: guessing gets nowhere.
const MOST_FAILURES: i64 = 8;
const LOCKED_FOR: Duration = Duration::from_secs(15 * 60);

pub async fn log_in(store: &Store, email: &Email, password: String) -> Result<Session> {
    let sql = "select user_id, password, locked_until from users where email = $1";
    let row = sql::optional(&mut store.peek().await?, sql, binds![email]).await?;
    let (mut id, mut hash) = (None::<UserId>, None);
    if let Some(row) = row {
        if row
            .maybe_time("locked_until")?
            .is_some_and(|until| until > Timestamp::now())
        {
            let message = "too many wrong passwords; try again in a quarter of an hour";
            return Err(Error::refused("locked_out", message));
        }
        (id, hash) = (Some(row.parse("user_id")?), Some(row.text("password")?));
    }
    let right = password.len() <= 1_000 && verify_password(password, hash).await?;
    let wrong = || Error::refused("wrong_credentials", "the address or the password is wrong");
    let id = id.ok_or_else(wrong)?;
    if !right {
        store
            .write(format!("user:{id}"), move |tx| Box::pin(count_failure(tx, id)))
            .await?;
        return Err(wrong());
    }
    store
        .write(format!("user:{id}"), move |tx| Box::pin(begin(tx, id)))
        .await
}

pub async fn log_out(tx: &mut Tx, id: SessionId) -> Result<()> {
    sql::execute(tx, "delete from sessions where session_id = $1", binds![id]).await?;
    Ok(())
}

/// None: the token is unknown or over.
pub async fn session(store: &Store, token: &str) -> Result<Option<SessionHolder>> {
    let mut db = store.peek().await?;
    let sql = "select s.session_id as session_id, s.csrf_token as csrf_token, s.expires_at as expires_at,
                   u.user_id as user_id, u.email as email, u.name as name, u.platform_admin as platform_admin,
                   u.created_at as created_at
               from sessions s join users u on u.user_id = s.user_id
               where s.token_hash = $1 and s.expires_at > $2";
    let values = binds![secrets::hash(token), Timestamp::now()];
    let Some(row) = sql::optional(&mut db, sql, values).await? else {
        return Ok(None);
    };
    let user = users::read(&row)?;
    Ok(Some(SessionHolder {
        session_id: row.parse("session_id")?,
        csrf_token: row.text("csrf_token")?,
        memberships: memberships_of(&mut db, user.user_id).await?,
        expires_at: row.time("expires_at")?,
        user,
    }))
}

async fn begin(tx: &mut Tx, id: UserId) -> Result<Session> {
    let sql = "update users set failed_logins = 0, locked_until = null where user_id = $1 and failed_logins > 0";
    sql::execute(tx, sql, binds![id]).await?;
    let session = Session {
        token: secrets::random(),
        csrf_token: secrets::random(),
        user: users::get_user(tx, id).await?,
        expires_at: tx.now() + LASTS,
    };
    let sql = "insert into sessions (session_id, user_id, token_hash, csrf_token, expires_at)
               values ($1, $2, $3, $4, $5)";
    let hash = secrets::hash(&session.token);
    let values = binds![SessionId::new(), id, hash, session.csrf_token, session.expires_at];
    sql::execute(tx, sql, values).await?;
    Ok(session)
}

async fn count_failure(tx: &mut Tx, id: UserId) -> Result<()> {
    let sql = "update users set
                   locked_until = case when failed_logins + 1 >= $2 then $3 else locked_until end,
                   failed_logins = case when failed_logins + 1 >= $2 then 0 else failed_logins + 1 end
               where user_id = $1";
    let values = binds![id, MOST_FAILURES, tx.now() + LOCKED_FOR];
    sql::execute(tx, sql, values).await?;
    Ok(())
}
