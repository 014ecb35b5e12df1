//! Tickets, and the signed codes on them. A code is computed when it is shown, with the key of its event.

use crate::{
    Error, Result, Source, Store, Stored, Tx, rows, secrets,
    sql::{self, Columns, binds},
};
use domain::{
    EventId, OrderId, TicketId,
    changes::{Order, Ticket},
    order::TicketStatus,
    pricing::ticket_prices,
    ticket_code::{Claim, EventKey, EventPublicKey},
};
use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

pub async fn get(db: &mut impl Source, id: TicketId) -> Result<Stored<Ticket>> {
    rows::get(db, &id).await
}

pub async fn of_order(db: &mut impl Source, id: OrderId) -> Result<Vec<Stored<Ticket>>> {
    rows::find(db, "t.order_id = $1 order by t.ticket_id", binds![id]).await
}

/// A new code for the same ticket; the old one is refused from now on.
pub async fn reissue(tx: &mut Tx, id: TicketId) -> Result<Stored<Ticket>> {
    let mut ticket = get(tx, id).await?;
    if ticket.status != TicketStatus::Valid {
        return Err(Error::conflict("ticket_cancelled", "this ticket is cancelled"));
    }
    if ticket.code_version >= i64::from(u16::MAX) {
        return Err(Error::conflict("too_many", "this ticket has had too many codes"));
    }
    ticket.code_version += 1;
    tx.change("ticket.reissued", &mut ticket)?;
    Ok(ticket)
}

/// The tickets of an order, all in one statement.
pub(crate) fn issue(tx: &mut Tx, order: &Stored<Order>) -> Result<Vec<Stored<Ticket>>> {
    let mut tickets = Vec::new();
    for line in &order.lines {
        let ticket = |price_minor| Ticket {
            ticket_id: TicketId::new(),
            order_id: order.order_id,
            event_id: order.event_id,
            ticket_type_id: line.ticket_type_id,
            person_id: order.person_id,
            status: TicketStatus::Valid,
            price_minor,
            currency: order.currency,
            phase_pool_id: line.phase_pool_id,
            code_version: 1,
        };
        tickets.extend(ticket_prices(line)?.into_iter().map(ticket));
    }
    tx.create_all(order.organizer_id, "ticket.issued", tickets)
}

/// Event keys that have been used, since a key never changes once it is made.
#[derive(Default)]
pub(crate) struct EventKeys(RwLock<HashMap<EventId, Arc<Vec<EventKey>>>>);

/// About 3 MB. Beyond it the cache starts afresh.
const MOST_KEYS: usize = 10_000;

impl Store {
    /// The text of a ticket's code.
    pub async fn ticket_code(&self, ticket: &Stored<Ticket>) -> Result<String> {
        let keys = self.keys_of(ticket.event_id).await?;
        let key = keys.first().ok_or_else(|| Error::not_found("event"))?;
        let code_version = u16::try_from(ticket.code_version).map_err(|_| Error::not_found("ticket"))?;
        let claim = Claim {
            ticket_id: ticket.ticket_id,
            code_version,
            key_number: 0,
        };
        Ok(key.sign(claim).to_string())
    }

    /// For scanners that verify by themselves.
    pub async fn event_public_key(&self, id: EventId) -> Result<[u8; 32]> {
        let keys = self.keys_of(id).await?;
        keys.first()
            .map(|key| key.public().to_bytes())
            .ok_or_else(|| Error::not_found("event"))
    }

    /// The claim of a code that this event's key signed.
    pub(crate) async fn verified_claim(&self, id: EventId, code: &str) -> Result<Option<Claim>> {
        let Ok(code) = code.parse::<domain::ticket_code::TicketCode>() else {
            return Ok(None);
        };
        let Ok(claim) = code.claim() else {
            return Ok(None);
        };
        let keys = self.keys_of(id).await?;
        let key = keys.get(usize::from(claim.key_number)).map(EventKey::public);
        Ok(key.filter(|key: &EventPublicKey| key.verifies(&code)).map(|_| claim))
    }

    async fn keys_of(&self, id: EventId) -> Result<Arc<Vec<EventKey>>> {
        let cache = &self.event_keys().0;
        if let Some(keys) = cache.read().ok().and_then(|cache| cache.get(&id).cloned()) {
            return Ok(keys);
        }
        let sql = "select seed from event_keys where event_id = $1 order by key_number";
        let mut db = self.peek().await?;
        let rows = sql::all(&mut db, sql, binds![id]).await?;
        let seeds = rows.iter().map(|row| Ok(secrets::decode(&row.text("seed")?)));
        let seeds = seeds.collect::<Result<Option<Vec<_>>>>()?;
        let seeds = seeds.ok_or_else(|| Error::Storage("an event's key is unreadable".into()))?;
        let keys: Arc<Vec<_>> = Arc::new(seeds.iter().map(EventKey::from_seed).collect());
        if let Ok(mut cache) = cache.write()
            && !keys.is_empty()
        {
            if cache.len() >= MOST_KEYS {
                cache.clear();
            }
            cache.insert(id, keys.clone());
        }
        Ok(keys)
    }

    /// What shows an order to whoever holds it, besides the organizer's staff. Derived, so it is stored nowhere and can
    /// be sent again.
    pub fn order_secret(&self, id: OrderId) -> String {
        self.key().sign("order", &id.to_string())
    }

    pub fn is_order_secret(&self, id: OrderId, secret: &str) -> bool {
        self.key().verifies("order", &id.to_string(), secret)
    }

    /// The secret that a provider of webhooks to this program signs with.
    pub fn webhook_secret(&self) -> Vec<u8> {
        self.key().sign("webhook", "test").into_bytes()
    }
}
