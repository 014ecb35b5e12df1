//! What time alone does: holds expire, events end, sessions and kept answers go.

use crate::{
    Result, Store, Tx,
    access::{lockout, proofs},
    events, holds, idempotency, mail, sql, waiting_list, webhooks,
};

/// What one round of sweeping ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub holds: u64,
    pub orders: u64,
    pub events: u64,
    pub waiting_entries: u64,
    pub sessions: u64,
    pub keys: u64,
    pub mails: u64,
    pub deliveries: u64,
}

/// A command ends no more than this, so that a sale waits a few milliseconds for it at most.
const MOST_A_COMMAND: i64 = 200;

impl Store {
    /// One bounded round. A round that ended many calls for the next at once.
    pub async fn sweep(&self) -> Result<Swept> {
        self.write("system", |tx| Box::pin(sweep(tx))).await
    }
}

async fn sweep(tx: &mut Tx) -> Result<Swept> {
    let ended = holds::sweep(tx, None, MOST_A_COMMAND).await?;
    let events = events::end_what_is_over(tx, MOST_A_COMMAND).await?;
    let now = tx.now();
    let sql = "delete from sessions where expires_at <= $1";
    let sessions = sql::execute(tx, sql, sql::binds![now]).await?;
    proofs::sweep(tx, now).await?;
    lockout::sweep(tx, now).await?;
    Ok(Swept {
        holds: ended.holds,
        orders: ended.orders,
        events,
        waiting_entries: waiting_list::close(tx, MOST_A_COMMAND).await?,
        sessions,
        keys: idempotency::sweep(tx, now).await?,
        mails: mail::sweep(tx, now, MOST_A_COMMAND).await?,
        deliveries: webhooks::sweep(tx, now, MOST_A_COMMAND).await?,
    })
}
