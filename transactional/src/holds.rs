//! Holds: capacity kept for a buyer for some minutes. Checkout turns one into an order; time turns it back.

use crate::{
    Error, Result, Source, Stored, Tx,
    pools::{self, Move},
    promo_codes,
    quotes::{Rooms, Wanted},
    rows,
    sql::{self, Columns, binds},
    waiting_list,
};
use domain::{
    Email, EventId, HoldId, PromoCodeId, TicketTypeId, Timestamp, WaitingEntryId,
    changes::{Event, Hold, Line, Order, Person, PromoCode, TicketType},
    order::{HoldStatus, OrderStatus},
    pricing::total_minor,
};
use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
    time::Duration,
};

#[derive(Clone, Debug)]
pub struct HoldRequest {
    pub event_id: EventId,
    pub lines: Vec<LineRequest>,
    /// As the buyer typed it.
    pub promo_code: Option<String>,
}

#[derive(Clone, Debug)]
pub struct LineRequest {
    pub ticket_type_id: TicketTypeId,
    pub quantity: i64,
}

/// Long enough to type a name and an address, short enough that a sold-out event comes back on sale.
pub const HELD_FOR: Duration = Duration::from_secs(10 * 60);

/// In minor units: sums over tens of millions of orders stay numbers that every database can count.
const LARGEST_TOTAL: i64 = 100_000_000_000;

/// Keeps the capacity and a use of the code, at the price of now.
pub async fn place(tx: &mut Tx, request: HoldRequest) -> Result<Stored<Hold>> {
    let now = tx.now();
    let (event, types) = event_with_types(tx, request.event_id).await?;
    if !event.status.on_sale() {
        return Err(Error::refused("not_on_sale", format!("this event is {}", event.status)).at("event_id"));
    }
    let code = match &request.promo_code {
        Some(text) => Some(promo_codes::usable(tx, event.event_id, text, now).await?),
        None => None,
    };
    let wanted = Wanted::new(&event, &types, &request.lines, code.as_deref(), now)?;
    let mut rooms = wanted.rooms(tx).await?;
    if wanted.is_short(&rooms, now) && sweep_event(tx, event.event_id).await? {
        rooms = wanted.rooms(tx).await?;
    }
    let lines = match take(tx, &wanted, code.as_ref(), rooms).await? {
        Ok(lines) => lines,
        // What has expired is sold again, although no sweeper ran.
        Err(short) if !sweep_event(tx, event.event_id).await? => return Err(short),
        Err(_) => {
            let rooms = wanted.rooms(tx).await?;
            take(tx, &wanted, code.as_ref(), rooms).await??
        }
    };
    let code = code.map(|code| code.promo_code_id);
    tx.create(
        event.organizer_id,
        "hold.placed",
        record(&event, lines, code, now + HELD_FOR)?,
    )
}

/// Keeps tickets for somebody from the waiting list, for longer.
pub(crate) async fn offer(
    tx: &mut Tx,
    event_id: EventId,
    line: LineRequest,
    waiting_entry_id: WaitingEntryId,
    standing: Duration,
) -> Result<Stored<Hold>> {
    let now = tx.now();
    let (event, types) = event_with_types(tx, event_id).await?;
    let until = (now + standing).min(event.ends_at);
    if !event.status.on_sale() || until <= now {
        return Err(Error::refused("not_on_sale", format!("this event is {}", event.status)));
    }
    let lines = [line];
    let wanted = Wanted::new(&event, &types, &lines, None, now)?;
    let rooms = wanted.rooms(tx).await?;
    let lines = take(tx, &wanted, None, rooms).await??;
    let hold = Hold {
        waiting_entry_id: Some(waiting_entry_id),
        ..record(&event, lines, None, until)?
    };
    tx.create(event.organizer_id, "hold.placed", hold)
}

fn record(event: &Event, lines: Vec<Line>, code: Option<PromoCodeId>, expires_at: Timestamp) -> Result<Hold> {
    let amount_minor = total_minor(&lines)?;
    if amount_minor > LARGEST_TOTAL {
        let message = format!("an order costs at most {LARGEST_TOTAL} minor units");
        return Err(Error::refused("too_expensive", message).at("lines"));
    }
    Ok(Hold {
        hold_id: HoldId::new(),
        event_id: event.event_id,
        status: HoldStatus::Active,
        expires_at,
        quantity: lines.iter().map(|line| line.quantity).sum(),
        amount_minor,
        currency: event.currency,
        lines,
        promo_code_id: code,
        waiting_entry_id: None,
    })
}

/// Quotes, and takes from every pool or from none: then why.
async fn take(
    tx: &mut Tx,
    wanted: &Wanted<'_>,
    code: Option<&Stored<PromoCode>>,
    rooms: Rooms,
) -> Result<Result<Vec<Line>>> {
    let lines = wanted.lines(rooms, tx.now())?;
    let demand = pools::demand(tx, wanted.event.event_id, &lines, code.map(|code| code.promo_code_id)).await?;
    Ok(match pools::take(tx, Move::Hold, &demand).await? {
        None => Ok(lines),
        Some(pool) if code.is_some_and(|code| code.pool_id == pool) => {
            Err(Error::refused("promo_code_used_up", "this promo code has no uses left").at("promo_code"))
        }
        Some(_) => Err(Error::refused("sold_out", "there are not enough tickets left").at("lines")),
    })
}

/// The buyer changed their mind.
pub async fn release(tx: &mut Tx, id: HoldId) -> Result<Stored<Hold>> {
    let mut hold = get(tx, id).await?;
    if hold.status != HoldStatus::Active {
        return Err(Error::conflict("hold_closed", format!("this hold is {}", hold.status)));
    }
    if pending_order(tx, id).await?.is_some() {
        return Err(Error::conflict(
            "order_pending",
            "this hold belongs to an order; cancel the order",
        ));
    }
    close(tx, &mut hold, HoldStatus::Released).await?;
    waiting_list::offer(tx, hold.event_id).await?;
    Ok(hold)
}

pub async fn get(db: &mut impl Source, id: HoldId) -> Result<Stored<Hold>> {
    rows::get(db, &id).await
}

/// Ends holds whose time is over, with the orders that did not get paid in it. `event_id`: of one event alone.
pub(crate) async fn sweep(tx: &mut Tx, event_id: Option<EventId>, limit: i64) -> Result<Swept> {
    let now = tx.now();
    let expired: Vec<Stored<Hold>> = match event_id {
        Some(event_id) => {
            let condition = "t.event_id = $1 and t.status = 'active' and t.expires_at <= $2
                             and coalesce(t.kept_until, 0) <= $2 limit $3";
            rows::find(tx, condition, binds![event_id, now, limit]).await?
        }
        None => {
            let condition = "t.status = 'active' and t.expires_at <= $1 and coalesce(t.kept_until, 0) <= $1 limit $2";
            rows::find(tx, condition, binds![now, limit]).await?
        }
    };
    let mut swept = Swept::default();
    let events: BTreeSet<EventId> = expired.iter().map(|hold| hold.event_id).collect();
    for mut hold in expired {
        if let Some(mut order) = pending_order(tx, hold.hold_id).await? {
            order.status = OrderStatus::Expired;
            tx.change("order.expired", &mut order)?;
            swept.orders += 1;
        }
        close(tx, &mut hold, HoldStatus::Expired).await?;
        swept.holds += 1;
    }
    for event_id in events {
        waiting_list::offer(tx, event_id).await?;
    }
    Ok(swept)
}

/// Ends what has expired of one event, a bounded number at once. Whether there was anything.
pub(crate) async fn sweep_event(tx: &mut Tx, event_id: EventId) -> Result<bool> {
    Ok(sweep(tx, Some(event_id), 200).await?.holds > 0)
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Swept {
    pub(crate) holds: u64,
    pub(crate) orders: u64,
}

/// Gives the capacity of an active hold back.
pub(crate) async fn close(tx: &mut Tx, hold: &mut Stored<Hold>, status: HoldStatus) -> Result<()> {
    let demand = pools::demand(tx, hold.event_id, &hold.lines, hold.promo_code_id).await?;
    pools::give(tx, Move::ReleaseHold, &demand);
    hold.status = status;
    let change_type = match status {
        HoldStatus::Expired => "hold.expired",
        _ => "hold.released",
    };
    tx.change(change_type, hold)?;
    waiting_list::hold_ended(tx, hold).await
}

/// Keeps a hold for as long as its order may be paid.
pub(crate) fn keep_until(tx: &mut Tx, id: HoldId, until: Timestamp) {
    tx.defer(
        "update holds set kept_until = $2 where hold_id = $1",
        binds![id, until],
        1,
    );
}

async fn pending_order(tx: &mut Tx, id: HoldId) -> Result<Option<Stored<Order>>> {
    let found = rows::find(tx, "t.hold_id = $1 and t.status = 'pending'", binds![id]).await?;
    Ok(found.into_iter().next())
}

/// An event and its ticket types, in one statement.
async fn event_with_types(db: &mut impl Source, event_id: EventId) -> Result<(Stored<Event>, Vec<Stored<TicketType>>)> {
    static SQL: LazyLock<Arc<String>> = LazyLock::new(|| {
        let (event, types) = (rows::columns::<Event>("e"), rows::columns::<TicketType>("t"));
        Arc::new(format!(
            "select {event}, {types} from events e left join ticket_types t on t.event_id = e.event_id
             where e.event_id = $1"
        ))
    });
    let rows = sql::all(db, SQL.clone(), binds![event_id]).await?;
    let first = rows.first().ok_or_else(|| Error::not_found("event"))?;
    let types = rows
        .iter()
        .map(|row| rows::decode_optional(row, rows::width::<Event>()));
    Ok((
        rows::decode(first, 0)?,
        types.filter_map(Result::transpose).collect::<Result<_>>()?,
    ))
}

/// A hold with everything that its checkout asks.
pub(crate) struct HeldSale {
    pub(crate) hold: Stored<Hold>,
    pub(crate) has_order: bool,
    pub(crate) event: Stored<Event>,
    pub(crate) types: Vec<Stored<TicketType>>,
    /// The organizer's person with the buyer's address.
    pub(crate) person: Option<Stored<Person>>,
    /// What the platform keeps of a payment.
    pub(crate) platform_fee_bps: i64,
}

impl HeldSale {
    pub(crate) async fn find(db: &mut impl Source, id: HoldId, email: &Email) -> Result<Self> {
        static SQL: LazyLock<Arc<String>> = LazyLock::new(|| {
            let (hold, event) = (rows::columns::<Hold>("h"), rows::columns::<Event>("e"));
            let (person, types) = (rows::columns::<Person>("p"), rows::columns::<TicketType>("t"));
            Arc::new(format!(
                "select {hold}, {event}, {person}, {types}, o.order_id as order_id,
                     z.platform_fee_bps as platform_fee_bps
                 from holds h
                 join organizers z on z.id = h.organizer_id
                 join events e on e.event_id = h.event_id
                 join ticket_types t on t.event_id = h.event_id
                 left join people p on p.organizer_id = h.organizer_id and p.email = $2
                 left join orders o on o.hold_id = h.hold_id
                 where h.hold_id = $1"
            ))
        });
        let rows = sql::all(db, SQL.clone(), binds![id, email]).await?;
        let first = rows.first().ok_or_else(|| Error::not_found("hold"))?;
        let event = rows::width::<Hold>();
        let person = event + rows::width::<Event>();
        let types = person + rows::width::<Person>();
        Ok(Self {
            hold: rows::decode(first, 0)?,
            has_order: first.maybe_text("order_id")?.is_some(),
            event: rows::decode(first, event)?,
            types: rows.iter().map(|row| rows::decode(row, types)).collect::<Result<_>>()?,
            person: rows::decode_optional(first, person)?,
            platform_fee_bps: first.int("platform_fee_bps")?,
        })
    }
}
