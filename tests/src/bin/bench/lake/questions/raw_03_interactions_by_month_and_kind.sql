-- Every interaction, by month and kind.
-- bilten
select cast(date_trunc('month', day) as date) as month, kind, count(*) as seen from interactions group by 1, 2
-- duckdb
select cast(date_trunc('month', day) as date) as month, kind, count(*) from interactions group by 1, 2
-- chdb
select toStartOfMonth(day) as month, kind, count(*) from interactions group by 1, 2
