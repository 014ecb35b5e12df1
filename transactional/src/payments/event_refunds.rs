//! All money of a cancelled event goes back. One call asks for it; then bounded commands cancel and refund order by
//! order, between those that sell other events. How far they have come stands in the same transaction as what they did.

use crate::{
    Error, Result, Source, Store, Stored, Tx, events,
    mail::{self, Content, Recipient},
    orders,
    payments::{self, TILL},
    rows,
    sql::{self, Columns, binds},
};
use domain::{
    EventId, Money, Timestamp,
    changes::Order,
    event::EventStatus,
    order::{OrderStatus, RefundReason},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How far an event's refunds have come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRefunds {
    pub event_id: EventId,
    pub asked_at: Timestamp,
    /// None: there are orders left, or there may be.
    pub finished_at: Option<Timestamp>,
    /// Orders that are not cancelled yet, or whose money has not gone back.
    pub orders_left: i64,
}

/// Orders that one command cancels: some ten milliseconds of the writer's time.
const TOGETHER: i64 = 20;
/// Events that are looked at in one round.
const EVENTS: i64 = 10;
/// One event's trouble neither stops another's refunds nor fills the log.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

// Orders that can still give something back: open ones, and those whose money did not go back when they were cancelled,
// since a provider refused it, a bank had it, or staff kept it. `t` is the order.
macro_rules! left {
    () => {
        "(t.status in ('pending', 'paid') or (t.status = 'cancelled' and exists (
             select 1 from payments p where p.order_id = t.order_id and p.status = 'succeeded'
                 and p.amount_minor > p.refunded_minor + p.disputed_minor)))"
    };
}

/// Asks for all of it. While that goes on, whoever asks again is told how far it is; later it is gone through once more,
/// for what did not go back the first time.
pub async fn ask(tx: &mut Tx, id: EventId) -> Result<EventRefunds> {
    let mut event = events::get(tx, id).await?;
    if event.status != EventStatus::Cancelled {
        let message = format!("this event is {}; cancel it first", event.status);
        return Err(Error::conflict("event_not_cancelled", message));
    }
    let sql = "insert into event_refunds (event_id, asked_by, asked_at, after_placed_at, after_order_id)
               values ($1, $2, $3, $4, '')
               on conflict (event_id) do update set finished_at = null, after_placed_at = excluded.after_placed_at,
                   after_order_id = '', asked_by = excluded.asked_by
               where event_refunds.finished_at is not null";
    let values = binds![id, tx.actor, tx.now(), i64::MIN];
    if sql::execute(tx, sql, values).await? == 1 {
        tx.change("event.refunds_requested", &mut event)?;
    }
    progress(tx, id).await
}

pub async fn progress(db: &mut impl Source, id: EventId) -> Result<EventRefunds> {
    let sql = concat!(
        "select r.asked_at as asked_at, r.finished_at as finished_at,
             (select count(*) from orders t where t.event_id = r.event_id and ",
        left!(),
        ") as orders_left from event_refunds r where r.event_id = $1"
    );
    let row = sql::optional(db, sql, binds![id]).await?;
    let row = row.ok_or_else(|| Error::not_found("refund of a whole event"))?;
    Ok(EventRefunds {
        event_id: id,
        asked_at: row.time("asked_at")?,
        finished_at: row.maybe_time("finished_at")?,
        orders_left: row.int("orders_left")?,
    })
}

/// One command for each event whose refunds are not finished. Whether there was any.
pub async fn go_on(store: &Store) -> Result<bool> {
    let sql = "select event_id, asked_by from event_refunds where finished_at is null order by asked_at limit $1";
    let unfinished = sql::all(&mut store.peek().await?, sql, binds![EVENTS]).await?;
    for row in &unfinished {
        let id: EventId = row.parse("event_id")?;
        let cancelled = store.write(row.text("asked_by")?, move |tx| Box::pin(cancel_some(tx, id)));
        if let Err(error) = cancelled.await {
            tracing::warn!(event = %id, %error, "some orders could not be cancelled; they are tried again");
            tokio::time::sleep(AFTER_A_FAILURE).await;
        }
    }
    Ok(!unfinished.is_empty())
}

async fn cancel_some(tx: &mut Tx, id: EventId) -> Result<()> {
    let sql = "select after_placed_at, after_order_id from event_refunds where event_id = $1";
    let row = sql::one(tx, sql, binds![id]).await?;
    let after = (row.int("after_placed_at")?, row.text("after_order_id")?);
    let condition = concat!(
        "t.event_id = $1 and (t.placed_at, t.order_id) > ($2, $3) and ",
        left!(),
        " order by t.placed_at, t.order_id limit $4"
    );
    let found: Vec<Stored<Order>> = rows::find(tx, condition, binds![id, after.0, after.1, TOGETHER]).await?;
    for order in &found {
        cancel(tx, order).await?;
    }
    match found.last().filter(|_| found.len() == TOGETHER as usize) {
        Some(last) => {
            let sql = "update event_refunds set after_placed_at = $2, after_order_id = $3 where event_id = $1";
            tx.defer(sql, binds![id, last.placed_at, last.order_id], 1);
        }
        None => {
            let sql = "update event_refunds set finished_at = $2 where event_id = $1";
            tx.defer(sql, binds![id, tx.now()], 1);
        }
    }
    Ok(())
}

/// Takes one order back, and tells its buyer.
async fn cancel(tx: &mut Tx, order: &Stored<Order>) -> Result<()> {
    let order_id = order.order_id;
    let reason = RefundReason::EventCancelled;
    let after = match order.status {
        OrderStatus::Cancelled => orders::give_back(tx, order.clone(), reason).await?,
        _ => orders::cancel(tx, order_id, Some(reason)).await?,
    };
    let language = orders::language(tx, order_id).await?;
    let back = Money::new(after.refunded_minor - order.refunded_minor, order.currency);
    let refunded = back.to_string();
    let paid = payments::of_order(tx, order_id).await?;
    let content = match back.amount_minor {
        0 => Content::EventCancelledUnpaid { order_id },
        _ if paid.iter().any(|payment| payment.provider == TILL) => Content::EventCancelledTill { order_id, refunded },
        _ => Content::EventCancelled { order_id, refunded },
    };
    mail::queue(tx, Recipient::Person(order.person_id), language, content)?;
    Ok(())
}
