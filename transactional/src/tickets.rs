//! Tickets. The code on one is computed when it is shown, with a key of its event: [`crate::ticket_keys`].

use crate::{
    Error, Result, Source, Store, Stored, Tx, rows,
    sql::{self, Bind, binds},
};
use domain::{
    OrderId, PersonId, TicketId,
    changes::{Order, Ticket},
    order::TicketStatus,
    pricing::ticket_prices,
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
    let coded_at = tx.batch_time;
    tx.defer(
        "update tickets set coded_at = $2, boxed_at = $2 where ticket_id = $1",
        binds![id, coded_at],
        1,
    );
    Ok(ticket)
}

/// Keeps a ticket out, or lets it in again. Its order stays as it is.
pub async fn block(tx: &mut Tx, id: TicketId, blocked: bool) -> Result<Stored<Ticket>> {
    let mut ticket = get(tx, id).await?;
    if ticket.status != TicketStatus::Valid {
        return Err(Error::conflict("ticket_cancelled", "this ticket is cancelled"));
    }
    if ticket.blocked != blocked {
        ticket.blocked = blocked;
        let change_type = if blocked { "ticket.blocked" } else { "ticket.unblocked" };
        tx.change(change_type, &mut ticket)?;
    }
    Ok(ticket)
}

/// Who comes with these tickets has changed: scanners fetch their boxes anew.
pub(crate) async fn box_again(tx: &mut Tx, person_id: PersonId) -> Result<u64> {
    let sql = "update tickets set boxed_at = $2 where person_id = $1";
    sql::execute(tx, sql, binds![person_id, tx.batch_time]).await
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
            blocked: false,
        };
        tickets.extend(ticket_prices(line)?.into_iter().map(ticket));
    }
    let private = [("coded_at", tx.batch_time.value()), ("boxed_at", tx.batch_time.value())];
    tx.create_all(order.organizer_id, "ticket.issued", tickets, &private)
}

impl Store {
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
