//! Failed log-ins in a row make the next one wait, longer each time. An address that nobody has is locked like any
//! other, so that the lock does not tell who has an account.

use crate::{
    Error, Result, Tx, secrets,
    sql::{self, Columns, binds},
};
use domain::{Email, Timestamp};
use std::time::Duration;

/// So many may fail before anyone has to wait: people mistype.
const FREE: i64 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// After a day without a failure, all is forgotten.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// The key under which an address's failures are counted. A hash: what was typed may be somebody's address.
pub(super) fn account(email: &Email) -> String {
    secrets::hash(email.as_str())
}

/// Begins an attempt, which counts as failed until [`clear`] or [`give_back`] says otherwise: so attempts that are made
/// at once count as well.
pub(super) async fn take(tx: &mut Tx, account: &str, at: Timestamp) -> Result<()> {
    let sql = "select failures, last_at, locked_until from log_in_failures where account_hash = $1";
    let mut failures = 0;
    if let Some(row) = sql::optional(tx, sql, binds![account]).await? {
        if let Some(until) = row.maybe_time("locked_until")?.filter(|until| *until > at) {
            let message = "too many attempts have failed; wait before the next one, longer each time";
            return Err(Error::refused("locked_out", message).retry_after(until.since(at)));
        }
        if at.since(row.time("last_at")?) < REMEMBERED {
            failures = row.int("failures")?;
        }
    }
    failures += 1;
    let sql = "insert into log_in_failures (account_hash, failures, last_at, locked_until) values ($1, $2, $3, $4)
               on conflict (account_hash) do update set
                   failures = excluded.failures, last_at = excluded.last_at, locked_until = excluded.locked_until";
    let locked_until = wait(failures).map(|wait| at + wait);
    sql::execute(tx, sql, binds![account, failures, at, locked_until]).await?;
    Ok(())
}

/// An attempt that was neither right nor wrong.
pub(super) async fn give_back(tx: &mut Tx, account: &str) -> Result<()> {
    let sql = "update log_in_failures set failures = failures - 1, locked_until = null where account_hash = $1";
    sql::execute(tx, sql, binds![account]).await.map(drop)
}

pub(super) async fn clear(tx: &mut Tx, account: &str) -> Result<()> {
    let sql = "delete from log_in_failures where account_hash = $1";
    sql::execute(tx, sql, binds![account]).await.map(drop)
}

pub(crate) async fn sweep(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    let sql = "delete from log_in_failures where last_at < $1";
    sql::execute(tx, sql, binds![now - REMEMBERED]).await
}

fn wait(failures: i64) -> Option<Duration> {
    let doubled = u32::try_from(failures - FREE).ok()?;
    Some((FIRST_WAIT * (1 << doubled.min(16))).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_an_hour() {
        let seconds = |failures| wait(failures).map(|wait| wait.as_secs());
        assert_eq!((seconds(1), seconds(4)), (None, None));
        assert_eq!((seconds(5), seconds(6), seconds(7)), (Some(30), Some(60), Some(120)));
        assert_eq!((seconds(12), seconds(10_000)), (Some(3600), Some(3600)));
    }
}
