//! Logging in. A session's token is in the browser's cookie; here is only its hash.

use super::{
    lockout,
    memberships::memberships_of,
    two_factor,
    users::{self, User, verify_password},
};
use crate::{
    Error, Result, Source, Store, Stored, Tx,
    dialect::Row,
    secrets,
    sql::{self, Columns, binds},
};
use domain::{Email, SessionId, Timestamp, UserId, changes::Membership};
use std::time::Duration;

/// What somebody knows who says that an account is theirs.
#[derive(Clone)]
pub struct Proof {
    pub email: Email,
    pub password: String,
    /// Of the second factor, if the account has one.
    pub code: Option<String>,
    pub at: Timestamp,
}

/// Where a session is used, for its owner to recognise it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    pub user_agent: Option<String>,
    pub address: Option<String>,
}

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

/// A session as its owner sees it in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenSession {
    pub session_id: SessionId,
    pub device: Device,
    pub created_at: Timestamp,
    /// To the minute.
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
}

const LASTS: Duration = Duration::from_secs(7 * 24 * 3600);
/// Noted no more often: it costs a commit.
const SEEN_EVERY: Duration = Duration::from_secs(60);
const LONGEST_USER_AGENT: usize = 300;

pub async fn log_in(store: &Store, proof: Proof, device: Device) -> Result<Session> {
    let at = proof.at;
    let id = prove(store, proof).await?;
    store
        .write(format!("user:{id}"), move |tx| Box::pin(begin(tx, id, device, at)))
        .await
}

/// Checks password and code. Failures are counted, and too many make the next attempt wait.
pub async fn prove(store: &Store, proof: Proof) -> Result<UserId> {
    let Proof {
        email,
        password,
        code,
        at,
    } = proof;
    let account = lockout::account(&email);
    let taken = account.clone();
    store
        .write("system", move |tx| {
            Box::pin(async move { lockout::take(tx, &taken, at).await })
        })
        .await?;
    let sql = "select user_id, password from users where email = $1";
    let row = sql::optional(&mut store.peek().await?, sql, binds![email]).await?;
    let (mut id, mut hash) = (None::<UserId>, None);
    if let Some(row) = row {
        (id, hash) = (Some(row.parse("user_id")?), Some(row.text("password")?));
    }
    let right = password.len() <= 1_000 && verify_password(password, hash).await?;
    let wrong = || Error::refused("wrong_credentials", "the address or the password is wrong");
    let id = id.filter(|_| right).ok_or_else(wrong)?;
    let accepted = account.clone();
    let proved = store.write(format!("user:{id}"), move |tx| {
        Box::pin(async move {
            two_factor::require(tx, id, code.as_deref(), at).await?;
            lockout::clear(tx, &accepted).await
        })
    });
    match proved.await {
        Err(error) if error.code() == "code_needed" => {
            store
                .write("system", move |tx| {
                    Box::pin(async move { lockout::give_back(tx, &account).await })
                })
                .await?;
            Err(error)
        }
        proved => proved.map(|()| id),
    }
}

pub async fn log_out(tx: &mut Tx, id: SessionId) -> Result<()> {
    sql::execute(tx, "delete from sessions where session_id = $1", binds![id]).await?;
    Ok(())
}

/// The user's sessions, the newest first.
pub async fn open_sessions(db: &mut impl Source, user_id: UserId, at: Timestamp) -> Result<Vec<OpenSession>> {
    let sql = "select * from sessions where user_id = $1 and expires_at > $2 order by created_at desc, session_id";
    let rows = sql::all(db, sql, binds![user_id, at]).await?;
    let read = |row: &Row| {
        Ok(OpenSession {
            session_id: row.parse("session_id")?,
            device: Device {
                user_agent: row.maybe_text("user_agent")?,
                address: row.maybe_text("address")?,
            },
            created_at: row.time("created_at")?,
            last_seen_at: row.time("last_seen_at")?,
            expires_at: row.time("expires_at")?,
        })
    };
    rows.iter().map(read).collect()
}

pub async fn end_session(tx: &mut Tx, user_id: UserId, id: SessionId) -> Result<()> {
    let sql = "delete from sessions where session_id = $1 and user_id = $2";
    match sql::execute(tx, sql, binds![id, user_id]).await? {
        0 => Err(Error::not_found("session")),
        _ => Ok(()),
    }
}

/// Ends all sessions of a user but one; returns how many there were.
pub async fn end_other_sessions(tx: &mut Tx, user_id: UserId, keep: SessionId) -> Result<u64> {
    let sql = "delete from sessions where user_id = $1 and session_id <> $2";
    sql::execute(tx, sql, binds![user_id, keep]).await
}

/// None: the token is unknown or over.
pub async fn session(store: &Store, token: &str) -> Result<Option<SessionHolder>> {
    let (mut db, now) = (store.peek().await?, Timestamp::now());
    let sql = "select s.session_id as session_id, s.csrf_token as csrf_token, s.expires_at as expires_at,
                   s.last_seen_at as last_seen_at, u.*
               from sessions s join users u on u.user_id = s.user_id
               where s.token_hash = $1 and s.expires_at > $2";
    let Some(row) = sql::optional(&mut db, sql, binds![secrets::hash(token), now]).await? else {
        return Ok(None);
    };
    let (user, session_id) = (users::read(&row)?, row.parse("session_id")?);
    if now.since(row.time("last_seen_at")?) > SEEN_EVERY {
        // Nobody waits for it, and if it fails, the next request notes it.
        let store = store.clone();
        tokio::spawn(async move {
            store
                .write("system", move |tx| Box::pin(seen(tx, session_id, now)))
                .await
        });
    }
    Ok(Some(SessionHolder {
        session_id,
        csrf_token: row.text("csrf_token")?,
        memberships: memberships_of(&mut db, user.user_id).await?,
        expires_at: row.time("expires_at")?,
        user,
    }))
}

async fn seen(tx: &mut Tx, id: SessionId, at: Timestamp) -> Result<()> {
    let sql = "update sessions set last_seen_at = $2 where session_id = $1 and last_seen_at < $2";
    sql::execute(tx, sql, binds![id, at]).await.map(drop)
}

async fn begin(tx: &mut Tx, id: UserId, device: Device, at: Timestamp) -> Result<Session> {
    let session = Session {
        token: secrets::random(),
        csrf_token: secrets::random(),
        user: users::get_user(tx, id).await?,
        expires_at: at + LASTS,
    };
    let user_agent = device
        .user_agent
        .map(|text| text.chars().take(LONGEST_USER_AGENT).collect::<String>());
    let sql = "insert into sessions (session_id, user_id, token_hash, csrf_token, expires_at, created_at, last_seen_at,
                   user_agent, address)
               values ($1, $2, $3, $4, $5, $6, $6, $7, $8)";
    let values = binds![
        SessionId::new(),
        id,
        secrets::hash(&session.token),
        session.csrf_token,
        session.expires_at,
        at,
        user_agent,
        device.address
    ];
    sql::execute(tx, sql, values).await?;
    Ok(session)
}
