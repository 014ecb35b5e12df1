//! Links that show a dashboard to whoever has them: the organizer's figures, and nobody's name. A link's token is shown
//! once and stored as a hash.

use super::{check_room, check_view};
use crate::{
    Error, Page, PageRequest, Result, Source, Store, Stored, Tx, organizers,
    page::{self, Filter, Order},
    rows, secrets,
    sql::{Value, binds},
};
use domain::{DashboardShareId, OrganizerId, Timestamp, changes::DashboardShare};
use std::{fmt, time::Duration};

#[derive(Clone, Debug)]
pub struct ShareDetails {
    pub page: String,
    pub state: String,
    /// None: as long as is usual.
    pub expires_at: Option<Timestamp>,
    pub may_embed: bool,
}

#[derive(Clone)]
pub struct NewShare {
    pub share: Stored<DashboardShare>,
    pub token: String,
}

impl fmt::Debug for NewShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewShare({})", self.share.dashboard_share_id)
    }
}

/// Begins every token, so that one that leaked is recognised for what it is.
const PREFIX: &str = "bilten_share_";
const MOST: i64 = 200;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const USUAL_DAYS: u32 = 30;
const MOST_DAYS: u32 = 365;
/// Clocks of callers differ a little.
const SLACK: Duration = Duration::from_secs(60);

pub async fn create(tx: &mut Tx, organizer_id: OrganizerId, details: ShareDetails) -> Result<NewShare> {
    organizers::get(tx, organizer_id).await?;
    check_view(&details.page, &details.state)?;
    let now = tx.now();
    let sql = "select count(*) as n from dashboard_shares
               where organizer_id = $1 and coalesce(revoked_at, expires_at) > $2";
    check_room(tx, sql, binds![organizer_id, now], MOST, "links to dashboards").await?;
    let expires_at = details.expires_at.unwrap_or(now + DAY * USUAL_DAYS);
    check_end(expires_at, now)?;
    let token = format!("{PREFIX}{}", secrets::random());
    let record = DashboardShare {
        dashboard_share_id: DashboardShareId::new(),
        page: details.page,
        state: details.state,
        may_embed: details.may_embed,
        created_by: tx.actor.clone(),
        created_at: now,
        expires_at,
        revoked_at: None,
    };
    let private = [("token_hash", Value::Text(secrets::hash(&token)))];
    let share = tx.create_with(organizer_id, "dashboard_share.created", record, &private)?;
    Ok(NewShare { share, token })
}

/// Another end, or other manners. What a link shows stays: who has it was given just that.
pub async fn update(
    tx: &mut Tx,
    id: DashboardShareId,
    expires_at: Timestamp,
    may_embed: bool,
) -> Result<Stored<DashboardShare>> {
    let (mut share, now) = (get(tx, id).await?, tx.now());
    if !is_in_force(&share, now) {
        let message = "this link is revoked or has expired; share the dashboard anew";
        return Err(Error::conflict("share_over", message));
    }
    if (share.expires_at, share.may_embed) != (expires_at, may_embed) {
        check_end(expires_at, now)?;
        (share.expires_at, share.may_embed) = (expires_at, may_embed);
        tx.change("dashboard_share.updated", &mut share)?;
    }
    Ok(share)
}

pub async fn revoke(tx: &mut Tx, id: DashboardShareId) -> Result<Stored<DashboardShare>> {
    let mut share = get(tx, id).await?;
    if share.revoked_at.is_none() {
        share.revoked_at = Some(tx.now());
        tx.change("dashboard_share.revoked", &mut share)?;
    }
    Ok(share)
}

pub async fn get(db: &mut impl Source, id: DashboardShareId) -> Result<Stored<DashboardShare>> {
    rows::get(db, &id).await
}

/// Those in force at a time.
pub async fn list(
    db: &mut impl Source,
    organizer_id: OrganizerId,
    at: Timestamp,
    page: PageRequest,
) -> Result<Page<Stored<DashboardShare>>> {
    let filter = Filter::default()
        .and("organizer_id =", &organizer_id)
        .and("coalesce(revoked_at, expires_at) >", &at);
    page::list(db, filter, None, Order::Descending, &page).await
}

/// What a token shows now. None: it is unknown, revoked, or has expired.
pub async fn shared(store: &Store, token: &str) -> Result<Option<Stored<DashboardShare>>> {
    if !token.starts_with(PREFIX) || token.len() > 100 {
        return Ok(None);
    }
    let values = binds![secrets::hash(token)];
    let found: Vec<Stored<DashboardShare>> = rows::find(&mut store.peek().await?, "t.token_hash = $1", values).await?;
    let now = Timestamp::now();
    Ok(found.into_iter().find(|share| is_in_force(share, now)))
}

fn is_in_force(share: &DashboardShare, at: Timestamp) -> bool {
    share.revoked_at.is_none() && share.expires_at > at
}

fn check_end(expires_at: Timestamp, now: Timestamp) -> Result<()> {
    let lasts = expires_at.since(now);
    if lasts + SLACK < HOUR || lasts > DAY * MOST_DAYS + SLACK {
        let message = "a link lasts an hour to a year";
        return Err(Error::refused("invalid", message).at("expires_at"));
    }
    Ok(())
}
