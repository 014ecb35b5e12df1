//! Rules that watch a metric. What one sees is computed outside; whether that is the beginning or the end of an alert is
//! decided here, in the transaction that queues the mails, so that each turn is told once.

use super::{LONGEST_STATE, check_room, listed, tell};
use crate::{
    Error, Page, PageRequest, Result, Source, Store, Stored, Tx,
    mail::Content,
    organizers,
    page::{self, Filter, Order},
    rows,
    sql::{self, Columns, binds},
};
use domain::{
    AlertRuleId, Currency, Label, OrganizerId, Timestamp,
    alert::{Condition, Standing, TimeWindow, Turn},
    changes::{AlertRule, RuleFilter},
    message::Language,
};
use std::time::Duration;

/// Metric, filters and currency are known to fit when they come here.
#[derive(Clone, Debug)]
pub struct RuleDetails {
    pub name: Label,
    pub metric: String,
    pub filters: Vec<RuleFilter>,
    pub currency: Option<Currency>,
    pub time_window: TimeWindow,
    pub condition: Condition,
    pub threshold: f64,
    pub quiet_minutes: i64,
    pub language: Language,
    /// Members, by user id or address.
    pub recipients: Vec<String>,
    pub paused: bool,
}

/// What a look at a metric has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    pub at: Timestamp,
    /// Of the metric now, and what is usual; or why nothing could be seen.
    pub seen: Result<Seen, String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// None: there is nothing that it could be a figure of.
    pub value: Option<f64>,
    /// None: nobody asked, or there is not enough history yet.
    pub usual: Option<f64>,
}

/// How a mail says what was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    /// What was looked at: the metric, and the part of the time.
    pub what: String,
    pub value: String,
    /// The condition.
    pub condition: String,
}

/// What was seen last.
#[derive(Clone, Debug, PartialEq)]
pub struct LastLook {
    /// None: nobody has looked yet.
    pub at: Option<Timestamp>,
    pub seen: Seen,
    pub error: Option<String>,
}

const MOST: i64 = 100;
const LARGEST: f64 = 1e15;
const LONGEST_QUIET: i64 = 24 * 60;
pub const EVERY: Duration = Duration::from_secs(60);

pub async fn create(tx: &mut Tx, organizer_id: OrganizerId, details: RuleDetails) -> Result<Stored<AlertRule>> {
    organizers::get(tx, organizer_id).await?;
    let sql = "select count(*) as n from alert_rules where organizer_id = $1 and deleted_at is null";
    check_room(tx, sql, binds![organizer_id], MOST, "alert rules").await?;
    let record = record_of(tx, organizer_id, details, None).await?;
    tx.create(organizer_id, "alert_rule.created", record)
}

/// A rule that was changed begins anew: what it saw before it saw as another rule.
pub async fn update(tx: &mut Tx, id: AlertRuleId, details: RuleDetails) -> Result<Stored<AlertRule>> {
    let mut rule = get(tx, id).await?;
    let updated = record_of(tx, rule.organizer_id, details, Some(&rule.value)).await?;
    let same = AlertRule {
        firing_since: rule.firing_since,
        ..updated.clone()
    };
    if same != rule.value {
        rule.value = updated;
        tx.change("alert_rule.updated", &mut rule)?;
        let sql = "update alert_rules set checked_at = 0, last_value = null, usual = null, last_error = null,
                       calm_since = null
                   where alert_rule_id = $1";
        tx.defer(sql, binds![id], 1);
    }
    Ok(rule)
}

async fn record_of(
    tx: &mut Tx,
    organizer_id: OrganizerId,
    details: RuleDetails,
    before: Option<&AlertRule>,
) -> Result<AlertRule> {
    let wrong = |field, message: &str| Err(Error::refused("invalid", message).at(field));
    if details.threshold.is_nan() || details.threshold.abs() > LARGEST {
        return wrong("threshold", "a threshold is a number from -10^15 to 10^15");
    }
    if details.condition.is_against_usual() && details.threshold <= 0.0 {
        return wrong("threshold", "against the usual, a threshold is a percentage above 0");
    }
    let texts = details
        .filters
        .iter()
        .map(|filter| filter.value.as_ref().map_or(0, String::len));
    if texts.sum::<usize>() > LONGEST_STATE {
        return wrong("filters", "the values of filters have at most 2,000 bytes together");
    }
    if !(1..=LONGEST_QUIET).contains(&details.quiet_minutes) {
        return wrong("quiet_minutes", "a quiet time is a minute to a day: 1 to 1,440");
    }
    let recipients = listed(tx, organizer_id, &details.recipients).await?;
    Ok(AlertRule {
        alert_rule_id: before.map_or_else(AlertRuleId::new, |before| before.alert_rule_id),
        name: details.name,
        metric: details.metric,
        filters: details.filters,
        currency: details.currency,
        time_window: details.time_window,
        condition: details.condition,
        threshold: details.threshold,
        quiet_minutes: details.quiet_minutes,
        language: details.language,
        recipients,
        paused: details.paused,
        created_at: before.map_or_else(|| tx.now(), |before| before.created_at),
        firing_since: None,
        deleted_at: None,
    })
}

pub async fn delete(tx: &mut Tx, id: AlertRuleId) -> Result<()> {
    let mut rule = get(tx, id).await?;
    (rule.deleted_at, rule.firing_since) = (Some(tx.now()), None);
    rule.recipients.clear();
    tx.change("alert_rule.deleted", &mut rule)
}

/// One that is deleted is not there.
pub async fn get(db: &mut impl Source, id: AlertRuleId) -> Result<Stored<AlertRule>> {
    let found = rows::find(db, "t.alert_rule_id = $1 and t.deleted_at is null", binds![id]).await?;
    found.into_iter().next().ok_or_else(|| Error::not_found("alert rule"))
}

pub async fn list(
    db: &mut impl Source,
    organizer_id: OrganizerId,
    page: PageRequest,
) -> Result<Page<Stored<AlertRule>>> {
    let filter = Filter::default()
        .and("organizer_id =", &organizer_id)
        .and("coalesce(deleted_at, 0) =", &0_i64);
    page::list(db, filter, None, Order::Ascending, &page).await
}

pub async fn last_look(db: &mut impl Source, id: AlertRuleId) -> Result<LastLook> {
    let sql = "select checked_at, last_value, usual, last_error from alert_rules where alert_rule_id = $1";
    let row = sql::one(db, sql, binds![id]).await?;
    Ok(LastLook {
        at: Some(row.time("checked_at")?).filter(|at| at.as_micros() > 0),
        seen: Seen {
            value: row.maybe_double("last_value")?,
            usual: row.maybe_double("usual")?,
        },
        error: row.maybe_text("last_error")?,
    })
}

/// The rules that nobody has looked at for a minute, the longest waiting first.
pub async fn due(store: &Store, at: Timestamp, limit: i64) -> Result<Vec<Stored<AlertRule>>> {
    let condition = "t.deleted_at is null and t.paused = 0 and t.checked_at <= $1
                     order by t.checked_at, t.alert_rule_id limit $2";
    rows::find(&mut store.peek().await?, condition, binds![at - EVERY, limit]).await
}

/// Records what was seen, and tells of it if it is a turn. A rule that has changed meanwhile has seen nothing.
pub async fn record(tx: &mut Tx, rule: Stored<AlertRule>, look: Look, words: Words) -> Result<Option<Turn>> {
    let (id, mut rule) = (rule.alert_rule_id, rule);
    let sql = "select calm_since from alert_rules
               where alert_rule_id = $1 and version = $2 and deleted_at is null and paused = 0";
    let Some(row) = sql::optional(tx, sql, binds![id, rule.version]).await? else {
        return Ok(None);
    };
    let seen = match look.seen {
        Ok(seen) => seen,
        Err(why) => {
            let sql = "update alert_rules set checked_at = $2, last_error = $3 where alert_rule_id = $1";
            return sql::execute(tx, sql, binds![id, look.at, why]).await.map(|_| None);
        }
    };
    let standing = Standing {
        firing_since: rule.firing_since,
        calm_since: row.maybe_time("calm_since")?,
    };
    let holds = |value| rule.condition.holds(rule.threshold, value, seen.usual);
    let quiet = Duration::from_secs(rule.quiet_minutes.unsigned_abs() * 60);
    let (next, turn) = standing.after(seen.value.is_some_and(holds), quiet, look.at);
    let sql = "update alert_rules set checked_at = $2, last_value = $3, usual = $4, last_error = null, calm_since = $5
               where alert_rule_id = $1";
    tx.defer(sql, binds![id, look.at, seen.value, seen.usual, next.calm_since], 1);
    let Words { what, value, condition } = words;
    let (change_type, content) = match turn {
        None => return Ok(None),
        Some(Turn::Fired) => {
            let content = Content::AlertFired {
                alert_rule_id: id,
                what,
                value,
                condition,
            };
            ("alert_rule.fired", content)
        }
        Some(Turn::Settled) => {
            let content = Content::AlertSettled {
                alert_rule_id: id,
                what,
                value,
                condition,
            };
            ("alert_rule.settled", content)
        }
    };
    rule.firing_since = next.firing_since;
    tx.change(change_type, &mut rule)?;
    tell(tx, rule.organizer_id, &rule.recipients, rule.language, &content).await?;
    Ok(turn)
}
