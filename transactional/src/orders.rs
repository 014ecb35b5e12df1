//! Orders: from a hold to tickets, and back by cancellation.

mod buyer;
mod reserved;

pub use buyer::{back_to_buyer, cancel_by_buyer, name_holder, send_link_again};
pub(crate) use reserved::language;
pub use reserved::{approve, hand_over, take_payment};

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
    sql::{self, binds},
    tickets, waiting_list,
};
use domain::{
    Email, EventId, HoldId, Money, OrderId, OrganizerId, PersonId, TicketId, Timestamp,
    changes::{Event, Hold, Order, Payment, Refund, Ticket, TicketType},
    event::EventStatus,
    is_hidden,
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
    pub how: HowToPay,
}

/// Not asked for a free order.
#[derive(Clone, Debug)]
pub enum HowToPay {
    Now {
        provider: String,
        method: String,
    },
    /// The tickets come at once and the money later.
    AtDoor,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Placed {
    pub order: Stored<Order>,
    /// None: the order is free, and paid already; or it is paid later.
    pub payment: Option<Stored<Payment>>,
    /// If the order has some before it is paid, or is free.
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
    check_lines(&hold, &types, now)?;
    if let Some(code) = hold.promo_code_id {
        promo_codes::require_audience(tx, code, sale.person.as_ref().map(|person| person.person_id)).await?;
    }
    let at_door = matches!(checkout.how, HowToPay::AtDoor);
    if at_door && !event.pay_at_door {
        let message = "this event's orders are not paid at the door";
        return Err(Error::refused("not_at_door", message).at("payment_method"));
    }
    let (name, phone) = (tidy(checkout.name, "buyer/name")?, phone(checkout.phone)?);
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
        reserved: event.approval_required || (at_door && hold.amount_minor > 0),
        awaits_approval: event.approval_required,
        lines: hold.lines.clone(),
        taken_back: None,
        promo_code_id: hold.promo_code_id,
        placed_at: now,
        paid_at: None,
        cancelled_at: None,
        source: None,
    };
    let language = ("language", sql::Bind::value(&checkout.language));
    let mut order = tx.create_with(hold.organizer_id, "order.placed", order, &[language])?;
    let (mut payment, mut tickets) = (None, Vec::new());
    match checkout.how {
        _ if order.reserved => tickets = reserved::reserve(tx, &order, &mut hold, checkout.language).await?,
        HowToPay::Now { provider, method } if order.total_minor > 0 => {
            holds::keep_until(tx, hold.hold_id, now + PAYABLE_FOR);
            payment = Some(payments::start(tx, &order, sale.platform_fee_bps, provider, method)?);
        }
        _ => {
            let filled = fulfil(tx, &mut order, Some(&mut hold), checkout.language).await?;
            tickets = filled.unwrap_or_default();
        }
    }
    Ok(Placed {
        order,
        payment,
        tickets,
    })
}

/// Limits and windows as they are now, whatever they were when the hold was placed.
fn check_lines(hold: &Hold, types: &[Stored<TicketType>], now: Timestamp) -> Result<()> {
    for ticket_type in types {
        let lines = hold
            .lines
            .iter()
            .filter(|line| line.ticket_type_id == ticket_type.ticket_type_id);
        match lines.map(|line| line.quantity).sum() {
            0 => {}
            quantity => {
                quotes::check_quantity_and_window(ticket_type, quantity, now).map_err(|why| why.at("hold_id"))?
            }
        }
    }
    Ok(())
}

/// The first payment of an order that was reserved, or another try after one that failed.
pub async fn pay(tx: &mut Tx, id: OrderId, provider: String, method: String) -> Result<Stored<Payment>> {
    let order = get(tx, id).await?;
    if order.status != OrderStatus::Pending {
        return Err(Error::conflict(
            "order_closed",
            format!("this order is {}", order.status),
        ));
    }
    takes_place(tx, &order).await?;
    if order.awaits_approval {
        let message = "this order waits for the organizer; it can be paid when it is approved";
        return Err(Error::conflict("awaits_approval", message));
    }
    let fee_bps = organizers::get(tx, order.organizer_id).await?.platform_fee_bps;
    payments::start(tx, &order, fee_bps, provider, method)
}

/// Takes the order back. Its tickets are void, and its capacity is for sale again. `refund`: what is left of the money
/// goes back too.
pub async fn cancel(tx: &mut Tx, id: OrderId, refund: Option<RefundReason>) -> Result<Stored<Order>> {
    let mut order = get(tx, id).await?;
    match order.status {
        OrderStatus::Pending if !order.reserved => release_hold(tx, &order).await?,
        OrderStatus::Pending | OrderStatus::Paid => {
            let tickets = valid_tickets(tx, id).await?;
            take_back(tx, &mut order, tickets, true).await?;
            if let Some(reason) = refund {
                order = give_back(tx, order, reason).await?;
            }
        }
        OrderStatus::Expired | OrderStatus::Cancelled => return Err(closed(&order)),
    }
    order.status = OrderStatus::Cancelled;
    order.cancelled_at = Some(tx.now());
    let declined = std::mem::take(&mut order.awaits_approval) && refund == Some(RefundReason::Staff);
    tx.change("order.cancelled", &mut order)?;
    if declined {
        reserved::tell_no(tx, &order).await?;
    }
    waiting_list::offer(tx, order.event_id).await?;
    Ok(order)
}

/// Gives back what is left of an order's money, if there is any.
pub(crate) async fn give_back(tx: &mut Tx, mut order: Stored<Order>, reason: RefundReason) -> Result<Stored<Order>> {
    if let Some(mut paid) = Paid::of_order(tx, order.order_id).await?
        && paid.room() > 0
    {
        let left = paid.room();
        refunds::request(tx, &mut paid, &mut order, left, reason)?;
    }
    Ok(order)
}

/// What goes back of a paid order.
#[derive(Clone, Debug)]
pub enum RefundRequest {
    /// These tickets, at what was paid for them, or what is left of it. They are void; without any left, the order is
    /// cancelled.
    Tickets(Vec<TicketId>),
    /// So much, and the tickets stay.
    Amount(Money),
}

/// Gives a part of an order back. None: tickets are void, and there was no money left to go back for them.
pub async fn refund(
    tx: &mut Tx,
    id: OrderId,
    request: RefundRequest,
    reason: RefundReason,
) -> Result<Option<Stored<Refund>>> {
    let mut order = get(tx, id).await?;
    if order.status == OrderStatus::Pending {
        let message = "this order is not paid yet; cancel it to take its tickets back";
        return Err(Error::conflict("nothing_paid", message));
    }
    let paid = Paid::of_order(tx, id).await?;
    match request {
        RefundRequest::Amount(amount) => {
            let mut paid =
                paid.ok_or_else(|| Error::conflict("nothing_paid", "no payment of this order can be refunded"))?;
            if amount.currency != order.currency {
                let message = format!("this order was paid in {}", order.currency);
                return Err(Error::refused("invalid", message).at("amount/currency"));
            }
            refunds::request(tx, &mut paid, &mut order, amount.amount_minor, reason).map(Some)
        }
        RefundRequest::Tickets(wanted) => {
            let worth = void(tx, &mut order, wanted).await?;
            let refund = match paid.map(|paid| (worth.min(paid.room()), paid)) {
                Some((amount, mut paid)) if amount > 0 => {
                    Some(refunds::request(tx, &mut paid, &mut order, amount, reason)?)
                }
                _ => None,
            };
            waiting_list::offer(tx, order.event_id).await?;
            Ok(refund)
        }
    }
}

/// Takes some of an order's tickets back, and with the last of them the order. What was paid for them.
async fn void(tx: &mut Tx, order: &mut Stored<Order>, wanted: Vec<TicketId>) -> Result<i64> {
    let (back, stay): (Vec<_>, Vec<_>) = valid_tickets(tx, order.order_id)
        .await?
        .into_iter()
        .partition(|ticket| wanted.contains(&ticket.ticket_id));
    let wanted: BTreeSet<_> = wanted.into_iter().collect();
    if back.is_empty() || back.len() != wanted.len() {
        let message = "name valid tickets of this order, at least one";
        return Err(Error::refused("ticket_unknown", message).at("tickets"));
    }
    let worth = back.iter().map(|ticket| ticket.price_minor).sum();
    take_back(tx, order, back, stay.is_empty()).await?;
    if stay.is_empty() {
        order.status = OrderStatus::Cancelled;
        order.cancelled_at = Some(tx.now());
        tx.change("order.cancelled", order)?;
    } else {
        tx.change("order.reduced", order)?;
    }
    Ok(worth)
}

/// Nobody pays for what is cancelled.
async fn takes_place(tx: &mut Tx, order: &Order) -> Result<()> {
    match events::get(tx, order.event_id).await?.status {
        EventStatus::Cancelled => Err(Error::conflict("event_cancelled", "this event is cancelled")),
        _ => Ok(()),
    }
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
    if !order.reserved && !secure(tx, order, hold).await? {
        return Ok(None);
    }
    order.status = OrderStatus::Paid;
    order.paid_at = Some(tx.now());
    tx.change("order.paid", order)?;
    send_link(tx, order, language)?;
    match order.reserved {
        true => tickets::of_order(tx, order.order_id).await.map(Some),
        false => tickets::issue(tx, order).map(Some),
    }
}

/// The capacity becomes sold. False: it is gone.
async fn secure(tx: &mut Tx, order: &Order, hold: Option<&mut Stored<Hold>>) -> Result<bool> {
    let demand = pools::demand(tx, order.event_id, &order.lines, order.promo_code_id).await?;
    match hold {
        Some(hold) if hold.status == HoldStatus::Active => {
            pools::give(tx, Move::ConvertHold, &demand);
            hold.status = HoldStatus::Converted;
            tx.change("hold.converted", hold)?;
            waiting_list::hold_ended(tx, hold).await?;
            Ok(true)
        }
        _ => Ok(pools::take(tx, Move::Sell, &demand).await?.is_none()),
    }
}

/// Mails the buyer the way to the order and its tickets.
pub(crate) fn send_link(tx: &mut Tx, order: &Order, language: Language) -> Result<()> {
    let content = Content::OrderLink {
        order_id: order.order_id,
    };
    mail::queue(tx, Recipient::Person(order.person_id), language, content)?;
    Ok(())
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
async fn take_back(tx: &mut Tx, order: &mut Order, tickets: Vec<Stored<Ticket>>, all: bool) -> Result<()> {
    let taken = tickets.iter().map(|ticket| &ticket.value);
    let code = order.promo_code_id.filter(|_| all);
    let demand = pools::demand(tx, order.event_id, taken, code).await?;
    pools::give(tx, Move::ReturnSold, &demand);
    order.take_back(tickets.iter().map(|ticket| &ticket.value));
    for mut ticket in tickets {
        ticket.status = TicketStatus::Cancelled;
        tx.change("ticket.cancelled", &mut ticket)?;
    }
    Ok(())
}

/// What a person typed on one line, or nothing.
pub(crate) fn tidy(text: Option<String>, field: &str) -> Result<Option<String>> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match &text {
        Some(text) if text.chars().count() > 300 || text.chars().any(is_hidden) => {
            Err(Error::refused("invalid", "this is one line of at most 300 characters").at(field))
        }
        // It greets whoever a mail goes to, and anybody may have typed it.
        Some(text) if text.contains("://") => {
            Err(Error::refused("invalid", "a name or number is no address of a page").at(field))
        }
        _ => Ok(text),
    }
}

/// A buyer's number, or nothing. A word would be looked for in what others have written when the buyer is erased.
fn phone(text: Option<String>) -> Result<Option<String>> {
    let phone = tidy(text, "buyer/phone")?;
    match &phone {
        Some(text) if !text.chars().any(char::is_numeric) => {
            Err(Error::refused("invalid", "a telephone number has digits").at("buyer/phone"))
        }
        _ => Ok(phone),
    }
}

/// The time at which an order that is placed now stops waiting for its payment.
pub fn payable_until(placed_at: Timestamp) -> Timestamp {
    placed_at + PAYABLE_FOR
}
