with interactions as (
    select * from {{ ref('stg_interactions') }}
    where event_id is not null and kind in ('event_view', 'hold_started', 'checkout_started')
)

select
    organizer_id,
    received_on,
    event_id,
    session_id,
    min(occurred_at) as first_at,
    min(occurred_at) filter (where kind = 'event_view') as viewed_at,
    min(occurred_at) filter (where kind = 'hold_started') as held_at,
    min(occurred_at) filter (where kind = 'checkout_started') as checked_out_at
from interactions
group by organizer_id, received_on, event_id, session_id
