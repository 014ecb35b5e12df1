//! Pools of capacity. A pool counts what is held and sold in its own row: taking is one conditional update, and nothing
//! is ever counted at the time of a sale.

use crate::{
    Error, Result, Source, Stored, Tx, events, promo_codes, rows,
    sql::{self, Columns, binds},
    ticket_types, waiting_list,
};
use domain::{
    EventId, Label, PoolId, PromoCodeId, TicketTypeId,
    changes::{Line, Pool, Ticket},
};
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

impl PoolState {
    /// What is free. None: without limit.
    pub fn room(&self) -> Option<i64> {
        self.pool.capacity.map(|capacity| capacity - self.held - self.sold)
    }
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
    tx.create(event.organizer_id, "pool.created", record)
}

/// Changes name and capacity. What is held or sold already can't be undone by it.
pub async fn resize(tx: &mut Tx, id: PoolId, details: PoolDetails) -> Result<Stored<Pool>> {
    check(&details)?;
    let mut pool = get(tx, id).await?;
    let row = sql::one(
        tx,
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
        tx.change("pool.resized", &mut pool)?;
        waiting_list::offer(tx, pool.event_id).await?;
    }
    Ok(pool)
}

pub async fn get(db: &mut impl Source, id: PoolId) -> Result<Stored<Pool>> {
    rows::get(db, &id).await
}

/// The pools that tickets are taken from; the uses of promo codes are told with them.
pub async fn list(db: &mut impl Source, event_id: EventId) -> Result<Vec<PoolState>> {
    let columns = rows::columns::<Pool>("t");
    let sql = format!(
        "select {columns}, held, sold from pools t where event_id = $1
             and not exists (select 1 from promo_codes c where c.pool_id = t.pool_id)
         order by pool_id"
    );
    let rows = sql::all(db, sql, binds![event_id]).await?;
    let read = |row| {
        Ok(PoolState {
            pool: rows::decode(row, 0)?,
            held: Columns::int(row, "held")?,
            sold: Columns::int(row, "sold")?,
        })
    };
    rows.iter().map(read).collect()
}

/// What every limited pool of an event has left, those that count uses of codes too.
pub(crate) async fn rooms(tx: &mut Tx, event_id: EventId) -> Result<HashMap<PoolId, i64>> {
    let sql = "select pool_id, capacity - held - sold as room from pools where event_id = $1 and capacity is not null";
    let rows = sql::all(tx, sql, binds![event_id]).await?;
    rows.iter()
        .map(|row| Ok((row.parse("pool_id")?, row.int("room")?)))
        .collect()
}

/// How much each pool gives, in the order in which every command takes them, so that two never wait for each other.
pub(crate) type Demand = BTreeMap<PoolId, i64>;

/// Which pools a ticket type takes from, and which pool counts a code's uses: that never changes, so the writer
/// remembers it.
#[derive(Default)]
pub(crate) struct Remembered {
    types: HashMap<TicketTypeId, Vec<PoolId>>,
    codes: HashMap<PromoCodeId, PoolId>,
}

/// Some 100 bytes each.
const MOST_REMEMBERED: usize = 50_000;

/// Something that takes capacity: so many tickets of a type, sold in a phase that a pool may limit.
#[derive(Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) ticket_type_id: TicketTypeId,
    pub(crate) phase_pool_id: Option<PoolId>,
    pub(crate) quantity: i64,
}

impl From<&Line> for Taken {
    fn from(line: &Line) -> Self {
        Self {
            ticket_type_id: line.ticket_type_id,
            phase_pool_id: line.phase_pool_id,
            quantity: line.quantity,
        }
    }
}

impl From<&Ticket> for Taken {
    fn from(ticket: &Ticket) -> Self {
        Self {
            ticket_type_id: ticket.ticket_type_id,
            phase_pool_id: ticket.phase_pool_id,
            quantity: 1,
        }
    }
}

/// What tickets take from the pools of their types and phases, and one use of the code; each pool named once.
pub(crate) async fn demand(
    tx: &mut Tx,
    event_id: EventId,
    taken: impl IntoIterator<Item = impl Into<Taken>>,
    promo_code_id: Option<PromoCodeId>,
) -> Result<Demand> {
    let taken: Vec<Taken> = taken.into_iter().map(Into::into).collect();
    remember(tx, event_id, &taken, promo_code_id).await?;
    let mut demand = Demand::new();
    for taken in &taken {
        let pools = tx.pools.types.get(&taken.ticket_type_id).into_iter().flatten();
        for pool in pools.chain(&taken.phase_pool_id) {
            *demand.entry(*pool).or_default() += taken.quantity;
        }
    }
    if let Some(pool) = promo_code_id.and_then(|id| tx.pools.codes.get(&id)) {
        demand.insert(*pool, 1);
    }
    Ok(demand)
}

async fn remember(tx: &mut Tx, event_id: EventId, taken: &[Taken], code: Option<PromoCodeId>) -> Result<()> {
    if tx.pools.types.len() + tx.pools.codes.len() > MOST_REMEMBERED {
        tx.pools = Remembered::default();
    }
    if !taken
        .iter()
        .all(|taken| tx.pools.types.contains_key(&taken.ticket_type_id))
    {
        for ticket_type in ticket_types::of_event(tx, event_id).await? {
            let pools = ticket_type.pools.iter().map(|pool| pool.pool_id).collect();
            tx.pools.types.insert(ticket_type.ticket_type_id, pools);
        }
    }
    if let Some(id) = code
        && !tx.pools.codes.contains_key(&id)
    {
        let code = promo_codes::get(tx, id).await?;
        tx.pools.codes.insert(id, code.pool_id);
    }
    Ok(())
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

/// Takes free capacity from every pool of the demand, or from none: then the answer is the pool that lacks it.
pub(crate) async fn take(tx: &mut Tx, change: Move, demand: &Demand) -> Result<Option<PoolId>> {
    for (pool_id, quantity) in demand {
        if sql::execute(tx, change.sql(), binds![pool_id, *quantity]).await? == 0 {
            let back = if change == Move::Hold {
                Move::ReleaseHold
            } else {
                Move::ReturnSold
            };
            let taken = demand.range(..pool_id).map(|(id, quantity)| (*id, *quantity)).collect();
            give(tx, back, &taken);
            return Ok(Some(*pool_id));
        }
    }
    Ok(None)
}

/// Moves capacity that is held or sold already, which can't be refused.
pub(crate) fn give(tx: &mut Tx, change: Move, demand: &Demand) {
    for (pool_id, quantity) in demand {
        tx.defer(change.sql(), binds![pool_id, *quantity], 1);
    }
}

fn check(details: &PoolDetails) -> Result<()> {
    match details.capacity {
        Some(capacity) if !(0..=1_000_000_000).contains(&capacity) => {
            Err(Error::refused("invalid", "a capacity is between 0 and 1,000,000,000, or none").at("capacity"))
        }
        _ => Ok(()),
    }
}
