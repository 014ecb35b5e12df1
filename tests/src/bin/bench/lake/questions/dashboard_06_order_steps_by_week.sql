-- Orders: placed, paid, expired, cancelled and how long paying takes, by week (the platform).
-- metrics
{ "metrics": ["orders_placed", "orders_paid", "orders_expired", "orders_cancelled", "seconds_to_payment"], "grain": "week" }
-- duckdb
select cast(date_trunc('week', timezone(timezone, occurred_at)) as date) as at,
    count(*) filter (where change_type = 'order.placed'), count(*) filter (where change_type = 'order.paid'),
    count(*) filter (where change_type = 'order.expired'), count(*) filter (where change_type = 'order.cancelled'),
    cast(sum(case when change_type = 'order.paid' and source is null and total_minor > 0 then (epoch_us(paid_at) - epoch_us(placed_at)) // 1000000 end) as double)
        / count(*) filter (where change_type = 'order.paid' and source is null and total_minor > 0)
from order_changes inner join events using (event_id)
group by 1
-- chdb
select toMonday(local_date(occurred_at, timezone)) as at,
    countIf(change_type = 'order.placed'), countIf(change_type = 'order.paid'), countIf(change_type = 'order.expired'),
    countIf(change_type = 'order.cancelled'),
    sumIf(intDiv(toUnixTimestamp64Micro(assumeNotNull(paid_at)) - toUnixTimestamp64Micro(assumeNotNull(placed_at)), 1000000), change_type = 'order.paid' and source is null and total_minor > 0)
        / countIf(change_type = 'order.paid' and source is null and total_minor > 0)
from order_changes inner join events using (event_id)
group by 1
