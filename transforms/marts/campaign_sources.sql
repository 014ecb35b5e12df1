with first_touch as (
    select
        organizer_id,
        coalesce(first_source, 'unknown') as source,
        currency,
        count(*) as orders,
        sum(net_minor) as net_minor
    from {{ ref('attribution') }}
    group by organizer_id, coalesce(first_source, 'unknown'), currency
),

last_touch as (
    select
        organizer_id,
        coalesce(last_source, 'unknown') as source,
        currency,
        count(*) as orders,
        sum(net_minor) as net_minor
    from {{ ref('attribution') }}
    group by organizer_id, coalesce(last_source, 'unknown'), currency
)

select
    coalesce(first_touch.organizer_id, last_touch.organizer_id) as organizer_id,
    coalesce(first_touch.source, last_touch.source) as source,
    coalesce(first_touch.currency, last_touch.currency) as currency,
    coalesce(first_touch.orders, 0) as first_touch_orders,
    coalesce(first_touch.net_minor, 0) as first_touch_minor,
    coalesce(last_touch.orders, 0) as last_touch_orders,
    coalesce(last_touch.net_minor, 0) as last_touch_minor
from first_touch
full join last_touch
    on first_touch.organizer_id = last_touch.organizer_id
    and first_touch.source = last_touch.source
    and first_touch.currency = last_touch.currency
