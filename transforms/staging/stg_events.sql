select
    organizer_id,
    event_id,
    venue_id,
    title,
    category,
    status,
    starts_at,
    ends_at,
    timezone,
    cast(local_time(starts_at, timezone) as date) as starts_on,
    currency
from {{ source('lake', 'events') }}
