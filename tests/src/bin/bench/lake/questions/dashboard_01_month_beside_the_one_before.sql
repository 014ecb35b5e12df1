-- Overview: sales of each day of a month, beside the month before (one organizer).
-- metrics
{ "metrics": ["net_sales", "tickets_sold"], "grain": "day", "from": "2026-09-01", "to": "2026-10-01", "compare_to": "previous" }
-- organizer

-- duckdb
with days as (
    select cast(timezone(timezone, sold_at) as date) as day, currency, sign * total_minor as minor, sign * quantity as tickets
    from sales inner join events using (event_id)
    where organizer_id = '{organizer}'
)
select
    case when day < date '2026-09-01' then day + 30 else day end as at, currency,
    sum(minor) filter (where day >= date '2026-09-01'), sum(minor) filter (where day < date '2026-09-01'),
    sum(tickets) filter (where day >= date '2026-09-01'), sum(tickets) filter (where day < date '2026-09-01')
from days where day >= date '2026-08-02' and day < date '2026-10-01'
group by 1, 2
-- chdb
with days as (
    select local_date(sold_at, timezone) as day, currency, sign * total_minor as minor, sign * quantity as tickets
    from sales inner join events using (event_id)
    where organizer_id = '{organizer}'
)
select
    if(day < toDate('2026-09-01'), day + 30, day) as at, currency,
    sumOrNullIf(minor, day >= toDate('2026-09-01')), sumOrNullIf(minor, day < toDate('2026-09-01')),
    sumOrNullIf(tickets, day >= toDate('2026-09-01')), sumOrNullIf(tickets, day < toDate('2026-09-01'))
from days where day >= toDate('2026-08-02') and day < toDate('2026-10-01')
group by 1, 2
