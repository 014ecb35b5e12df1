-- How many different visitors each source brought in a quarter of a year.
-- bilten
select utm_source, count(distinct visitor_id) as visitors, count(*) as interactions
from interactions where day >= date '2026-07-01' and day < date '2026-10-01'
group by utm_source
-- duckdb
select utm_source, count(distinct visitor_id), count(*)
from interactions where day >= date '2026-07-01' and day < date '2026-10-01'
group by 1
-- chdb
select utm_source, uniqExact(visitor_id), count(*)
from interactions where day >= toDate('2026-07-01') and day < toDate('2026-10-01')
group by 1
