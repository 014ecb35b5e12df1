with types as (
    select
        organizer_id,
        event_id,
        ticket_type_id,
        unnest(pools) as pool
    from {{ source('lake', 'ticket_types') }}
)

select
    organizer_id,
    event_id,
    ticket_type_id,
    pool['pool_id'] as pool_id
from types
