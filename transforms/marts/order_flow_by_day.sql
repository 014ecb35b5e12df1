with flow as (
    select * from {{ ref('order_flow') }}
),

events as (
    select event_id, timezone from {{ ref('stg_events') }}
),

local_flow as (
    select
        flow.*,
        cast(local_time(flow.minute_at, coalesce(events.timezone, 'UTC')) as date) as happened_on
    from flow
    left join events on flow.event_id = events.event_id
)

select
    organizer_id,
    event_id,
    promo_code_id,
    channel,
    currency,
    happened_on,
    sum(placed) as placed,
    sum(paid) as paid,
    sum(expired) as expired,
    sum(cancelled) as cancelled,
    sum(paid_minor) as paid_minor,
    sum(timed_payments) as timed_payments,
    sum(seconds_to_payment) as seconds_to_payment,
    max(largest_minor) as largest_minor
from local_flow
group by organizer_id, event_id, promo_code_id, channel, currency, happened_on
