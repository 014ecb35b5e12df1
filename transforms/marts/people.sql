with orders as (
    select * from {{ ref('stg_orders') }}
    where status = 'paid'
),

sessions as (
    select
        person_id,
        min(started_at) as first_seen_at,
        count(*) as sessions,
        first_value(source order by started_at, session_id) filter (where source is not null) as first_source
    from {{ ref('sessions') }}
    where person_id is not null
    group by person_id
),

bought as (
    select
        organizer_id,
        person_id,
        currency,
        count(*) as orders,
        sum(quantity) as tickets,
        count(distinct event_id) as events,
        sum(total_minor - refunded_minor) as spend_minor,
        min(placed_at) as first_order_at,
        max(placed_at) as last_order_at,
        first_value(channel order by placed_at, order_id) as first_channel
    from orders
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
    sessions.first_source,
    sessions.first_seen_at,
    coalesce(sessions.sessions, 0) as sessions
from bought
left join sessions on bought.person_id = sessions.person_id
