select
    organizer_id,
    ticket_type_id,
    event_id,
    name
from {{ source('lake', 'ticket_types') }}
