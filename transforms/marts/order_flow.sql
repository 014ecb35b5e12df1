with facts as (
    select * from {{ ref('int_order_facts') }}
)

select
    organizer_id,
    event_id,
    promo_code_id,
    channel,
    currency,
    minute_at,
    sum(placed) as placed,
    sum(paid) as paid,
    sum(expired) as expired,
    sum(cancelled) as cancelled,
    sum(paid_minor) as paid_minor,
    sum(timed_payments) as timed_payments,
    sum(seconds_to_payment) as seconds_to_payment,
    max(paid_minor) as largest_minor
from facts
group by organizer_id, event_id, promo_code_id, channel, currency, minute_at
