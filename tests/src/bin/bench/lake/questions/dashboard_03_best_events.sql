-- Overview: the events that sold most in the season (one organizer).
-- metrics
{ "metrics": ["net_sales", "tickets_sold"], "dimensions": ["title"], "order_by": "-net_sales", "limit": 20 }
-- organizer

-- duckdb
select title, currency, sum(sign * total_minor) as minor, sum(sign * quantity)
from sales inner join events using (event_id)
where organizer_id = '{organizer}'
group by 1, 2 order by minor desc, title limit 20
-- chdb
select title, currency, sum(sign * total_minor) as minor, sum(sign * quantity)
from sales inner join events using (event_id)
where organizer_id = '{organizer}'
group by 1, 2 order by minor desc, title limit 20
