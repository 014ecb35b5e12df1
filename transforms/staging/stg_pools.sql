select
    organizer_id,
    pool_id,
    event_id,
    name,
    capacity
from {{ source('lake', 'pools') }}
