-- Audience: sessions and checkouts by source in a quarter of a year (the platform).
-- metrics
{ "metrics": ["sessions", "interactions", "checkout_rate"], "dimensions": ["source"], "from": "2026-07-01", "to": "2026-10-01" }
-- duckdb
with visits as (
    select organizer_id, day, session_id, any_value(utm_source) as source, count(*) as interactions,
        bool_or(kind = 'checkout_started') as checked_out
    from interactions where day >= date '2026-07-01' and day < date '2026-10-01'
    group by 1, 2, 3
)
select source, count(*), sum(interactions), count(*) filter (where checked_out) / count(*) from visits group by 1
-- chdb
with visits as (
    select organizer_id, day, session_id, any(utm_source) as source, count(*) as interactions,
        max(kind = 'checkout_started') as checked_out
    from interactions where day >= toDate('2026-07-01') and day < toDate('2026-10-01')
    group by 1, 2, 3
)
select source, count(*), sum(interactions), countIf(checked_out = 1) / count(*) from visits group by 1
