select
    organizer_id,
    refund_id,
    payment_id,
    order_id,
    event_id,
    status,
    reason,
    amount_minor,
    currency,
    occurred_at as changed_at
from {{ source('lake', 'refunds') }}
