with placed as (
    select
        *,
        _partition * 281474976710656 + _offset as place
    from {{ source('lake', 'interactions') }}
),

-- Of an interaction that came twice in a session on a day, the first.
firsts as (
    select day, session_id, min(place) as place
    from placed
    group by day, session_id, interaction_id
)

select
    placed.organizer_id,
    placed.day as received_on,
    placed.session_id,
    placed.interaction_id,
    placed.kind,
    placed.event_id,
    placed.visitor_id,
    placed.person_id,
    placed.occurred_at,
    placed.url,
    placed.referrer,
    placed.utm_source,
    placed.utm_medium,
    placed.utm_campaign
from placed
left semi join firsts
    on placed.day = firsts.day and placed.session_id = firsts.session_id and placed.place = firsts.place
