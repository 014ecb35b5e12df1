with open as (
    select event_id, title, starts_at, ends_at
    from events
    where
        status in ('published', 'ended')
        and starts_at < now() + interval '4 hours'
        and ends_at > now() - interval '2 hours'
),

issued as (
    select event_id, count(*) as issued
    from tickets
    where status = 'valid' and event_id in (select event_id from open)
    group by event_id
),

scanned as (
    select
        event_id,
        count(distinct ticket_id) filter (
            where accepted and annulled_at is null and kind = 'entry'
        ) as entered,
        count(*) filter (where not accepted) as refused
    from check_ins
    where event_id in (select event_id from open)
    group by event_id
)

select
    open.event_id,
    open.title,
    open.starts_at,
    open.ends_at,
    coalesce(issued.issued, 0) as issued,
    coalesce(scanned.entered, 0) as entered,
    coalesce(scanned.refused, 0) as refused
from open
left join issued on open.event_id = issued.event_id
left join scanned on open.event_id = scanned.event_id
order by open.starts_at, open.event_id
