with orders as (
    select * from {{ ref('stg_orders') }}
    where status = 'paid' and channel = 'online'
),

touches as (
    select person_id, session_id, started_at, source, medium, campaign
    from {{ ref('sessions') }}
    where person_id is not null and source is not null
)

select
    orders.organizer_id,
    orders.order_id,
    orders.person_id,
    orders.event_id,
    orders.currency,
    orders.placed_at,
    orders.total_minor - orders.refunded_minor as net_minor,
    count(touches.session_id) as touches,
    first_value(touches.source order by touches.started_at, touches.session_id) as first_source,
    first_value(touches.medium order by touches.started_at, touches.session_id) as first_medium,
    first_value(touches.campaign order by touches.started_at, touches.session_id) as first_campaign,
    last_value(touches.source order by touches.started_at, touches.session_id) as last_source,
    last_value(touches.medium order by touches.started_at, touches.session_id) as last_medium,
    last_value(touches.campaign order by touches.started_at, touches.session_id) as last_campaign
from orders
left join touches on orders.person_id = touches.person_id and touches.started_at <= orders.placed_at
group by
    orders.organizer_id, orders.order_id, orders.person_id, orders.event_id, orders.currency, orders.placed_at,
    orders.total_minor, orders.refunded_minor
