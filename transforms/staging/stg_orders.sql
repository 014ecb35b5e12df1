select
    organizer_id,
    order_id,
    event_id,
    person_id,
    code,
    status,
    currency,
    total_minor,
    refunded_minor,
    quantity,
    coalesce(awaits_approval, false) as awaits_approval,
    promo_code_id,
    coalesce(split_part(source, ':', 1), 'online') as channel,
    placed_at,
    paid_at,
    cancelled_at
from {{ source('lake', 'orders') }}
