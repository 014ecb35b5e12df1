-- Of the sessions of a month: how many held tickets, by how much they did.
-- bilten
with visits as (
    select session_id, count(*) as steps, count(*) filter (where kind = 'hold_started') as holds
    from interactions where day >= date '2026-09-01' and day < date '2026-10-01'
    group by session_id
)
select least(steps, 20) as steps, count(*) as sessions, count(*) filter (where holds > 0) as held from visits group by 1
-- duckdb
with visits as (
    select session_id, count(*) as steps, count(*) filter (where kind = 'hold_started') as holds
    from interactions where day >= date '2026-09-01' and day < date '2026-10-01'
    group by session_id
)
select least(steps, 20), count(*), count(*) filter (where holds > 0) from visits group by 1
-- chdb
with visits as (
    select session_id, count(*) as steps, countIf(kind = 'hold_started') as holds
    from interactions where day >= toDate('2026-09-01') and day < toDate('2026-10-01')
    group by session_id
)
select least(steps, 20), count(*), countIf(holds > 0) from visits group by 1
