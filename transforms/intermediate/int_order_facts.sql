select
    seq,
    organizer_id,
    event_id,
    promo_code_id,
    coalesce(split_part(source, ':', 1), 'online') as channel,
    currency,
    date_trunc('minute', occurred_at) as minute_at,
    case change_type when 'order.placed' then 1 else 0 end as placed,
    case change_type when 'order.paid' then 1 else 0 end as paid,
    case change_type when 'order.expired' then 1 else 0 end as expired,
    case change_type when 'order.cancelled' then 1 else 0 end as cancelled,
    case change_type when 'order.paid' then total_minor else 0 end as paid_minor,
    -- What was reserved is paid at a door or after an approval, and what is free is paid at once.
    case
        when change_type = 'order.paid' and source is null and reserved is not true and total_minor > 0 then 1
        else 0
    end as timed_payments,
    case
        when change_type = 'order.paid' and source is null and reserved is not true and total_minor > 0
            then (cast(paid_at as bigint) - cast(placed_at as bigint)) / 1000000
        else 0
    end as seconds_to_payment
from {{ source('lake', 'order_changes') }}
where change_type in ('order.placed', 'order.paid', 'order.expired', 'order.cancelled')
