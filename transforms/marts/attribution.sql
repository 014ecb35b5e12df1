-- The first of several texts is the least of them, and the last one the greatest, each behind its time. Times up to
-- here have as many digits.
with orders as (
    select * from {{ ref('stg_orders') }}
    where status = 'paid' and channel = 'online'
),

-- Sessions keep their first and their last source.
touches as (
    select * from {{ ref('sessions') }}
    where person_id is not null and source is not null
),

-- What is long is put together behind the join, which keeps its rows in memory.
met as (
    select
        orders.organizer_id,
        orders.order_id,
        orders.person_id,
        orders.event_id,
        orders.currency,
        orders.placed_at,
        orders.total_minor - orders.refunded_minor as net_minor,
        touches.session_id,
        touches.last_source_at <= orders.placed_at as ended_before,
        case when touches.session_id is not null then concat(
            cast(1062135596800000000 + cast(touches.source_at as bigint) as varchar), touches.session_id, chr(31),
            touches.source, chr(31), touches.medium, chr(31), touches.campaign
        ) end as first_touch,
        case when touches.session_id is not null then concat(
            cast(1062135596800000000 + cast(touches.last_source_at as bigint) as varchar), touches.session_id, chr(31),
            touches.last_source, chr(31), touches.last_medium, chr(31), touches.last_campaign
        ) end as last_touch
    from orders
    left join touches
        on orders.organizer_id = touches.organizer_id
        and orders.person_id = touches.person_id
        and touches.source_at <= orders.placed_at
),

-- Of a session that went on after the order, the last source may be too late.
touched as (
    select
        organizer_id,
        order_id,
        person_id,
        event_id,
        currency,
        placed_at,
        net_minor,
        count(session_id) as touches,
        min(first_touch) as first_touch,
        max(case when ended_before then last_touch else first_touch end) as last_touch
    from met
    group by organizer_id, order_id, person_id, event_id, currency, placed_at, net_minor
)

select
    organizer_id,
    order_id,
    person_id,
    event_id,
    currency,
    placed_at,
    net_minor,
    touches,
    split_part(first_touch, chr(31), 2) as first_source,
    nullif(split_part(first_touch, chr(31), 3), '') as first_medium,
    nullif(split_part(first_touch, chr(31), 4), '') as first_campaign,
    split_part(last_touch, chr(31), 2) as last_source,
    nullif(split_part(last_touch, chr(31), 3), '') as last_medium,
    nullif(split_part(last_touch, chr(31), 4), '') as last_campaign
from touched
