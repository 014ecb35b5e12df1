//! The keys that sign an event's tickets. A code names its key's number. The newest key signs; a retired one still
//! verifies what it signed; a revoked one verifies nothing, and whoever has it can make no tickets.

use crate::{
    Error, Result, Store, Stored, Tx, events, secrets,
    sql::{self, Columns, binds},
};
use domain::{
    EventId, Timestamp,
    changes::Ticket,
    ticket_code::{Claim, EventKey, TicketCode},
};
use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

/// How long another process may go on with an event's keys as they were. Without this memory each scan at a door would
/// begin with a read.
const MEMORY: Duration = Duration::from_secs(2);
/// About 3 MB. Beyond it the cache starts afresh.
const MOST_EVENTS: usize = 10_000;
/// A code has one byte for the number.
const MOST_KEYS: i64 = 256;
/// So many signatures are verified between two looks at other work.
const VERIFIED_AT_ONCE: usize = 4;

/// Events' keys that were read a moment ago.
#[derive(Default)]
pub(crate) struct EventKeys(RwLock<HashMap<EventId, Remembered>>);

type Remembered = (Instant, Arc<Vec<NumberedKey>>);

pub(crate) struct NumberedKey {
    pub(crate) number: u8,
    pub(crate) key: EventKey,
    retired_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

/// A key as anyone may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    pub number: u8,
    pub public_key: [u8; 32],
    pub retired_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl NumberedKey {
    pub(crate) fn revoked(&self) -> bool {
        self.revoked_at.is_some()
    }

    /// Whether a code that is good since then may be of this key.
    pub(crate) fn may_have_signed(&self, since: Timestamp) -> bool {
        let in_use = |retired_at| since <= retired_at + 2 * MEMORY;
        !self.revoked() && self.retired_at.is_none_or(in_use)
    }

    fn public(&self) -> PublicKey {
        PublicKey {
            number: self.number,
            public_key: self.key.public().to_bytes(),
            retired_at: self.retired_at,
            revoked_at: self.revoked_at,
        }
    }
}

/// A new key for the codes that are shown from now on.
pub async fn rotate(store: &Store, actor: impl Into<String>, id: EventId) -> Result<Vec<PublicKey>> {
    store.write(actor, move |tx| Box::pin(rotated(tx, id))).await?;
    store.forget_keys(id);
    keys(store, id).await
}

/// Makes the codes of a retired key worthless. Their tickets need newer ones.
pub async fn revoke(store: &Store, actor: impl Into<String>, id: EventId, number: u8) -> Result<Vec<PublicKey>> {
    store.write(actor, move |tx| Box::pin(revoked(tx, id, number))).await?;
    store.forget_keys(id);
    keys(store, id).await
}

/// All that there have been, the oldest first.
pub async fn keys(store: &Store, id: EventId) -> Result<Vec<PublicKey>> {
    let keys = store.keys_of(id).await?;
    match keys.is_empty() {
        true => Err(Error::not_found("event")),
        false => Ok(keys.iter().map(NumberedKey::public).collect()),
    }
}

/// An event's first key, or its next.
pub(crate) async fn create(tx: &mut Tx, id: EventId) -> Result<()> {
    let sql = "insert into event_keys (event_id, key_number, seed)
               select $1, coalesce(max(key_number) + 1, 0), $2 from event_keys where event_id = $1";
    let seed = secrets::encode(&secrets::random_bytes());
    sql::execute(tx, sql, binds![id, seed]).await?;
    Ok(())
}

async fn rotated(tx: &mut Tx, id: EventId) -> Result<()> {
    let mut event = events::get(tx, id).await?;
    let sql = "select count(*) as keys from event_keys where event_id = $1";
    if sql::one(tx, sql, binds![id]).await?.int("keys")? >= MOST_KEYS {
        return Err(Error::conflict("too_many", "this event has had too many keys"));
    }
    let sql = "update event_keys set retired_at = $2 where event_id = $1 and retired_at is null";
    let now = tx.now();
    sql::execute(tx, sql, binds![id, now]).await?;
    create(tx, id).await?;
    tx.change("event.key_rotated", &mut event)
}

async fn revoked(tx: &mut Tx, id: EventId, number: u8) -> Result<()> {
    let mut event = events::get(tx, id).await?;
    let sql = "select retired_at, revoked_at from event_keys where event_id = $1 and key_number = $2";
    let found = sql::optional(tx, sql, binds![id, i64::from(number)]).await?;
    let row = found.ok_or_else(|| Error::not_found("key"))?;
    if row.maybe_int("retired_at")?.is_none() {
        let message = "this key signs the tickets of now; rotate the event's keys first";
        return Err(Error::conflict("key_in_use", message));
    }
    if row.maybe_int("revoked_at")?.is_some() {
        return Ok(());
    }
    let sql = "update event_keys set revoked_at = $3 where event_id = $1 and key_number = $2";
    let now = tx.now();
    sql::execute(tx, sql, binds![id, i64::from(number), now]).await?;
    tx.change("event.key_revoked", &mut event)
}

impl Store {
    /// The text of a ticket's code.
    pub async fn ticket_code(&self, ticket: &Stored<Ticket>) -> Result<String> {
        let keys = self.keys_of(ticket.event_id).await?;
        let newest = keys.last().ok_or_else(|| Error::not_found("event"))?;
        let code_version = u16::try_from(ticket.code_version).map_err(|_| Error::not_found("ticket"))?;
        let claim = Claim {
            ticket_id: ticket.ticket_id,
            code_version,
            key_number: newest.number,
        };
        Ok(newest.key.sign(claim).to_string())
    }

    /// What each code claims that one of this event's keys signed; None for the others.
    pub(crate) async fn verified_claims(&self, id: EventId, codes: Vec<String>) -> Result<Vec<Option<Claim>>> {
        let keys = self.keys_of(id).await?;
        if codes.len() <= VERIFIED_AT_ONCE {
            return Ok(codes.iter().map(|code| verified(&keys, code)).collect());
        }
        let verify = move || codes.iter().map(|code| verified(&keys, code)).collect();
        tokio::task::spawn_blocking(verify).await.map_err(|_| Error::Panicked)
    }

    /// In the order of their numbers, which count from 0.
    pub(crate) async fn keys_of(&self, id: EventId) -> Result<Arc<Vec<NumberedKey>>> {
        let cache = &self.event_keys().0;
        let remembered = cache.read().ok().and_then(|cache| cache.get(&id).cloned());
        if let Some((_, keys)) = remembered.filter(|(since, _)| since.elapsed() < MEMORY) {
            return Ok(keys);
        }
        let read_at = Instant::now();
        let sql = "select key_number, seed, retired_at, revoked_at from event_keys where event_id = $1
                   order by key_number";
        let mut keys = Vec::new();
        for row in sql::all(&mut self.peek().await?, sql, binds![id]).await? {
            let seed = secrets::decode(&row.text("seed")?);
            let unreadable = || Error::Storage("an event's key is unreadable".into());
            keys.push(NumberedKey {
                number: u8::try_from(row.int("key_number")?).map_err(|_| unreadable())?,
                key: EventKey::from_seed(&seed.ok_or_else(unreadable)?),
                retired_at: row.maybe_time("retired_at")?,
                revoked_at: row.maybe_time("revoked_at")?,
            });
        }
        let keys = Arc::new(keys);
        if let Ok(mut cache) = cache.write()
            && !keys.is_empty()
        {
            if cache.len() >= MOST_EVENTS {
                cache.clear();
            }
            cache.insert(id, (read_at, keys.clone()));
        }
        Ok(keys)
    }

    fn forget_keys(&self, id: EventId) {
        if let Ok(mut cache) = self.event_keys().0.write() {
            cache.remove(&id);
        }
    }
}

fn verified(keys: &[NumberedKey], code: &str) -> Option<Claim> {
    let code: TicketCode = code.parse().ok()?;
    let claim = code.claim().ok()?;
    let key = keys.get(usize::from(claim.key_number)).filter(|key| !key.revoked())?;
    key.key.public().verifies(&code).then_some(claim)
}
