select
    organizer_id,
    promo_code_id,
    event_id,
    code
from {{ source('lake', 'promo_codes') }}
