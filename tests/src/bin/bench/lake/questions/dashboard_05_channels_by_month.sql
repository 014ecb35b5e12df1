-- Money: net sales by channel and month (the platform).
-- metrics
{ "metrics": ["net_sales", "tickets_sold"], "dimensions": ["channel"], "grain": "month" }
-- duckdb
select cast(date_trunc('month', timezone(timezone, sold_at)) as date) as at, channel, currency,
    sum(sign * total_minor), sum(sign * quantity)
from sales inner join events using (event_id)
group by 1, 2, 3
-- chdb
select toStartOfMonth(local_date(sold_at, timezone)) as at, channel, currency, sum(sign * total_minor), sum(sign * quantity)
from sales inner join events using (event_id)
group by 1, 2, 3
