//! What has to add up inside the core, whatever was sold, expired and cancelled.

use crate::{
    Result, Source, Stored, rows,
    sql::{self, Columns, binds},
};
use domain::{
    PoolId, PromoCodeId, TicketTypeId,
    changes::{Hold, PromoCode, TicketType},
};
use std::collections::{BTreeMap, HashMap};

mod money;

/// At most so many faults are told; one is enough to look.
pub(super) const MOST_TOLD: usize = 20;

pub(super) async fn check(db: &mut impl Source) -> Result<Vec<String>> {
    let mut faults = pools(db).await?;
    faults.extend(tickets_of_paid_orders(db).await?);
    faults.extend(totals_of_orders(db).await?);
    faults.extend(money::check(db).await?);
    faults.extend(super::doors::check(db).await?);
    faults.truncate(MOST_TOLD);
    Ok(faults)
}

async fn pools(db: &mut impl Source) -> Result<Vec<String>> {
    let types: Vec<Stored<TicketType>> = rows::find(db, "1 = 1", vec![]).await?;
    let codes: Vec<Stored<PromoCode>> = rows::find(db, "1 = 1", vec![]).await?;
    let pools_of: HashMap<TicketTypeId, Vec<PoolId>> = types
        .iter()
        .map(|t| (t.ticket_type_id, t.pools.iter().map(|pool| pool.pool_id).collect()))
        .collect();
    let pool_of: HashMap<PromoCodeId, PoolId> = codes.iter().map(|code| (code.promo_code_id, code.pool_id)).collect();
    let (mut held, mut sold) = (BTreeMap::<PoolId, i64>::new(), BTreeMap::<PoolId, i64>::new());
    let add = |sums: &mut BTreeMap<PoolId, i64>, id: &TicketTypeId, phase: Option<PoolId>, quantity: i64| {
        for pool in pools_of.get(id).into_iter().flatten().chain(&phase) {
            *sums.entry(*pool).or_default() += quantity;
        }
    };
    let holds: Vec<Stored<Hold>> = rows::find(db, "t.status = 'active'", vec![]).await?;
    for hold in &holds {
        for line in &hold.lines {
            add(&mut held, &line.ticket_type_id, line.phase_pool_id, line.quantity);
        }
        if let Some(pool) = hold.promo_code_id.and_then(|id| pool_of.get(&id)) {
            *held.entry(*pool).or_default() += 1;
        }
    }
    let sql = "select ticket_type_id, phase_pool_id, count(*) as tickets from tickets where status = 'valid'
               group by ticket_type_id, phase_pool_id";
    for row in sql::all(db, sql, vec![]).await? {
        let phase = row.maybe_text("phase_pool_id")?.map(|id| sql::parse(&id)).transpose()?;
        add(&mut sold, &row.parse("ticket_type_id")?, phase, row.int("tickets")?);
    }
    let sql = "select promo_code_id, count(*) as uses from orders
               where (status = 'paid' or (status = 'pending' and reserved = 1)) and promo_code_id is not null
               group by promo_code_id";
    for row in sql::all(db, sql, vec![]).await? {
        if let Some(pool) = pool_of.get(&row.parse("promo_code_id")?) {
            *sold.entry(*pool).or_default() += row.int("uses")?;
        }
    }
    let mut faults = Vec::new();
    for row in sql::all(db, "select pool_id, held, sold from pools", vec![]).await? {
        let pool: PoolId = row.parse("pool_id")?;
        let counted = (row.int("held")?, row.int("sold")?);
        let true_count = (
            held.get(&pool).copied().unwrap_or(0),
            sold.get(&pool).copied().unwrap_or(0),
        );
        if counted != true_count {
            faults.push(format!(
                "pool {pool} counts {} held and {} sold; its holds say {} and its tickets {}",
                counted.0, counted.1, true_count.0, true_count.1
            ));
        }
    }
    Ok(faults)
}

/// An order that was paid, or reserved until it is, has all its tickets, some of them void if they were refunded; any other has no valid one.
async fn tickets_of_paid_orders(db: &mut impl Source) -> Result<Vec<String>> {
    let sql =
        "select o.order_id as order_id, max(o.status) as status, o.quantity as quantity, o.total_minor as total_minor,
                   count(t.ticket_id) as tickets, cast(coalesce(sum(t.price_minor), 0) as bigint) as price_minor,
                   count(case when t.status = 'valid' then 1 end) as valid
               from (select order_id, status, quantity, total_minor,
                         case when status = 'paid' or (status = 'pending' and reserved = 1) then 1 else 0 end as filled
                     from orders) o
               left join tickets t on t.order_id = o.order_id
               group by o.order_id, o.filled, o.quantity, o.total_minor
               having (o.filled = 1 and (count(t.ticket_id) <> o.quantity
                          or cast(coalesce(sum(t.price_minor), 0) as bigint) <> o.total_minor
                          or count(case when t.status = 'valid' then 1 end) = 0))
                   or (o.filled = 0 and count(case when t.status = 'valid' then 1 end) > 0)
               limit $1";
    let rows = sql::all(db, sql, binds![MOST_TOLD as i64]).await?;
    let tell = |row| -> Result<String> {
        Ok(format!(
            "order {} is {} for {} tickets at {} in all, and has {} tickets at {}, {} of them valid",
            Columns::text(row, "order_id")?,
            Columns::text(row, "status")?,
            Columns::int(row, "quantity")?,
            Columns::int(row, "total_minor")?,
            Columns::int(row, "tickets")?,
            Columns::int(row, "price_minor")?,
            Columns::int(row, "valid")?,
        ))
    };
    rows.iter().map(tell).collect()
}

/// A hold's sum is its order's sum, and each is the sum of its lines.
async fn totals_of_orders(db: &mut impl Source) -> Result<Vec<String>> {
    let sql = "select o.order_id as order_id from orders o join holds h on h.hold_id = o.hold_id
               where h.amount_minor <> o.total_minor or h.quantity <> o.quantity or h.lines <> o.lines limit $1";
    let rows = sql::all(db, sql, binds![MOST_TOLD as i64]).await?;
    let tell = |row| {
        Ok(format!(
            "order {} is not what its hold was",
            Columns::text(row, "order_id")?
        ))
    };
    rows.iter().map(tell).collect()
}
