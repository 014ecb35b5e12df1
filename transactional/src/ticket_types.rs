//! Ticket types: what is sold, at which price and when, and out of which pools.

use crate::{
    Error, Result, Source, Stored, Tx, events,
    pools::{self, MOST_AN_EVENT, PoolState},
    rows,
    sql::binds,
};
use domain::{
    EventId, Label, Money, PoolId, PriceId, TicketTypeId, Timestamp,
    changes::{PoolRef, Price, TicketType},
    pricing,
};
use std::collections::{BTreeSet, HashMap};

#[derive(Clone, Debug)]
pub struct TicketTypeDetails {
    pub name: Label,
    /// Only for who has a promo code that names it.
    pub hidden: bool,
    pub min_per_order: i64,
    pub max_per_order: i64,
    pub sales_from: Option<Timestamp>,
    pub sales_to: Option<Timestamp>,
    pub valid_from: Option<Timestamp>,
    pub valid_to: Option<Timestamp>,
    /// At least one; several types may share one.
    pub pools: Vec<PoolId>,
    pub prices: Vec<PriceDetails>,
}

#[derive(Clone, Debug)]
pub struct PriceDetails {
    pub phase: String,
    pub amount_minor: i64,
    pub from_at: Option<Timestamp>,
    pub to_at: Option<Timestamp>,
    /// How many are sold at this price; none: as many as there are.
    pub pool_id: Option<PoolId>,
}

/// A ticket type as a buyer sees it.
#[derive(Clone, Debug)]
pub struct Offer {
    pub ticket_type: Stored<TicketType>,
    /// None: no price is in force.
    pub price: Option<Money>,
    /// Of its smallest pool. None: without limit.
    pub capacity: Option<i64>,
    /// Of all its pools, by every type that shares them.
    pub held: i64,
    pub sold: i64,
    pub available: Option<i64>,
    pub on_sale: bool,
}

/// No order is larger, whatever a ticket type allows: it would hold up the writer.
pub const LARGEST_ORDER: i64 = 1_000;
/// A hundred million of a currency's major units, a hundred times over: totals stay far from overflow.
pub(crate) const HIGHEST_PRICE: i64 = 1_000_000_000_000;

pub async fn create(tx: &mut Tx, event_id: EventId, details: TicketTypeDetails) -> Result<Stored<TicketType>> {
    let event = events::get(tx, event_id).await?;
    if of_event(tx, event_id).await?.len() >= MOST_AN_EVENT {
        return Err(Error::refused(
            "too_many",
            format!("an event has at most {MOST_AN_EVENT} ticket types"),
        ));
    }
    check(tx, event_id, &details).await?;
    let record = record(TicketTypeId::new(), event_id, details, &[]);
    tx.create(event.organizer_id, "ticket_type.created", record)
}

/// What is held keeps the price that it was held at. The pools stay: their counts tell of this type's sales.
pub async fn update(tx: &mut Tx, id: TicketTypeId, details: TicketTypeDetails) -> Result<Stored<TicketType>> {
    let mut stored = get(tx, id).await?;
    check(tx, stored.event_id, &details).await?;
    let record = record(id, stored.event_id, details, &stored.prices);
    if record.pools != stored.pools {
        return Err(Error::conflict("pools_fixed", "a ticket type keeps the pools that it began with").at("pools"));
    }
    if record != stored.value {
        stored.value = record;
        tx.change("ticket_type.updated", &mut stored)?;
    }
    Ok(stored)
}

pub async fn get(db: &mut impl Source, id: TicketTypeId) -> Result<Stored<TicketType>> {
    rows::get(db, &id).await
}

pub(crate) async fn of_event(db: &mut impl Source, event_id: EventId) -> Result<Vec<Stored<TicketType>>> {
    rows::find(db, "event_id = $1 order by ticket_type_id", binds![event_id]).await
}

/// All ticket types of an event, with what is left of them.
pub async fn offers(db: &mut impl Source, event_id: EventId, at: Timestamp) -> Result<Vec<Offer>> {
    let event = events::get(db, event_id).await?;
    let pools: HashMap<PoolId, PoolState> = pools::list(db, event_id)
        .await?
        .into_iter()
        .map(|state| (state.pool.pool_id, state))
        .collect();
    let types = of_event(db, event_id).await?;
    let offer = |ticket_type: Stored<TicketType>| {
        let own: Vec<&PoolState> = ticket_type
            .pools
            .iter()
            .filter_map(|pool| pools.get(&pool.pool_id))
            .collect();
        let room = |pool| pools.get(&pool).and_then(PoolState::room);
        let price = pricing::phases(&ticket_type.prices, 1, at, room)
            .ok()
            .and_then(|phases| phases.first().map(|(price, _)| price.amount_minor))
            .map(|amount| Money::new(amount, event.currency));
        Offer {
            price,
            capacity: own.iter().filter_map(|state| state.pool.capacity).min(),
            held: own.iter().map(|state| state.held).sum(),
            sold: own.iter().map(|state| state.sold).sum(),
            available: own.iter().filter_map(|state| state.room()).min(),
            on_sale: event.status.on_sale() && price.is_some() && in_sale(&ticket_type, at),
            ticket_type,
        }
    };
    Ok(types.into_iter().map(offer).collect())
}

pub(crate) fn in_sale(ticket_type: &TicketType, at: Timestamp) -> bool {
    ticket_type.sales_from.is_none_or(|from| from <= at) && ticket_type.sales_to.is_none_or(|to| at < to)
}

async fn check(tx: &mut Tx, event_id: EventId, details: &TicketTypeDetails) -> Result<()> {
    let wrong = |field: &str, message: &str| Err(Error::refused("invalid", message).at(field));
    let (min, max) = (details.min_per_order, details.max_per_order);
    if !(1 <= min && min <= max && max <= LARGEST_ORDER) {
        return wrong(
            "max_per_order",
            "an order has from 1 up to 1,000 tickets of a type, the least not above the most",
        );
    }
    if details.prices.is_empty() || details.prices.len() > 50 {
        return wrong(
            "prices",
            "a ticket type has 1 to 50 price phases; a free one has the price 0",
        );
    }
    if details
        .prices
        .iter()
        .any(|price| !(0..=HIGHEST_PRICE).contains(&price.amount_minor))
    {
        return wrong(
            "prices",
            "a price is not below 0 and not above 1,000,000,000,000 minor units",
        );
    }
    let windows = [
        ("sales_to", details.sales_from, details.sales_to),
        ("valid_to", details.valid_from, details.valid_to),
    ];
    for (field, from, to) in windows {
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            return wrong(field, "a window ends after it begins");
        }
    }
    let known: BTreeSet<PoolId> = pools::list(tx, event_id)
        .await?
        .iter()
        .map(|state| state.pool.pool_id)
        .collect();
    if details.pools.is_empty() || !details.pools.iter().all(|pool| known.contains(pool)) {
        return wrong("pools", "a ticket type takes from at least one pool of its event");
    }
    let mut phase_pools = details.prices.iter().filter_map(|price| price.pool_id);
    if !phase_pools.all(|pool| known.contains(&pool) && !details.pools.contains(&pool)) {
        return wrong(
            "prices",
            "a price phase is limited by a pool of its event, beside the pools of the ticket type",
        );
    }
    Ok(())
}

fn record(id: TicketTypeId, event_id: EventId, details: TicketTypeDetails, before: &[Price]) -> TicketType {
    let pools: BTreeSet<PoolId> = details.pools.into_iter().collect();
    let price = |details: PriceDetails| {
        let same = before.iter().find(|price| {
            (
                &price.phase,
                price.amount_minor,
                price.from_at,
                price.to_at,
                price.pool_id,
            ) == (
                &details.phase,
                details.amount_minor,
                details.from_at,
                details.to_at,
                details.pool_id,
            )
        });
        Price {
            price_id: same.map_or_else(PriceId::new, |price| price.price_id),
            phase: details.phase,
            amount_minor: details.amount_minor,
            from_at: details.from_at,
            to_at: details.to_at,
            pool_id: details.pool_id,
        }
    };
    TicketType {
        ticket_type_id: id,
        event_id,
        name: details.name,
        hidden: details.hidden,
        min_per_order: details.min_per_order,
        max_per_order: details.max_per_order,
        sales_from: details.sales_from,
        sales_to: details.sales_to,
        valid_from: details.valid_from,
        valid_to: details.valid_to,
        pools: pools.into_iter().map(|pool_id| PoolRef { pool_id }).collect(),
        prices: details.prices.into_iter().map(price).collect(),
    }
}
