//! Pools of capacity. A pool counts what is held and sold in its own row: taking is one conditional update, and nothing
//! is ever counted at the time of a sale.

use crate::{
    Error, Result, Source, Stored, Tx, events, rows,
    sql::{self, Columns, binds},
};
use domain::{
    EventId, Label, PoolId, TicketTypeId,
    changes::{Line, Pool, TicketType},
};
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, HashMap};

#[derive(Clone, Debug)]
pub struct PoolDetails {
    pub name: Label,
    /// None: without limit.
    pub capacity: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct PoolState {
    pub pool: Stored<Pool>,
    pub held: i64,
    pub sold: i64,
}

/// An event has no more pools and ticket types than this, so that they are read without paging.
pub const MOST_AN_EVENT: usize = 200;

pub async fn create(tx: &mut Tx, event_id: EventId, details: PoolDetails) -> Result<Stored<Pool>> {
    let event = events::get(tx, event_id).await?;
    if list(tx, event_id).await?.len() >= MOST_AN_EVENT {
        return Err(Error::refused(
            "too_many",
            format!("an event has at most {MOST_AN_EVENT} pools"),
        ));
    }
    create_as(tx, &event, PoolId::new(), details).await
}

pub(crate) async fn create_as(
    tx: &mut Tx,
    event: &Stored<domain::changes::Event>,
    pool_id: PoolId,
    details: PoolDetails,
) -> Result<Stored<Pool>> {
    check(&details)?;
    let record = Pool {
        pool_id,
        event_id: event.event_id,
        name: details.name,
        capacity: details.capacity,
    };
    tx.create(event.organizer_id, "pool.created", record).await
}

/// Changes name and capacity. What is held or sold already can't be undone by it.
pub async fn resize(tx: &mut Tx, id: PoolId, details: PoolDetails) -> Result<Stored<Pool>> {
    check(&details)?;
    let mut pool = get(tx, id).await?;
    let row = sql::one(
        tx.connection(),
        "select held + sold as taken from pools where pool_id = $1",
        binds![id],
    )
    .await?;
    let taken = row.int("taken")?;
    if details.capacity.is_some_and(|capacity| capacity < taken) {
        let message = format!("{taken} of this pool are held or sold already");
        return Err(Error::conflict("capacity_below_sold", message).at("capacity"));
    }
    if (&details.name, details.capacity) != (&pool.name, pool.capacity) {
        (pool.name, pool.capacity) = (details.name, details.capacity);
        tx.change("pool.resized", &mut pool).await?;
    }
    Ok(pool)
}

pub async fn get(db: &mut impl Source, id: PoolId) -> Result<Stored<Pool>> {
    rows::get(db, &id).await
}

pub async fn list(db: &mut impl Source, event_id: EventId) -> Result<Vec<PoolState>> {
    let columns = rows::columns::<Pool>("t");
    let sql = format!("select {columns}, held, sold from pools t where event_id = $1 order by pool_id");
    let rows = sql::all(db.connection(), AssertSqlSafe(sql), binds![event_id]).await?;
    let read = |row| {
        Ok(PoolState {
            pool: rows::decode(row, 0)?,
            held: Columns::int(row, "held")?,
            sold: Columns::int(row, "sold")?,
        })
    };
    rows.iter().map(read).collect()
}

/// How much each pool gives, in the order in which every command takes them, so that two never wait for each other.
pub(crate) type Demand = BTreeMap<PoolId, i64>;

/// The demand of lines on the pools of their types, each pool named once.
pub(crate) fn demand<'a>(
    lines: impl IntoIterator<Item = (TicketTypeId, i64)>,
    types: impl IntoIterator<Item = &'a TicketType>,
) -> Demand {
    let types: HashMap<TicketTypeId, &TicketType> = types.into_iter().map(|t| (t.ticket_type_id, t)).collect();
    let mut demand = Demand::new();
    for (ticket_type_id, quantity) in lines {
        for pool in types.get(&ticket_type_id).map_or(&[][..], |t| &t.pools) {
            *demand.entry(pool.pool_id).or_default() += quantity;
        }
    }
    demand
}

pub(crate) fn lines_of(lines: &[Line]) -> impl Iterator<Item = (TicketTypeId, i64)> {
    lines.iter().map(|line| (line.ticket_type_id, line.quantity))
}

/// What becomes of capacity. Each is one update, in which the condition and the count are the same statement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    Hold,
    /// From free to sold, without a hold.
    Sell,
    ConvertHold,
    ReleaseHold,
    ReturnSold,
}

impl Move {
    fn sql(self) -> &'static str {
        match self {
            Move::Hold => {
                "update pools set held = held + $2
                 where pool_id = $1 and (capacity is null or held + sold + $2 <= capacity)"
            }
            Move::Sell => {
                "update pools set sold = sold + $2
                 where pool_id = $1 and (capacity is null or held + sold + $2 <= capacity)"
            }
            Move::ConvertHold => {
                "update pools set held = held - $2, sold = sold + $2 where pool_id = $1 and held >= $2"
            }
            Move::ReleaseHold => "update pools set held = held - $2 where pool_id = $1 and held >= $2",
            Move::ReturnSold => "update pools set sold = sold - $2 where pool_id = $1 and sold >= $2",
        }
    }
}

/// Moves capacity in every pool of the demand; Some names the first pool that has not enough. What was moved before it
/// has to be moved back by [`undo`] if the command goes on.
pub(crate) async fn apply(tx: &mut Tx, change: Move, demand: &Demand) -> Result<Option<PoolId>> {
    for (pool_id, quantity) in demand {
        if sql::execute(tx.connection(), change.sql(), binds![pool_id, *quantity]).await? == 0 {
            if matches!(change, Move::Hold | Move::Sell) {
                return Ok(Some(*pool_id));
            }
            return Err(Error::Storage(format!(
                "pool {pool_id} has less held or sold than its orders say"
            )));
        }
    }
    Ok(None)
}

/// Moves back what [`apply`] moved before it met the pool `until`.
pub(crate) async fn undo(tx: &mut Tx, change: Move, demand: &Demand, until: PoolId) -> Result<()> {
    let back = match change {
        Move::Hold => Move::ReleaseHold,
        _ => Move::ReturnSold,
    };
    let moved: Demand = demand.range(..until).map(|(id, quantity)| (*id, *quantity)).collect();
    apply(tx, back, &moved).await.map(drop)
}

fn check(details: &PoolDetails) -> Result<()> {
    match details.capacity {
        Some(capacity) if !(0..=1_000_000_000).contains(&capacity) => {
            Err(Error::refused("invalid", "a capacity is between 0 and 1,000,000,000, or none").at("capacity"))
        }
        _ => Ok(()),
    }
}
