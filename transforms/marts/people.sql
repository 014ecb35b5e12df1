-- The first of several texts: the least of them, each behind its time. Times up to here have as many digits.
with orders as (
    select
        *,
        concat(
            cast(1062135596800000000 + cast(placed_at as bigint) as varchar), order_id, chr(31), channel
        ) as placed
    from {{ ref('stg_orders') }}
    where status = 'paid'
),

sessions as (
    select
        organizer_id,
        person_id,
        min(started_at) as first_seen_at,
        count(*) as sessions,
        min(source_at) as first_touch_at,
        min(case when source is not null then concat(
            cast(1062135596800000000 + cast(source_at as bigint) as varchar), session_id, chr(31), source
        ) end) as touch
    from {{ ref('sessions') }}
    where person_id is not null
    group by organizer_id, person_id
),

by_event as (
    select
        organizer_id,
        person_id,
        currency,
        event_id,
        count(*) as orders,
        sum(quantity) as tickets,
        sum(total_minor - refunded_minor) as spend_minor,
        min(placed_at) as first_order_at,
        max(placed_at) as last_order_at,
        min(placed) as placed
    from orders
    group by organizer_id, person_id, currency, event_id
),

bought as (
    select
        organizer_id,
        person_id,
        currency,
        sum(orders) as orders,
        sum(tickets) as tickets,
        count(*) as events,
        sum(spend_minor) as spend_minor,
        min(first_order_at) as first_order_at,
        max(last_order_at) as last_order_at,
        split_part(min(placed), chr(31), 2) as first_channel
    from by_event
    group by organizer_id, person_id, currency
)

select
    bought.organizer_id,
    bought.person_id,
    bought.currency,
    bought.orders,
    bought.tickets,
    bought.events,
    bought.spend_minor,
    bought.first_order_at,
    bought.last_order_at,
    bought.first_channel,
    -- What somebody meets later has not led to them.
    case
        when sessions.first_touch_at
            <= min(bought.first_order_at) over (partition by bought.organizer_id, bought.person_id)
            then split_part(sessions.touch, chr(31), 2)
    end as first_source,
    sessions.first_seen_at,
    coalesce(sessions.sessions, 0) as sessions,
    sum(bought.orders) over (partition by bought.organizer_id, bought.person_id) as all_orders,
    row_number() over (
        partition by bought.organizer_id, bought.person_id
        order by bought.first_order_at, bought.currency
    ) = 1 as is_first
from bought
left join sessions on bought.organizer_id = sessions.organizer_id and bought.person_id = sessions.person_id
