//! The outbox: every change in commit order, until the relay has it and it is trimmed.

use crate::{
    Result, Source, Tx,
    correlation::Correlation,
    dialect::{self, Row},
    person_keys,
    rows::placeholders,
    sql::{self, Bind, Columns, Value, binds},
};
use domain::{
    ChangeId, OrganizerId, Timestamp,
    changes::{Change, SCHEMA_VERSION},
};
use std::sync::{Arc, LazyLock};

/// A change that has no place in the order yet.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) change_type: &'static str,
    pub(crate) organizer_id: OrganizerId,
    pub(crate) entity: &'static str,
    pub(crate) entity_id: String,
    pub(crate) entity_version: i64,
    pub(crate) occurred_at: Timestamp,
    pub(crate) payload: String,
    pub(crate) remaining: i64,
    pub(crate) actor: String,
    pub(crate) correlation: Correlation,
}

const COLUMNS: usize = 15;
const MOST_ROWS: usize = 32;

static INSERTS: LazyLock<Vec<Arc<String>>> = LazyLock::new(|| {
    (0..=MOST_ROWS.ilog2())
        .map(|power| {
            let rows = placeholders(1 << power, COLUMNS);
            Arc::new(format!(
                "insert into outbox (seq, remaining, change_id, change_type, schema_version, organizer_id, entity, \
                 entity_id, entity_version, occurred_at, recorded_at, actor, payload, correlation_id, traceparent) \
                 values {rows}"
            ))
        })
        .collect()
});

/// Where a batch ends in the order of changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// The last place that is taken.
    pub(crate) position: i64,
    /// The change of this batch that has it. None: the batch changed nothing.
    pub(crate) change_id: Option<ChangeId>,
}

/// Gives the batch's changes their places. The last thing before [`commit`].
pub(crate) async fn number(tx: &mut Tx) -> Result<End> {
    let mut changes = std::mem::take(&mut tx.changes);
    person_keys::seal(tx, &mut changes).await?;
    let recorded_at = tx.batch_time;
    let sql = "update positions set value = value + $1, at = $2 where name = 'committed' returning value";
    let position = sql::one(tx, sql, binds![changes.len() as i64, recorded_at])
        .await?
        .int("value")?;
    let mut seq = position - changes.len() as i64;
    let mut change_id = None;
    let mut changes = changes.into_iter();
    while changes.len() > 0 {
        let power = changes.len().min(MOST_ROWS).ilog2() as usize;
        let mut values = Vec::with_capacity(COLUMNS << power);
        for change in changes.by_ref().take(1 << power) {
            seq += 1;
            let id = *change_id.insert(ChangeId::new());
            values.extend(values_of(change, id, seq, recorded_at));
        }
        tx.defer(INSERTS[power].clone(), values, 1 << power);
    }
    Ok(End { position, change_id })
}

/// Writes the changes and commits them with all else, in one message.
pub(crate) async fn commit(tx: &mut Tx, end: End) -> Result<()> {
    if end.change_id.is_some()
        && let Some(announcement) = dialect::announcement(&tx.connection, end.position)
    {
        tx.waiting.writes.push(announcement);
    }
    sql::execute(tx, "commit", vec![]).await?;
    Ok(())
}

/// Whether a batch was committed whose commit was never answered. None: no trace of it is left that could tell. Only
/// for the owner of the writers' lock, when the transaction in question has ended.
pub(crate) async fn was_committed(db: &mut impl Source, end: End) -> Result<Option<bool>> {
    let Some(change_id) = end.change_id else {
        return Ok(None);
    };
    let sql = "select change_id from outbox where seq = $1";
    if let Some(row) = sql::optional(db, sql, binds![end.position]).await? {
        return Ok(Some(row.text("change_id")? == change_id.to_string()));
    }
    // Its place is taken and the row relayed and trimmed already; or the place was never taken.
    let (position, _) = committed(db).await?;
    Ok((position < end.position).then_some(false))
}

fn values_of(change: Pending, id: ChangeId, seq: i64, recorded_at: Timestamp) -> [Value; COLUMNS] {
    [
        Value::Int(seq),
        Value::Int(change.remaining),
        Value::Text(id.to_string()),
        Value::Text(change.change_type.to_owned()),
        Value::Int(SCHEMA_VERSION),
        Value::Text(change.organizer_id.to_string()),
        Value::Text(change.entity.to_owned()),
        Value::Text(change.entity_id),
        Value::Int(change.entity_version),
        Value::Int(change.occurred_at.as_micros()),
        Value::Int(recorded_at.as_micros()),
        Value::Text(change.actor),
        Value::Text(change.payload),
        change.correlation.correlation_id.value(),
        change.correlation.traceparent.value(),
    ]
}

pub(crate) async fn changes_after(db: &mut impl Source, seq: i64, limit: usize) -> Result<Vec<Change>> {
    let sql = "select seq, remaining, change_id, change_type, schema_version, organizer_id, entity, entity_id,
                   entity_version, occurred_at, recorded_at, actor, payload, correlation_id, traceparent
               from outbox where seq > $1 order by seq limit $2";
    let rows = sql::all(db, sql, binds![seq, limit as i64]).await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Change> {
    Ok(Change {
        seq: row.int("seq")?,
        remaining: row.int("remaining")?,
        change_id: row.parse("change_id")?,
        change_type: row.text("change_type")?,
        schema_version: row.int("schema_version")?,
        organizer_id: row.parse("organizer_id")?,
        entity: row.text("entity")?,
        entity_id: row.text("entity_id")?,
        entity_version: row.int("entity_version")?,
        occurred_at: row.time("occurred_at")?,
        recorded_at: row.time("recorded_at")?,
        actor: row.text("actor")?,
        payload: row.text("payload")?,
        correlation_id: row.maybe_text("correlation_id")?,
        traceparent: row.maybe_text("traceparent")?,
    })
}

/// The last place that is taken, and when it was.
pub(crate) async fn committed(db: &mut impl Source) -> Result<(i64, Timestamp)> {
    let row = sql::one(db, "select value, at from positions where name = 'committed'", vec![]).await?;
    Ok((row.int("value")?, row.time("at")?))
}

pub(crate) async fn relayed(db: &mut impl Source) -> Result<i64> {
    position(db, "relayed").await
}

/// How far a reader of the outbox has come.
pub(crate) async fn position(db: &mut impl Source, reader: &str) -> Result<i64> {
    let row = sql::one(db, "select value from positions where name = $1", binds![reader]).await?;
    row.int("value")
}

pub(crate) async fn save_relayed(tx: &mut Tx, seq: i64) -> Result<()> {
    let sql = "update positions set value = $1, at = $2 where name = 'relayed' and value < $1";
    let at = tx.batch_time;
    sql::execute(tx, sql, binds![seq, at]).await?;
    Ok(())
}

/// One trim holds up the writer for a few milliseconds at most.
const MOST_TRIMMED: i64 = 2_000;

/// Drops rows that the relay and the webhooks have read, but the newest `keep` of them. Returns how many went.
pub(crate) async fn trim(tx: &mut Tx, keep: i64) -> Result<u64> {
    let sql = "delete from outbox
               where seq <= (select min(value) from positions where name in ('relayed', 'webhooks')) - $1
               and seq < (select coalesce(min(seq), 0) from outbox) + $2";
    sql::execute(tx, sql, binds![keep.max(0), MOST_TRIMMED]).await
}
