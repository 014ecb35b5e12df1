//! Mails. A command queues one in the transaction of what causes it; a worker sends it afterwards, at least once, and
//! under the same Message-ID each time, so that a mail server can drop what it has seen.

use crate::{
    Error, Result, Source, Store, Tx,
    dialect::Row,
    secrets::Key,
    sql::{self, Columns, Value, binds},
};
use domain::{
    AlertRuleId, Email, MailId, OrderId, OrganizerId, PersonId, ReportId, Timestamp, UserId, WaitingEntryId,
    message::{Language, MailStatus},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Who gets it. The address is looked up when the mail is sent, so that a mail to who was erased can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    Person(PersonId),
    User(UserId),
    /// As a member of the organizer: one who has left it gets nothing of it any more.
    Member(UserId, OrganizerId),
}

/// What it says. Each variant is a template, of the variant's name, whose places have the names of its fields and of
/// what is looked up for it when it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "template", rename_all = "snake_case")]
pub enum Content {
    PasswordReset {
        token: String,
    },
    PasswordChanged {},
    EmailVerification {
        token: String,
    },
    /// A buyer's way back to the order and its tickets.
    OrderLink {
        order_id: OrderId,
    },
    /// The organizer has approved the order, which can be paid now.
    OrderApproved {
        order_id: OrderId,
    },
    OrderDeclined {
        order_id: OrderId,
    },
    /// The event does not take place, nor does the order; so much goes back.
    EventCancelled {
        order_id: OrderId,
        refunded: String,
    },
    /// The same, and the money was paid at the door, where it goes back.
    EventCancelledTill {
        order_id: OrderId,
        refunded: String,
    },
    /// The same, and nothing goes back.
    EventCancelledUnpaid {
        order_id: OrderId,
    },
    /// Tickets are held for somebody from the waiting list.
    WaitingListOffer {
        waiting_entry_id: WaitingEntryId,
    },
    /// A dashboard's figures as they were when it was due, in the words of the mail's language.
    Report {
        report_id: ReportId,
        page: String,
        query: String,
        period: String,
        tables: Vec<Table>,
    },
    /// A rule's condition holds.
    AlertFired {
        alert_rule_id: AlertRuleId,
        what: String,
        value: String,
        condition: String,
    },
    /// It has not held for the rule's quiet time.
    AlertSettled {
        alert_rule_id: AlertRuleId,
        what: String,
        value: String,
        condition: String,
    },
}

/// Figures in a mail: in each row what they are of, and then the figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub title: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// A mail that is to be sent now.
#[derive(Clone, Debug)]
pub struct DueMail {
    pub mail_id: MailId,
    /// None: there is nobody any more.
    pub to: Option<Email>,
    pub name: Option<String>,
    pub language: Language,
    pub content: Content,
    /// What the template's other places are filled with.
    pub places: Places,
    pub created_at: Timestamp,
}

pub type Places = BTreeMap<&'static str, Place>;

/// What is looked up for a mail. A time is written as the mail's language does, on the clocks of where the event is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Text(String),
    Time { at: Timestamp, timezone: String },
}

/// How an attempt ended. A reason names nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    Sent,
    /// No other attempt can end differently.
    Refused(String),
    /// Worth another attempt.
    Failed(String),
    NobodyThere,
}

const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(4 * 3600);
/// A mail server that was away for longer had somebody look after it.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(3 * 24 * 3600);
/// How long the core remembers that a mail was sent. Those to people it remembers until the person is erased, when what
/// is kept of them elsewhere has to be found.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);
const SEAL: &str = "mail";

/// Queues a mail, to be sent once this command is committed.
pub fn queue(tx: &mut Tx, to: Recipient, language: Language, content: Content) -> Result<MailId> {
    let (id, now) = (MailId::new(), tx.now());
    let (person, user, organizer) = match to {
        Recipient::Person(person) => (Some(person), None, None),
        Recipient::User(user) => (None, Some(user), None),
        Recipient::Member(user, organizer) => (None, Some(user), Some(organizer)),
    };
    let data = tx.key.seal(SEAL, &id.to_string(), &serde_json::to_string(&content)?)?;
    let sql = "insert into mail_outbox
                   (mail_id, person_id, user_id, organizer_id, language, data, status, attempts, created_at, next_try_at)
               values ($1, $2, $3, $4, $5, $6, $7, 0, $8, $8)";
    let values = binds![id, person, user, organizer, language, data, MailStatus::Queued, now];
    tx.defer(sql, values, 1);
    Ok(id)
}

/// The mails whose time has come, the oldest first.
pub async fn due(store: &Store, at: Timestamp, limit: i64) -> Result<Vec<DueMail>> {
    let sql = "select m.mail_id as mail_id, m.language as language, m.data as data, m.created_at as created_at,
                   coalesce(p.email, u.email) as email, coalesce(p.name, u.name) as name
               from mail_outbox m
               left join people p on p.person_id = m.person_id
               left join users u on u.user_id = m.user_id and (m.organizer_id is null or exists
                   (select 1 from memberships o
                    where o.user_id = m.user_id and o.organizer_id = m.organizer_id and o.active = 1))
               where m.status = 'queued' and m.next_try_at <= $1
               order by m.next_try_at, m.mail_id limit $2";
    let mut db = store.peek().await?;
    let rows = sql::all(&mut db, sql, binds![at, limit]).await?;
    let mut due = rows
        .iter()
        .map(|row| read(row, store.key()))
        .collect::<Result<Vec<_>>>()?;
    for mail in &mut due {
        mail.places = places(store, &mut db, &mail.content).await?;
    }
    Ok(due)
}

fn read(row: &Row, key: &Key) -> Result<DueMail> {
    let mail_id: MailId = row.parse("mail_id")?;
    let data = key.open(SEAL, &mail_id.to_string(), &row.text("data")?)?;
    let to = row.maybe_text("email")?;
    Ok(DueMail {
        mail_id,
        to: to.map(|text| sql::parse(&text)).transpose()?,
        name: row.maybe_text("name")?,
        language: row.parse("language")?,
        content: serde_json::from_str(&data)?,
        places: Places::new(),
        created_at: row.time("created_at")?,
    })
}

async fn places(store: &Store, db: &mut impl Source, content: &Content) -> Result<Places> {
    let (sql, id, secret) = match content {
        Content::OrderLink { order_id }
        | Content::OrderApproved { order_id }
        | Content::OrderDeclined { order_id }
        | Content::EventCancelled { order_id, .. }
        | Content::EventCancelledTill { order_id, .. }
        | Content::EventCancelledUnpaid { order_id } => (
            "select e.title as event, e.timezone as timezone, z.name as organizer, o.code as code, e.starts_at as at
             from orders o join events e on e.event_id = o.event_id join organizers z on z.id = o.organizer_id
             where o.order_id = $1",
            order_id.to_string(),
            store.order_secret(*order_id),
        ),
        Content::WaitingListOffer { waiting_entry_id } => (
            "select e.title as event, e.timezone as timezone, z.name as organizer, '' as code,
                 coalesce(w.offer_expires_at, 0) as at
             from waiting_entries w join events e on e.event_id = w.event_id join organizers z on z.id = w.organizer_id
             where w.waiting_entry_id = $1",
            waiting_entry_id.to_string(),
            store.waiting_secret(*waiting_entry_id),
        ),
        Content::Report { report_id, .. } => return insight_places(db, "report", &report_id.to_string()).await,
        Content::AlertFired { alert_rule_id, .. } | Content::AlertSettled { alert_rule_id, .. } => {
            return insight_places(db, "alert_rule", &alert_rule_id.to_string()).await;
        }
        Content::PasswordReset { .. } | Content::PasswordChanged {} | Content::EmailVerification { .. } => {
            return Ok(Places::new());
        }
    };
    let row = sql::one(db, sql, binds![id]).await?;
    let text = |column| row.text(column).map(Place::Text);
    let (at, timezone) = (row.time("at")?, row.text("timezone")?);
    Ok(Places::from([
        ("event", text("event")?),
        ("organizer", text("organizer")?),
        ("code", text("code")?),
        ("at", Place::Time { at, timezone }),
        ("secret", Place::Text(secret)),
    ]))
}

/// What a report or a rule is called, and whose it is.
async fn insight_places(db: &mut impl Source, entity: &str, id: &str) -> Result<Places> {
    let sql = format!(
        "select i.name as title, z.name as organizer, z.id as organizer_id
         from {entity}s i join organizers z on z.id = i.organizer_id where i.{entity}_id = $1"
    );
    let row = sql::one(db, sql, binds![id]).await?;
    let text = |column| row.text(column).map(Place::Text);
    Ok(Places::from([
        ("title", text("title")?),
        ("organizer", text("organizer")?),
        ("organizer_id", text("organizer_id")?),
    ]))
}

/// Records how an attempt ended at this time. One that failed is made again, after a pause that grows.
pub async fn record(tx: &mut Tx, id: MailId, attempt: Attempt, at: Timestamp) -> Result<MailStatus> {
    let sql = "select attempts, created_at from mail_outbox where mail_id = $1 and status = 'queued'";
    let row = sql::optional(tx, sql, binds![id]).await?;
    let row = row.ok_or_else(|| Error::not_found("queued mail"))?;
    let attempts = row.int("attempts")? + 1;
    let pause = (FIRST_PAUSE * (1 << (attempts - 1).clamp(0, 16))).min(LONGEST_PAUSE);
    let late = at.since(row.time("created_at")?) + pause > GIVEN_UP_AFTER;
    let (status, reason) = match attempt {
        Attempt::Sent => (MailStatus::Sent, None),
        Attempt::NobodyThere => (MailStatus::Cancelled, None),
        Attempt::Refused(reason) => (MailStatus::Failed, Some(reason)),
        Attempt::Failed(reason) if late => (MailStatus::Failed, Some(reason)),
        Attempt::Failed(reason) => (MailStatus::Queued, Some(reason)),
    };
    let finished_at = (status != MailStatus::Queued).then_some(at);
    let sql = "update mail_outbox set status = $2, attempts = $3, next_try_at = $4, finished_at = $5, reason = $6,
                   data = case when $5 is null then data end
               where mail_id = $1";
    let values = binds![id, status, attempts, at + pause, finished_at, reason];
    sql::execute(tx, sql, values).await?;
    Ok(status)
}

/// The mails to a person, whatever became of them.
pub async fn of_person(store: &Store, person_id: PersonId) -> Result<Vec<MailId>> {
    let sql = "select mail_id from mail_outbox where person_id = $1";
    let rows = sql::all(&mut store.peek().await?, sql, binds![person_id]).await?;
    rows.iter().map(|row| row.parse("mail_id")).collect()
}

/// Nothing more is sent to a person. Returns how many mails knew of them.
pub(crate) async fn erase(tx: &mut Tx, person_id: PersonId) -> Result<u64> {
    let sql = "update mail_outbox set data = null, reason = null,
                   status = case when status = 'queued' then 'cancelled' else status end,
                   finished_at = coalesce(finished_at, $2)
               where person_id = $1";
    let now = tx.now();
    sql::execute(tx, sql, binds![person_id, now]).await
}

pub(crate) async fn sweep(tx: &mut Tx, now: Timestamp, most: i64) -> Result<u64> {
    let sql = "delete from mail_outbox where mail_id in
                   (select mail_id from mail_outbox where finished_at < $1 and person_id is null order by finished_at limit $2)";
    sql::execute(
        tx,
        sql,
        vec![Value::Int((now - REMEMBERED).as_micros()), Value::Int(most)],
    )
    .await
}
