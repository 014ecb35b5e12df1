-- Searches for a word in a month, day by day.
-- bilten
select day, count(*) as searches from interactions
where kind = 'search' and properties like '%jazz%' and day >= date '2026-10-01' group by day
-- duckdb
select day, count(*) as searches from interactions
where kind = 'search' and properties like '%jazz%' and day >= date '2026-10-01' group by day
-- chdb
select day, count(*) as searches from interactions
where kind = 'search' and properties like '%jazz%' and day >= toDate('2026-10-01') group by day
