select
    organizer_id,
    check_in_list_id,
    event_id,
    name,
    emptied_at
from {{ source('lake', 'check_in_lists') }}
