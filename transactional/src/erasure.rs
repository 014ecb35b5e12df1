//! Erasing a person from the core. The row and its ids stay, so that orders and money still add up; address, name and
//! number go, and so does the key, without which no copy of the log can be read.

use crate::{
    Error, Result, Source, Store, Tx, dialect,
    dialect::Row,
    insights::questions,
    mail, people,
    sql::{self, Columns, binds},
    tickets, waiting_list,
};
use domain::{
    ErasureId, OrganizerId, PersonId, Timestamp,
    changes::{Changed, Person},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::time::Duration;

pub use crate::dialect::Scrubbed;

/// A person's erasure, from the request to the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Erasure {
    pub erasure_id: ErasureId,
    pub person_id: PersonId,
    pub organizer_id: OrganizerId,
    pub requested_by: String,
    pub requested_at: Timestamp,
    /// How long replaced files of the lake stay for queries that run.
    pub grace: Duration,
    /// The core has nothing of the person from this position on.
    pub erased_seq: Option<i64>,
    pub finished_at: Option<Timestamp>,
    /// Places and counts, none of what stood there.
    pub report: Json,
}

/// The key stays: what was asked for with it must not be done a second time. The hash is of what was sent, which named
/// the person.
const EMPTY_ANSWERS: &str = "update idempotency_keys set request_hash = '', response = ''";

/// What of it was still there is searched again if an attempt is longer than this before the one that erases.
const OVERLAP: Duration = Duration::from_secs(60);

/// Asks for a person's erasure. One that was asked for before is answered as it stands.
pub async fn request(tx: &mut Tx, person_id: PersonId, grace: Duration) -> Result<Erasure> {
    let person = people::get(tx, person_id).await?;
    if let Some(known) = of_person(tx, person_id).await? {
        return Ok(known);
    }
    let erasure = Erasure {
        erasure_id: ErasureId::new(),
        person_id,
        organizer_id: person.organizer_id,
        requested_by: tx.actor.clone(),
        requested_at: tx.now(),
        grace,
        erased_seq: None,
        finished_at: None,
        report: json!({}),
    };
    let sql =
        "insert into erasures (erasure_id, person_id, organizer_id, requested_by, requested_at, grace_seconds, report)
               values ($1, $2, $3, $4, $5, $6, $7)";
    let values = binds![
        erasure.erasure_id,
        person_id,
        erasure.organizer_id,
        erasure.requested_by,
        erasure.requested_at,
        grace.as_secs() as i64,
        "{}"
    ];
    tx.defer(sql, values, 1);
    Ok(erasure)
}

pub async fn get(db: &mut impl Source, id: ErasureId) -> Result<Erasure> {
    let row = sql::optional(db, "select * from erasures where erasure_id = $1", binds![id]).await?;
    row.map(|row| read(&row))
        .transpose()?
        .ok_or_else(|| Error::not_found("erasure"))
}

async fn of_person(db: &mut impl Source, id: PersonId) -> Result<Option<Erasure>> {
    let row = sql::optional(db, "select * from erasures where person_id = $1", binds![id]).await?;
    row.map(|row| read(&row)).transpose()
}

/// Those that are under way, the oldest first.
pub async fn unfinished(store: &Store, limit: i64) -> Result<Vec<Erasure>> {
    let sql = "select * from erasures where finished_at is null order by requested_at limit $1";
    let rows = sql::all(&mut store.peek().await?, sql, binds![limit]).await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Erasure> {
    Ok(Erasure {
        erasure_id: row.parse("erasure_id")?,
        person_id: row.parse("person_id")?,
        organizer_id: row.parse("organizer_id")?,
        requested_by: row.text("requested_by")?,
        requested_at: row.time("requested_at")?,
        grace: Duration::from_secs(row.int("grace_seconds")?.unsigned_abs()),
        erased_seq: row.maybe_int("erased_seq")?,
        finished_at: row.maybe_time("finished_at")?,
        report: serde_json::from_str(&row.text("report")?)?,
    })
}

/// Takes the person's data out of the core's tables, once, and answers the position from which on none is there.
pub async fn erase(store: &Store, erasure: &Erasure) -> Result<i64> {
    if let Some(seq) = erasure.erased_seq {
        return Ok(seq);
    }
    let (id, person_id) = (erasure.erasure_id, erasure.person_id);
    let since = Timestamp::now();
    let answers = answers_about(store, person_id).await?;
    store
        .write(erasure.requested_by.clone(), move |tx| {
            Box::pin(async move { erase_rows(tx, id, person_id, answers, since).await })
        })
        .await?;
    let seq = *store.committed_seq().borrow();
    let sql = "update erasures set erased_seq = $2 where erasure_id = $1 and erased_seq is null";
    store
        .write("system", move |tx| {
            Box::pin(async move { sql::execute(tx, sql, binds![id, seq]).await })
        })
        .await?;
    Ok(seq)
}

/// Records the end of an erasure.
pub async fn finish(store: &Store, id: ErasureId, report: Json) -> Result<()> {
    let sql = "update erasures set finished_at = $2, report = $3 where erasure_id = $1 and finished_at is null";
    let finish = store.write("system", move |tx| {
        Box::pin(async move { sql::execute(tx, sql, binds![id, tx.now(), report.to_string()]).await })
    });
    finish.await.map(drop)
}

/// Overwrites what the database's files still hold of rows that are gone. Answers how, for the report.
pub async fn scrub(store: &Store) -> Result<Scrubbed> {
    dialect::scrub(store.peek().await?.0).await
}

async fn erase_rows(
    tx: &mut Tx,
    id: ErasureId,
    person_id: PersonId,
    answers: Vec<(String, String)>,
    since: Timestamp,
) -> Result<()> {
    let mut person = people::get(tx, person_id).await?;
    let mut kept_answers = 0;
    for (scope, key) in answers {
        let sql = format!("{EMPTY_ANSWERS} where scope = $1 and key = $2");
        kept_answers += sql::execute(tx, sql, binds![scope, key]).await?;
    }
    let sql = format!("{EMPTY_ANSWERS} where created_at >= $1 and response like $2");
    let values = binds![since - OVERLAP, format!("%{person_id}%")];
    kept_answers += sql::execute(tx, sql, values).await?;
    let outbox_rows = empty_outbox(tx, person_id).await?;
    let known = person.value.clone();
    let fields = people::erase(tx, &mut person)?;
    let keys = sql::execute(tx, "delete from person_keys where person_id = $1", binds![person_id]).await?;
    let questions = questions::forget(tx, person.organizer_id, &known, person_id).await?;
    let invited = "delete from promo_code_audience where person_id = $1";
    let invited = sql::execute(tx, invited, binds![person_id]).await?;
    tickets::box_again(tx, person_id).await?;
    let mails = mail::erase(tx, person_id).await?;
    waiting_list::leave_all(tx, person_id).await?;
    let report = json!({ "core": {
        "people": { "rows": i64::from(!fields.is_empty()), "emptied": fields },
        "person_keys": { "rows": keys },
        "promo_code_audience": { "rows": invited },
        "mail_outbox": { "rows": mails },
        "saved_questions": { "rows": questions },
        "idempotency_keys": { "rows": kept_answers },
        "outbox": { "unencrypted_rows_emptied": outbox_rows },
    }});
    let sql = "update erasures set report = $2 where erasure_id = $1 and report = '{}'";
    sql::execute(tx, sql, binds![id, report.to_string()]).await.map(drop)
}

/// Kept answers that name the person, found without holding up any command. They name people by id alone; a name or a
/// number, which is whatever somebody has typed, stands in answers to others.
async fn answers_about(store: &Store, person_id: PersonId) -> Result<Vec<(String, String)>> {
    let mut db = store.read().await?;
    let sql = "select scope, key from idempotency_keys where response like $1";
    let rows = sql::all(&mut db, sql, binds![format!("%{person_id}%")]).await?;
    let read = |row: &Row| Ok((row.text("scope")?, row.text("key")?));
    rows.iter().map(read).collect()
}

/// Changes that were told before personal data was encrypted, or by an older version of this program.
async fn empty_outbox(tx: &mut Tx, person_id: PersonId) -> Result<i64> {
    let entity = Person::ENTITY;
    let sql = "select seq, payload from outbox where entity = $1 and entity_id = $2";
    let rows = sql::all(tx, sql, binds![entity.name, person_id]).await?;
    let mut emptied = 0;
    for row in rows {
        let mut record: serde_json::Map<String, Json> = serde_json::from_str(&row.text("payload")?)?;
        let is_plain = |value: &Json| value.as_str().is_some_and(|text| !text.starts_with("enc:1:"));
        let mut any = false;
        for field in entity.personal {
            if let Some(value) = record.get_mut(*field).filter(|value| is_plain(value)) {
                (*value, any) = (Json::Null, true);
            }
        }
        if any {
            let sql = "update outbox set payload = $2 where seq = $1";
            sql::execute(tx, sql, binds![row.int("seq")?, serde_json::to_string(&record)?]).await?;
            emptied += 1;
        }
    }
    Ok(emptied)
}
