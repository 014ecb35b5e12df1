-- Audience: new buyers, who came back, and what they spend, by the month of the first order (one organizer).
-- metrics
{ "metrics": ["new_buyers", "repeat_rate", "spend_a_buyer"], "grain": "month" }
-- organizer

-- duckdb
with buyers as (
    select person_id, currency, min(placed_at) as first_at, count(*) as orders, sum(total_minor - refunded_minor) as spend
    from orders where organizer_id = '{organizer}' and status = 'paid'
    group by 1, 2
)
select cast(date_trunc('month', timezone('UTC', first_at)) as date) as at, currency, count(*),
    count(*) filter (where orders > 1) / count(*), sum(spend) / count(*)
from buyers group by 1, 2
-- chdb
with buyers as (
    select person_id, currency, min(placed_at) as first_at, count(*) as orders, sum(total_minor - refunded_minor) as spend
    from orders where organizer_id = '{organizer}' and status = 'paid'
    group by 1, 2
)
select toStartOfMonth(toDate(first_at, 'UTC')) as at, currency, count(*), countIf(orders > 1) / count(*), sum(spend) / count(*)
from buyers group by 1, 2
