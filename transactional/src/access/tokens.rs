//! Tokens for programs. The secret is shown once and stored nowhere; here is only its hash.

use crate::{
    Page, PageRequest, Result, Source, Store, Stored, Tx, organizers,
    page::{self, Filter, Order},
    rows, secrets,
    sql::{self, Columns, Value, binds},
};
use domain::{ApiTokenId, Label, OrganizerId, Role, changes::ApiToken};
use std::fmt;

#[derive(Clone)]
pub struct NewToken {
    pub token: Stored<ApiToken>,
    pub secret: String,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewToken({})", self.token.api_token_id)
    }
}

/// Who a token's secret stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenHolder {
    pub id: String,
    /// None: the platform itself, which may do everything.
    pub organizer: Option<(OrganizerId, Role)>,
}

/// Begins every secret, so that one that leaked is recognised for what it is.
const PREFIX: &str = "bilten_";

pub async fn create_token(tx: &mut Tx, organizer_id: OrganizerId, name: Label, role: Role) -> Result<NewToken> {
    organizers::get(tx, organizer_id).await?;
    let secret = format!("{PREFIX}{}", secrets::random());
    let record = ApiToken {
        api_token_id: ApiTokenId::new(),
        name,
        role,
        created_at: tx.now(),
        revoked_at: None,
    };
    let private = [("token_hash", Value::Text(secrets::hash(&secret)))];
    let token = tx.create_with(organizer_id, "api_token.created", record, &private)?;
    Ok(NewToken { token, secret })
}

pub async fn revoke_token(tx: &mut Tx, id: ApiTokenId) -> Result<Stored<ApiToken>> {
    let mut token = get_token(tx, id).await?;
    if token.revoked_at.is_none() {
        token.revoked_at = Some(tx.now());
        tx.change("api_token.revoked", &mut token)?;
    }
    Ok(token)
}

pub async fn get_token(db: &mut impl Source, id: ApiTokenId) -> Result<Stored<ApiToken>> {
    rows::get(db, &id).await
}

pub async fn tokens(
    db: &mut impl Source,
    organizer_id: OrganizerId,
    page: PageRequest,
) -> Result<Page<Stored<ApiToken>>> {
    let filter = Filter::default().and("organizer_id =", &organizer_id);
    page::list(db, filter, None, Order::Ascending, &page).await
}

/// A token of the platform, for the command line on the machine itself. Returns its secret.
pub async fn create_platform_token(tx: &mut Tx, name: Label) -> Result<String> {
    let secret = format!("{PREFIX}{}", secrets::random());
    let sql = "insert into platform_tokens (token_hash, name, created_at) values ($1, $2, $3)";
    let values = binds![secrets::hash(&secret), name, tx.now()];
    sql::execute(tx, sql, values).await?;
    Ok(secret)
}

/// None: the secret is unknown or revoked.
pub async fn token_holder(store: &Store, secret: &str) -> Result<Option<TokenHolder>> {
    if !secret.starts_with(PREFIX) || secret.len() > 100 {
        return Ok(None);
    }
    let sql = "select api_token_id as id, organizer_id, role from api_tokens
               where token_hash = $1 and revoked_at is null
               union all
               select name, null, null from platform_tokens where token_hash = $1";
    let mut db = store.peek().await?;
    let row = sql::optional(&mut db, sql, binds![secrets::hash(secret)]).await?;
    row.map(|row| {
        let organizer = match (row.maybe_text("organizer_id")?, row.maybe_text("role")?) {
            (Some(organizer_id), Some(role)) => Some((sql::parse(&organizer_id)?, sql::parse(&role)?)),
            _ => None,
        };
        Ok(TokenHolder {
            id: row.text("id")?,
            organizer,
        })
    })
    .transpose()
}
