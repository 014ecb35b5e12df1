//! A key that makes a repeated request harmless: the first answer is kept in the command's own transaction.

use crate::{
    Error, Result, Tx,
    sql::{self, Columns, binds},
};
use domain::Timestamp;
use std::time::Duration;

/// How long an answer is kept.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// Whose key it is and for what: two callers may choose the same key.
    pub scope: String,
    pub key: String,
    /// Of everything in the request that decides its answer.
    pub request_hash: String,
}

/// An answer, and whether it is one from before.
#[derive(Clone, Debug, PartialEq)]
pub struct Once<T> {
    pub value: T,
    pub replayed: bool,
}

/// The kept answer or refusal, if the key has been used.
pub(crate) async fn find(tx: &mut Tx, key: &IdempotencyKey) -> Result<Option<Result<String>>> {
    let sql = "select request_hash, refused, response from idempotency_keys where scope = $1 and key = $2";
    let Some(row) = sql::optional(tx, sql, binds![key.scope, key.key]).await? else {
        return Ok(None);
    };
    let response = row.text("response")?;
    // An erasure has emptied it.
    if response.is_empty() {
        return Err(Error::conflict(
            "answer_erased",
            "this was done, and its answer told of a person who has been erased",
        ));
    }
    if row.text("request_hash")? != key.request_hash {
        return Err(Error::conflict(
            "idempotency_key_reused",
            "this idempotency key was used for another request; choose a new one",
        ));
    }
    Ok(Some(match row.int("refused")? {
        0 => Ok(response),
        _ => Err(Error::from_json(&response)?),
    }))
}

pub(crate) fn keep(tx: &mut Tx, key: &IdempotencyKey, refused: bool, response: String) {
    let sql = "insert into idempotency_keys (scope, key, request_hash, refused, response, created_at)
               values ($1, $2, $3, $4, $5, $6)";
    let values = binds![key.scope, key.key, key.request_hash, refused, response, tx.batch_time];
    tx.defer(sql, values, 1);
}

pub(crate) async fn sweep(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    let sql = "delete from idempotency_keys where created_at < $1";
    sql::execute(tx, sql, binds![now - KEPT_FOR]).await
}
