select
    organizer_id,
    payout_id,
    amount_minor,
    currency,
    paid_at
from {{ source('lake', 'payouts') }}
