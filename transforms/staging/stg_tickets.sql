select
    organizer_id,
    ticket_id,
    order_id,
    event_id,
    ticket_type_id,
    person_id,
    status,
    price_minor,
    currency,
    blocked
from {{ source('lake', 'tickets') }}
