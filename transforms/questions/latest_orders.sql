with latest as (
    select order_id, event_id, code, status, quantity, total_minor, currency, placed_at
    from orders
    order by placed_at desc
    limit 12
)

select
    latest.order_id,
    latest.event_id,
    latest.code,
    latest.placed_at,
    latest.status,
    latest.quantity,
    latest.total_minor,
    latest.currency,
    events.title
from latest
inner join events on latest.event_id = events.event_id
order by latest.placed_at desc, latest.order_id
