-- Overview: totals of a quarter of a year (the platform).
-- metrics
{ "metrics": ["net_sales", "tickets_sold", "gross_sales", "discounts"], "from": "2026-07-01", "to": "2026-10-01" }
-- duckdb
with lines as (
    select currency, sign, sold_at, event_id, unnest(lines) as line
    from sales
),
days as (
    select *, cast(timezone(timezone, sold_at) as date) as day,
        line.unit_minor * line.quantity as gross_minor,
        line.unit_minor * line.quantity - line.discount_minor + line.fee_minor + line.tax_minor as minor
    from lines inner join events using (event_id)
)
select currency, sum(sign * minor), sum(sign * line.quantity),
    sum(case when sign = 1 then gross_minor else 0 end), sum(case when sign = 1 then line.discount_minor else 0 end)
from days where day >= date '2026-07-01' and day < date '2026-10-01'
group by 1
-- chdb
with days as (
    select currency, sign, line, local_date(sold_at, timezone) as day,
        line.unit_minor * line.quantity as gross_minor,
        line.unit_minor * line.quantity - line.discount_minor + line.fee_minor + line.tax_minor as minor
    from (select currency, sign, sold_at, event_id, arrayJoin(lines) as line from sales) as sold
    inner join events using (event_id)
)
select currency, sum(sign * minor), sum(sign * line.quantity), sumIf(gross_minor, sign = 1),
    sumIf(line.discount_minor, sign = 1)
from days where day >= toDate('2026-07-01') and day < toDate('2026-10-01')
group by 1
