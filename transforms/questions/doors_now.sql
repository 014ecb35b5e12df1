with open as (
    select event_id, title, starts_at, ends_at
    from events
    where
        status in ('published', 'ended')
        and starts_at < now() + interval '4 hours'
        and ends_at > now() - interval '2 hours'
),

unapproved as (
    select event_id, order_id
    from orders
    where status = 'pending' and awaits_approval
),

expected as (
    select tickets.event_id, tickets.ticket_id
    from tickets
    left anti join unapproved on tickets.event_id = unapproved.event_id and tickets.order_id = unapproved.order_id
    where
        tickets.status = 'valid'
        and not tickets.blocked
        and tickets.event_id in (select event_id from open)
),

issued as (
    select event_id, count(*) as issued
    from expected
    group by event_id
),

scanned as (
    select
        check_ins.event_id,
        count(distinct expected.ticket_id) filter (
            where check_ins.accepted and check_ins.annulled_at is null and check_ins.kind = 'entry'
        ) as entered,
        count(*) filter (where not check_ins.accepted) as refused
    from check_ins
    left join expected on check_ins.event_id = expected.event_id and check_ins.ticket_id = expected.ticket_id
    where check_ins.event_id in (select event_id from open)
    group by check_ins.event_id
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
