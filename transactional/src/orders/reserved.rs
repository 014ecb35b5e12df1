//! Orders whose tickets come before their money: those that are paid at the door, and those that wait until the
//! organizer approves them. Their capacity is sold, and no time ends them; somebody pays or cancels.
//!
//! What is paid at the door goes from hand to hand. Its provider is the organizer's own till, [`TILL`]: staff say what
//! was taken and what was given back, and from there on it is a payment like any other.

use super::{fulfil, get};
use crate::{
    Error, Result, Stored, Tx,
    mail::{self, Content, Recipient},
    payments::{self, Report, ReportedOutcome, TILL, refunds},
    sql::{self, Columns, binds},
    tickets,
};
use domain::{
    Money, OrderId, RefundId,
    changes::{Hold, Order, Refund, Ticket},
    message::Language,
    order::{OrderStatus, RefundStatus},
};

/// The tickets of an order that is paid later, or that waits for its approval.
pub(super) async fn reserve(
    tx: &mut Tx,
    order: &Stored<Order>,
    hold: &mut Stored<Hold>,
    language: Language,
) -> Result<Vec<Stored<Ticket>>> {
    super::secure(tx, order, Some(hold)).await?;
    if !order.awaits_approval {
        super::send_link(tx, order, language)?;
    }
    tickets::issue(tx, order)
}

/// The organizer says yes: the order can be paid now, and a free one is.
pub async fn approve(tx: &mut Tx, id: OrderId) -> Result<Stored<Order>> {
    let mut order = get(tx, id).await?;
    if !order.awaits_approval || order.status != OrderStatus::Pending {
        return Err(Error::conflict(
            "not_waiting",
            "this order does not wait for an approval",
        ));
    }
    super::takes_place(tx, &order).await?;
    order.awaits_approval = false;
    tx.change("order.approved", &mut order)?;
    let language = language(tx, id).await?;
    if order.total_minor == 0 {
        fulfil(tx, &mut order, None, language).await?;
    } else {
        let content = Content::OrderApproved { order_id: id };
        mail::queue(tx, Recipient::Person(order.person_id), language, content)?;
    }
    Ok(order)
}

/// Tells a buyer that the organizer says no.
pub(super) async fn tell_no(tx: &mut Tx, order: &Stored<Order>) -> Result<()> {
    let id = order.order_id;
    let content = Content::OrderDeclined { order_id: id };
    let language = language(tx, id).await?;
    mail::queue(tx, Recipient::Person(order.person_id), language, content)?;
    Ok(())
}

pub(crate) async fn language(tx: &mut Tx, id: OrderId) -> Result<Language> {
    let sql = "select language from orders where order_id = $1";
    sql::one(tx, sql, binds![id]).await?.parse("language")
}

/// Staff took the money, all of it. `method`: `cash`, `card`, or how else.
pub async fn take_payment(tx: &mut Tx, id: OrderId, method: String) -> Result<Stored<Order>> {
    let payment = super::pay(tx, id, TILL.into(), method).await?;
    let amount = Money::new(payment.amount_minor, payment.currency);
    let taken = report(payment.provider_ref.clone(), ReportedOutcome::Succeeded, amount, None);
    payments::report(tx, taken).await?;
    let order = get(tx, id).await?;
    match order.status {
        OrderStatus::Paid => Ok(order),
        _ => Err(Error::refused(
            "sold_out",
            "this order can't be filled any more; give the money back",
        )),
    }
}

/// Staff gave back what a refund of money from the till owes.
pub async fn hand_over(tx: &mut Tx, id: RefundId) -> Result<Stored<Refund>> {
    let refund = refunds::get(tx, id).await?;
    if refund.provider != TILL || refund.status != RefundStatus::Pending {
        let message = "only a pending refund of what was paid at the door is handed over";
        return Err(Error::conflict("not_owed", message));
    }
    let payment = payments::get(tx, refund.payment_id).await?;
    let amount = Money::new(refund.amount_minor, refund.currency);
    let given = report(
        payment.provider_ref.clone(),
        ReportedOutcome::Refunded,
        amount,
        Some(id.to_string()),
    );
    payments::report(tx, given).await?;
    refunds::get(tx, id).await
}

fn report(payment: String, outcome: ReportedOutcome, amount: Money, refund: Option<String>) -> Report {
    Report {
        provider: TILL.into(),
        ext_id: refund.clone().unwrap_or_else(|| payment.clone()),
        provider_ref: Some(payment),
        external_ref: None,
        subject_ref: refund,
        outcome,
        amount,
    }
}
