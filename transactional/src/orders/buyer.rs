//! What buyers do with their orders themselves, by the order's link.

use super::{cancel, closed, get, send_link, tidy};
use crate::{
    Error, Result, Source, Stored, Tx, events,
    payments::refunds::Paid,
    people,
    sql::{self, Columns, binds},
    tickets,
};
use domain::{
    Money, OrderId, TicketId, Timestamp,
    changes::{Order, Ticket},
    order::{OrderStatus, RefundReason, TicketStatus},
};
use std::time::Duration;

/// How soon a buyer may have the mail sent again.
const SENT_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// What a buyer gets back who cancels now. Refused unless the event's policy allows it: until its time, and while no
/// ticket has been used.
pub async fn back_to_buyer(db: &mut impl Source, order: &Order, now: Timestamp) -> Result<Money> {
    let event = events::get(db, order.event_id).await?;
    let refused = |message: String| Err(Error::conflict("not_refundable", message));
    match (order.status, event.refundable_until) {
        (OrderStatus::Expired | OrderStatus::Cancelled, _) => return Err(closed(order)),
        (OrderStatus::Paid, None) => {
            return refused("buyers can't cancel orders of this event; ask the organizer".to_owned());
        }
        (OrderStatus::Paid, Some(until)) if until <= now => {
            return refused(format!(
                "buyers could cancel orders of this event until {until}; ask the organizer"
            ));
        }
        _ => {}
    }
    let used = "select 1 as used from ticket_list_state s join tickets t on t.ticket_id = s.ticket_id
                where t.order_id = $1 and s.entries > 0 limit 1";
    if sql::optional(db, used, binds![order.order_id]).await?.is_some() {
        return Err(Error::conflict(
            "ticket_used",
            "a ticket of this order was used at a door already",
        ));
    }
    let paid = Paid::of_order(db, order.order_id).await?;
    let room = paid.map_or(0, |paid| paid.room().max(0));
    Ok(Money::new(room, order.currency))
}

/// Cancels for the buyer.
pub async fn cancel_by_buyer(tx: &mut Tx, id: OrderId) -> Result<Stored<Order>> {
    let (order, now) = (get(tx, id).await?, tx.now());
    back_to_buyer(tx, &order, now).await?;
    cancel(tx, id, Some(RefundReason::Buyer)).await
}

/// The same once more, when the buyer has lost it. Not twice in a minute: a mailbox should not be filled by it.
pub async fn send_link_again(tx: &mut Tx, id: OrderId) -> Result<()> {
    let order = get(tx, id).await?;
    let reserved = order.status == OrderStatus::Pending && order.reserved && !order.awaits_approval;
    if order.status != OrderStatus::Paid && !reserved {
        return Err(Error::conflict(
            "order_not_paid",
            format!("this order is {}", order.status),
        ));
    }
    let sql = "select language, link_sent_at from orders where order_id = $1";
    let row = sql::one(tx, sql, binds![id]).await?;
    if people::get(tx, order.person_id).await?.email.is_none() {
        let message = "no address of this order's buyer is known, or none any more since they were erased";
        return Err(Error::conflict("no_address", message));
    }
    let again = row.maybe_time("link_sent_at")?.map(|at| at + SENT_AGAIN_AFTER);
    if let Some(again) = again.filter(|again| *again > tx.now()) {
        let message = "the mail was sent a moment ago; look again in a minute";
        return Err(Error::conflict("sent_already", message).retry_after(again.since(tx.now())));
    }
    let language = row.parse("language")?;
    send_link(tx, &order, language)?;
    let sql = "update orders set link_sent_at = $2 where order_id = $1";
    tx.defer(sql, binds![id, tx.now()], 1);
    Ok(())
}

/// Says who will come with a ticket. They are a person of their own, of whom only the name is known.
pub async fn name_holder(tx: &mut Tx, id: OrderId, ticket_id: TicketId, name: String) -> Result<Stored<Ticket>> {
    let order = get(tx, id).await?;
    let mut ticket = tickets::get(tx, ticket_id).await?;
    if ticket.order_id != id {
        return Err(Error::not_found("ticket"));
    }
    if ticket.status != TicketStatus::Valid {
        return Err(Error::conflict("ticket_cancelled", "this ticket is cancelled"));
    }
    let name = tidy(Some(name), "name")?
        .ok_or_else(|| Error::refused("invalid", "a name has at least one character").at("name"))?;
    let buyer = people::get(tx, order.person_id).await?;
    if buyer.name.as_deref() == Some(name.as_str()) {
        // Nobody is known twice, or an erasure would find one of them.
        ticket.person_id = order.person_id;
    } else if ticket.person_id == order.person_id {
        ticket.person_id = people::register_holder(tx, order.organizer_id, name)?.person_id;
    } else {
        let mut holder = people::get(tx, ticket.person_id).await?;
        holder.name = Some(name);
        tx.change("person.updated", &mut holder)?;
    }
    tx.change("ticket.holder_named", &mut ticket)?;
    tickets::box_again(tx, ticket.person_id).await?;
    Ok(ticket)
}
