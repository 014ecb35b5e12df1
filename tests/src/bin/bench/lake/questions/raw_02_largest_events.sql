-- The events whose paid orders come to most.
-- bilten
select event_id, title, sum(total_minor) as minor, count(distinct person_id) as people
from orders inner join events using (event_id)
where orders.status = 'paid'
group by event_id, title order by minor desc, event_id limit 20
-- duckdb
select event_id, title, sum(total_minor) as minor, count(distinct person_id)
from orders inner join events using (event_id)
where status = 'paid'
group by 1, 2 order by minor desc, event_id limit 20
-- chdb
select event_id, title, sum(total_minor) as minor, uniqExact(person_id)
from orders inner join events using (event_id)
where status = 'paid'
group by 1, 2 order by minor desc, event_id limit 20
