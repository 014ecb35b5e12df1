select
    organizer_id,
    payment_id,
    order_id,
    event_id,
    provider,
    status,
    amount_minor,
    platform_fee_minor,
    currency,
    occurred_at as changed_at
from {{ source('lake', 'payments') }}
