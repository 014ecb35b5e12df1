with steps as (
    select
        *,
        date_bin(interval '15 minutes', first_at) as quarter_at,
        (cast(held_at as bigint) - cast(viewed_at as bigint)) / 1000000 as seconds_to_hold,
        (cast(checked_out_at as bigint) - cast(held_at as bigint)) / 1000000 as seconds_to_checkout
    from {{ ref('int_session_events') }}
)

select
    organizer_id,
    received_on,
    event_id,
    quarter_at,
    count(*) as sessions,
    count(viewed_at) as viewed,
    count(held_at) as held,
    count(checked_out_at) as checked_out,
    count(*) filter (where seconds_to_hold >= 0) as timed_holds,
    coalesce(sum(seconds_to_hold) filter (where seconds_to_hold >= 0), 0) as seconds_to_hold,
    count(*) filter (where seconds_to_checkout >= 0) as timed_checkouts,
    coalesce(sum(seconds_to_checkout) filter (where seconds_to_checkout >= 0), 0) as seconds_to_checkout
from steps
group by organizer_id, received_on, event_id, quarter_at
