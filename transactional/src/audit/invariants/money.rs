//! Money: what refunds, disputes and payouts say against what payments, orders and the ledger count.

use super::MOST_TOLD;
use crate::{
    Result, Source,
    sql::{self, Columns, binds},
};

/// Each finds rows that break it, as `id`, `counted` and `truth`.
const RULES: &[(&str, &str)] = &[
    (
        "payment {id} counts {counted} refunded; its refunds say {truth}",
        "select p.payment_id as id, p.refunded_minor as counted, cast(coalesce(sum(r.amount_minor), 0) as bigint) as truth
         from payments p left join refunds r on r.payment_id = p.payment_id and r.status <> 'failed'
         group by p.payment_id, p.refunded_minor
         having p.refunded_minor <> cast(coalesce(sum(r.amount_minor), 0) as bigint)",
    ),
    (
        "payment {id} counts {counted} disputed; its disputes say {truth}",
        "select p.payment_id as id, p.disputed_minor as counted, cast(coalesce(sum(d.amount_minor), 0) as bigint) as truth
         from payments p left join disputes d on d.payment_id = p.payment_id and d.status <> 'won'
         group by p.payment_id, p.disputed_minor
         having p.disputed_minor <> cast(coalesce(sum(d.amount_minor), 0) as bigint)",
    ),
    (
        "order {id} counts {counted} refunded; the payment that paid it says {truth}",
        "select o.order_id as id, o.refunded_minor as counted, coalesce(p.refunded_minor, 0) as truth
         from orders o left join payments p on p.order_id = o.order_id and p.status = 'succeeded'
         where o.refunded_minor <> coalesce(p.refunded_minor, 0)",
    ),
    (
        "order {id} was paid {counted} times",
        "select order_id as id, count(*) as counted, cast(1 as bigint) as truth from payments where status = 'succeeded'
         group by order_id having count(*) > 1",
    ),
    (
        "of payment {id} the provider has {counted} by the ledger, and {truth} by what came and went",
        "select p.payment_id as id, coalesce(l.counted, 0) as counted,
             case when p.provider = 'till' then 0 else
                 case when p.status in ('succeeded', 'unapplied') then p.amount_minor else 0 end
                 - coalesce(r.paid, 0) - p.disputed_minor end as truth
         from payments p
         left join (select payment_id, cast(sum(provider_minor) as bigint) as counted from ledger_entries
                    where payment_id is not null group by payment_id) l on l.payment_id = p.payment_id
         left join (select payment_id, cast(sum(amount_minor) as bigint) as paid from refunds
                    where status = 'succeeded' group by payment_id) r on r.payment_id = p.payment_id
         where coalesce(l.counted, 0) <> case when p.provider = 'till' then 0 else
                 case when p.status in ('succeeded', 'unapplied') then p.amount_minor else 0 end
                 - coalesce(r.paid, 0) - p.disputed_minor end",
    ),
    (
        "of payment {id} the platform keeps {counted} by the ledger, and should keep {truth}",
        "select p.payment_id as id, -coalesce(l.counted, 0) as counted,
             case when p.status <> 'succeeded' or p.amount_minor = 0 then 0 else p.platform_fee_minor
                 - (2 * p.platform_fee_minor * p.refunded_minor + p.amount_minor) / (2 * p.amount_minor) end as truth
         from payments p
         left join (select payment_id, cast(sum(platform_minor) as bigint) as counted from ledger_entries
                    where payment_id is not null group by payment_id) l on l.payment_id = p.payment_id
         where -coalesce(l.counted, 0) <> case when p.status <> 'succeeded' or p.amount_minor = 0 then 0
             else p.platform_fee_minor
                 - (2 * p.platform_fee_minor * p.refunded_minor + p.amount_minor) / (2 * p.amount_minor) end",
    ),
    (
        "payout {id} was {truth}, and the ledger says {counted}",
        "select p.payout_id as id, coalesce(l.organizer_minor, 0) as counted, p.amount_minor as truth
         from payouts p left join ledger_entries l on l.subject_id = p.payout_id
         where coalesce(l.organizer_minor, 0) <> p.amount_minor",
    ),
];

pub(super) async fn check(db: &mut impl Source) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for (fault, sql) in RULES {
        let limited = format!("select * from ({sql}) faults limit $1");
        for row in sql::all(db, limited, binds![MOST_TOLD as i64]).await? {
            let told = fault
                .replace("{id}", &row.text("id")?)
                .replace("{counted}", &row.int("counted")?.to_string());
            faults.push(told.replace("{truth}", &row.int("truth")?.to_string()));
        }
    }
    Ok(faults)
}
