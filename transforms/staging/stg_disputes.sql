select
    organizer_id,
    dispute_id,
    payment_id,
    order_id,
    event_id,
    status,
    amount_minor,
    currency,
    occurred_at as changed_at
from {{ source('lake', 'disputes') }}
