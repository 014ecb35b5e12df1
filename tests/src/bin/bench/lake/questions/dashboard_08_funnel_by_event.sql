-- Funnel: from the look to the checkout, by event (one organizer).
-- metrics
{ "metrics": ["event_visits", "holds", "checkouts"], "dimensions": ["title"], "order_by": "-event_visits", "limit": 20 }
-- organizer

-- duckdb
with steps as (
    select day, event_id, session_id, bool_or(kind = 'event_view') as viewed, bool_or(kind = 'hold_started') as held,
        bool_or(kind = 'checkout_started') as checked_out
    from interactions where organizer_id = '{organizer}' and event_id is not null
    group by all
)
select title, count(*) filter (where viewed) as visits, count(*) filter (where held), count(*) filter (where checked_out)
from steps inner join events using (event_id)
group by 1 order by visits desc, title limit 20
-- chdb
with steps as (
    select day, event_id, session_id, max(kind = 'event_view') as viewed, max(kind = 'hold_started') as held,
        max(kind = 'checkout_started') as checked_out
    from interactions where organizer_id = '{organizer}' and event_id is not null
    group by day, event_id, session_id
)
select title, countIf(viewed = 1) as visits, countIf(held = 1), countIf(checked_out = 1)
from steps inner join events using (event_id)
group by 1 order by visits desc, title limit 20
