with numbered as (
    select
        *,
        row_number() over (
            partition by day, session_id, interaction_id
            order by _partition, _offset
        ) as place
    from {{ source('lake', 'interactions') }}
)

select
    organizer_id,
    day as received_on,
    session_id,
    interaction_id,
    kind,
    event_id,
    visitor_id,
    person_id,
    occurred_at,
    url,
    referrer,
    utm_source,
    utm_medium,
    utm_campaign
from numbered
where place = 1
