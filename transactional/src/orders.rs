//! Orders: from a hold to tickets, and back by cancellation.

use crate::{
    Error, Page, PageRequest, Result, Source, Stored, Tx, events,
    holds::{self, HeldSale},
    mail::{self, Content, Recipient},
    organizers,
    page::{self, Filter, Order as Sort},
    payments::{
        self,
        refunds::{self, Paid},
    },
    people,
    pools::{self, Move},
    promo_codes, quotes, rows,
    sql::{self, Columns, binds},
    tickets, waiting_list,
};
use domain::{
    Email, EventId, HoldId, Money, OrderId, OrganizerId, PersonId, TicketId, Timestamp,
    changes::{Event, Hold, Order, Payment, Refund, Ticket},
    event::EventStatus,
    message::Language,
    order::{HoldStatus, OrderStatus, RefundReason, TicketStatus},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, time::Duration};

#[derive(Clone, Debug)]
pub struct Checkout {
    pub hold_id: HoldId,
    pub email: Email,
    pub name: Option<String>,
    pub phone: Option<String>,
    /// That the buyer is written to in.
    pub language: Language,
    /// Not asked for a free order.
    pub provider: String,
    pub method: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Placed {
    pub order: Stored<Order>,
    /// None: the order is free, and paid already.
    pub payment: Option<Stored<Payment>>,
    /// Of a free order.
    pub tickets: Vec<Stored<Ticket>>,
}

#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    pub organizer_id: Option<OrganizerId>,
    pub event_id: Option<EventId>,
    pub person_id: Option<PersonId>,
    pub status: Option<OrderStatus>,
}

/// How long an order waits for its payment, with its capacity kept.
pub const PAYABLE_FOR: Duration = Duration::from_secs(15 * 60);

/// How soon a buyer may have the mail sent again.
const SENT_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Turns a hold into an order at the held price.
pub async fn checkout(tx: &mut Tx, checkout: Checkout) -> Result<Placed> {
    let now = tx.now();
    let sale = HeldSale::find(tx, checkout.hold_id, &checkout.email).await?;
    let (mut hold, event, types) = (sale.hold, sale.event, sale.types);
    if sale.has_order {
        return Err(Error::conflict("already_checked_out", "this hold has an order already").at("hold_id"));
    }
    if hold.status != HoldStatus::Active || hold.expires_at <= now {
        return Err(Error::refused("hold_expired", "this hold is over; place a new one").at("hold_id"));
    }
    if !event.status.on_sale() {
        return Err(Error::refused("not_on_sale", format!("this event is {}", event.status)));
    }
    for ticket_type in &types {
        let lines = hold
            .lines
            .iter()
            .filter(|line| line.ticket_type_id == ticket_type.ticket_type_id);
        match lines.map(|line| line.quantity).sum() {
            0 => {}
            quantity => quotes::check_quantity_and_window(ticket_type, quantity, now)?,
        }
    }
    if let Some(code) = hold.promo_code_id {
        promo_codes::require_audience(tx, code, sale.person.as_ref().map(|person| person.person_id)).await?;
    }
    let (name, phone) = (tidy(checkout.name, "name")?, tidy(checkout.phone, "phone")?);
    let person = people::register(tx, hold.organizer_id, sale.person, checkout.email, name, phone)?;
    let order_id = OrderId::new();
    let order = Order {
        order_id,
        event_id: hold.event_id,
        hold_id: Some(hold.hold_id),
        person_id: person.person_id,
        code: code(order_id),
        status: OrderStatus::Pending,
        currency: hold.currency,
        total_minor: hold.amount_minor,
        refunded_minor: 0,
        quantity: hold.quantity,
        lines: hold.lines.clone(),
        promo_code_id: hold.promo_code_id,
        placed_at: now,
        paid_at: None,
        cancelled_at: None,
        source: None,
    };
    let language = ("language", sql::Bind::value(&checkout.language));
    let mut order = tx.create_with(hold.organizer_id, "order.placed", order, &[language])?;
    if order.total_minor == 0 {
        let filled = fulfil(tx, &mut order, Some(&mut hold), checkout.language).await?;
        let tickets = filled.unwrap_or_default();
        return Ok(Placed {
            order,
            payment: None,
            tickets,
        });
    }
    holds::keep_until(tx, hold.hold_id, now + PAYABLE_FOR);
    let payment = payments::start(tx, &order, sale.platform_fee_bps, checkout.provider, checkout.method)?;
    Ok(Placed {
        order,
        payment: Some(payment),
        tickets: Vec::new(),
    })
}

/// Another try to pay, after one that failed.
pub async fn pay_again(tx: &mut Tx, id: OrderId, provider: String, method: String) -> Result<Stored<Payment>> {
    let order = get(tx, id).await?;
    if order.status != OrderStatus::Pending {
        return Err(Error::conflict(
            "order_closed",
            format!("this order is {}", order.status),
        ));
    }
    let fee_bps = organizers::get(tx, order.organizer_id).await?.platform_fee_bps;
    payments::start(tx, &order, fee_bps, provider, method)
}

/// Takes the order back. Its tickets are void, and its capacity is for sale again. `refund`: what is left of the money
/// goes back too.
pub async fn cancel(tx: &mut Tx, id: OrderId, refund: Option<RefundReason>) -> Result<Stored<Order>> {
    let mut order = get(tx, id).await?;
    match order.status {
        OrderStatus::Pending => release_hold(tx, &order).await?,
        OrderStatus::Paid => {
            let tickets = valid_tickets(tx, id).await?;
            take_back(tx, &order, tickets, true).await?;
            if let (Some(reason), Some(mut paid)) = (refund, Paid::of_order(tx, id).await?)
                && paid.room() > 0
            {
                let left = paid.room();
                refunds::request(tx, &mut paid, &mut order, left, reason)?;
            }
        }
        OrderStatus::Expired | OrderStatus::Cancelled => return Err(closed(&order)),
    }
    order.status = OrderStatus::Cancelled;
    order.cancelled_at = Some(tx.now());
    tx.change("order.cancelled", &mut order)?;
    waiting_list::offer(tx, order.event_id).await?;
    Ok(order)
}

/// What goes back of a paid order.
#[derive(Clone, Debug)]
pub enum RefundRequest {
    /// These tickets, at what was paid for them. They are void; without any left, the order is cancelled.
    Tickets(Vec<TicketId>),
    /// So much, and the tickets stay.
    Amount(Money),
}

/// Gives a part of an order's money back.
pub async fn refund(tx: &mut Tx, id: OrderId, request: RefundRequest, reason: RefundReason) -> Result<Stored<Refund>> {
    let mut order = get(tx, id).await?;
    let mut paid = Paid::of_order(tx, id)
        .await?
        .ok_or_else(|| Error::conflict("nothing_paid", "no payment of this order can be refunded"))?;
    match request {
        RefundRequest::Amount(amount) if amount.currency != order.currency => {
            let message = format!("this order was paid in {}", order.currency);
            Err(Error::refused("invalid", message).at("amount/currency"))
        }
        RefundRequest::Amount(amount) => refunds::request(tx, &mut paid, &mut order, amount.amount_minor, reason),
        RefundRequest::Tickets(wanted) => {
            let (back, stay): (Vec<_>, Vec<_>) = valid_tickets(tx, id)
                .await?
                .into_iter()
                .partition(|ticket| wanted.contains(&ticket.ticket_id));
            let wanted: BTreeSet<_> = wanted.into_iter().collect();
            if back.is_empty() || back.len() != wanted.len() {
                let message = "name valid tickets of this order, at least one";
                return Err(Error::refused("ticket_unknown", message).at("tickets"));
            }
            let amount = back.iter().map(|ticket| ticket.price_minor).sum();
            take_back(tx, &order, back, stay.is_empty()).await?;
            if stay.is_empty() {
                order.status = OrderStatus::Cancelled;
                order.cancelled_at = Some(tx.now());
                tx.change("order.cancelled", &mut order)?;
            }
            let refund = refunds::request(tx, &mut paid, &mut order, amount, reason)?;
            waiting_list::offer(tx, order.event_id).await?;
            Ok(refund)
        }
    }
}

/// What a buyer gets back who cancels now. Refused unless the event's policy allows it: until its time, and while no
/// ticket has been used.
pub async fn back_to_buyer(db: &mut impl Source, order: &Order, now: Timestamp) -> Result<Money> {
    let event = events::get(db, order.event_id).await?;
    if matches!(order.status, OrderStatus::Expired | OrderStatus::Cancelled) {
        return Err(closed(order));
    }
    if order.status == OrderStatus::Paid && event.refundable_until.is_none_or(|until| until <= now) {
        let message = "the time in which this order can be cancelled is over, or there is none; ask the organizer";
        return Err(Error::conflict("not_refundable", message));
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

fn closed(order: &Order) -> Error {
    Error::conflict("order_closed", format!("this order is {} already", order.status))
}

pub async fn get(db: &mut impl Source, id: OrderId) -> Result<Stored<Order>> {
    rows::get(db, &id).await
}

pub async fn by_code(db: &mut impl Source, organizer_id: OrganizerId, code: &str) -> Result<Stored<Order>> {
    let values = binds![organizer_id, code.trim().to_uppercase()];
    let found = rows::find(db, "t.organizer_id = $1 and t.code = $2", values).await?;
    found.into_iter().next().ok_or_else(|| Error::not_found("order"))
}

/// The newest first.
pub async fn list(db: &mut impl Source, filter: OrderFilter, page: PageRequest) -> Result<Page<Stored<Order>>> {
    let conditions = Filter::default()
        .and_if("organizer_id =", &filter.organizer_id)
        .and_if("event_id =", &filter.event_id)
        .and_if("person_id =", &filter.person_id)
        .and_if("status =", &filter.status);
    page::list(db, conditions, Some("placed_at"), Sort::Descending, &page).await
}

/// The money is there: the capacity becomes sold, and the tickets exist. None if the order can't be filled any more;
/// then nothing has changed.
pub(crate) async fn fulfil(
    tx: &mut Tx,
    order: &mut Stored<Order>,
    hold: Option<&mut Stored<Hold>>,
    language: Language,
) -> Result<Option<Vec<Stored<Ticket>>>> {
    let demand = pools::demand(tx, order.event_id, &order.lines, order.promo_code_id).await?;
    match hold {
        Some(hold) if hold.status == HoldStatus::Active => {
            pools::give(tx, Move::ConvertHold, &demand);
            hold.status = HoldStatus::Converted;
            tx.change("hold.converted", hold)?;
            waiting_list::hold_ended(tx, hold).await?;
        }
        _ if pools::take(tx, Move::Sell, &demand).await?.is_none() => {}
        _ => return Ok(None),
    }
    order.status = OrderStatus::Paid;
    order.paid_at = Some(tx.now());
    tx.change("order.paid", order)?;
    send_link(tx, order, language)?;
    tickets::issue(tx, order).map(Some)
}

/// Mails the buyer the way to the order and its tickets.
pub(crate) fn send_link(tx: &mut Tx, order: &Order, language: Language) -> Result<()> {
    let content = Content::OrderLink {
        order_id: order.order_id,
    };
    mail::queue(tx, Recipient::Person(order.person_id), language, content)?;
    Ok(())
}

/// The same once more, when the buyer has lost it. Not twice in a minute: a mailbox should not be filled by it.
pub async fn send_link_again(tx: &mut Tx, id: OrderId) -> Result<()> {
    let order = get(tx, id).await?;
    if order.status != OrderStatus::Paid {
        return Err(Error::conflict(
            "order_not_paid",
            format!("this order is {}", order.status),
        ));
    }
    let sql = "select language, link_sent_at from orders where order_id = $1";
    let row = sql::one(tx, sql, binds![id]).await?;
    if row
        .maybe_time("link_sent_at")?
        .is_some_and(|at| at + SENT_AGAIN_AFTER > tx.now())
    {
        return Err(Error::conflict(
            "sent_already",
            "the mail was sent a moment ago; look again in a minute",
        ));
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
    if ticket.person_id == order.person_id {
        ticket.person_id = people::register_holder(tx, order.organizer_id, name)?.person_id;
    } else {
        let mut holder = people::get(tx, ticket.person_id).await?;
        holder.name = Some(name);
        tx.change("person.updated", &mut holder)?;
    }
    tx.change("ticket.holder_named", &mut ticket)?;
    Ok(ticket)
}

/// Whether a payment that succeeds may still fill this order.
pub(crate) fn may_be_filled(order: &Order, event: &Event) -> bool {
    match order.status {
        OrderStatus::Pending => event.status != EventStatus::Cancelled,
        OrderStatus::Expired => event.status.on_sale(),
        OrderStatus::Paid | OrderStatus::Cancelled => false,
    }
}

/// A short code that a person can read out: 45 bits of a hash of the order's id, without letters that look alike.
pub(crate) fn code(id: OrderId) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let hash = Sha256::digest(id.as_uuid().as_bytes());
    let bits = hash
        .iter()
        .take(8)
        .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
    (0..9)
        .map(|place| char::from(ALPHABET[(bits >> (5 * place) & 31) as usize]))
        .collect()
}

async fn release_hold(tx: &mut Tx, order: &Stored<Order>) -> Result<()> {
    if let Some(hold_id) = order.hold_id {
        let mut hold = holds::get(tx, hold_id).await?;
        if hold.status == HoldStatus::Active {
            holds::close(tx, &mut hold, HoldStatus::Released).await?;
        }
    }
    Ok(())
}

async fn valid_tickets(tx: &mut Tx, id: OrderId) -> Result<Vec<Stored<Ticket>>> {
    let mut tickets = tickets::of_order(tx, id).await?;
    tickets.retain(|ticket| ticket.status == TicketStatus::Valid);
    Ok(tickets)
}

/// Voids tickets, and gives their capacity back; with the last of them the use of the promo code.
async fn take_back(tx: &mut Tx, order: &Order, tickets: Vec<Stored<Ticket>>, all: bool) -> Result<()> {
    let taken = tickets.iter().map(|ticket| &ticket.value);
    let code = order.promo_code_id.filter(|_| all);
    let demand = pools::demand(tx, order.event_id, taken, code).await?;
    pools::give(tx, Move::ReturnSold, &demand);
    for mut ticket in tickets {
        ticket.status = TicketStatus::Cancelled;
        tx.change("ticket.cancelled", &mut ticket)?;
    }
    Ok(())
}

/// What a person typed on one line, or nothing.
fn tidy(text: Option<String>, field: &str) -> Result<Option<String>> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match &text {
        Some(text) if text.chars().count() > 300 || text.chars().any(char::is_control) => {
            Err(Error::refused("invalid", "this is one line of at most 300 characters").at(field))
        }
        _ => Ok(text),
    }
}

/// The time at which an order that is placed now stops waiting for its payment.
pub fn payable_until(placed_at: Timestamp) -> Timestamp {
    placed_at + PAYABLE_FOR
}
