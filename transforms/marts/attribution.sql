-- The first of several texts is the least of them, and the last one the greatest, each behind its time. Times up to
-- here have as many digits.
with orders as (
    select * from {{ ref('stg_orders') }}
    where status = 'paid' and channel = 'online'
),

touches as (
    select * from {{ ref('sessions') }}
    where person_id is not null and source is not null
),

-- Sessions keep their first and their last source. Of one that went on after the order the last may be too late. What is
-- long is put together behind the join, which may have to sort.
touched as (
    select
        orders.person_id,
        orders.order_id,
        count(*) as touches,
        min(concat(
            cast(1062135596800000000 + cast(touches.source_at as bigint) as varchar), touches.session_id, chr(31),
            touches.source, chr(31), touches.medium, chr(31), touches.campaign
        )) as first_touch,
        max(
            case
                when touches.last_source_at <= orders.placed_at
                    then concat(
                        cast(1062135596800000000 + cast(touches.last_source_at as bigint) as varchar),
                        touches.session_id, chr(31),
                        touches.last_source, chr(31), touches.last_medium, chr(31), touches.last_campaign
                    )
                else concat(
                    cast(1062135596800000000 + cast(touches.source_at as bigint) as varchar), touches.session_id, chr(31),
                    touches.source, chr(31), touches.medium, chr(31), touches.campaign
                )
            end
        ) as last_touch
    from orders
    inner join touches
        on orders.organizer_id = touches.organizer_id
        and orders.person_id = touches.person_id
        and touches.source_at <= orders.placed_at
    group by orders.person_id, orders.order_id
)

select
    orders.organizer_id,
    orders.order_id,
    orders.person_id,
    orders.event_id,
    orders.currency,
    orders.placed_at,
    orders.total_minor - orders.refunded_minor as net_minor,
    coalesce(touched.touches, 0) as touches,
    split_part(first_touch, chr(31), 2) as first_source,
    nullif(split_part(first_touch, chr(31), 3), '') as first_medium,
    nullif(split_part(first_touch, chr(31), 4), '') as first_campaign,
    split_part(last_touch, chr(31), 2) as last_source,
    nullif(split_part(last_touch, chr(31), 3), '') as last_medium,
    nullif(split_part(last_touch, chr(31), 4), '') as last_campaign
from orders
left join touched on orders.person_id = touched.person_id and orders.order_id = touched.order_id
