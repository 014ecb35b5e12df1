with interest as (
    select * from {{ ref('interest') }}
),

events as (
    select event_id, timezone from {{ ref('stg_events') }}
),

local_interest as (
    select
        interest.*,
        cast(local_time(interest.quarter_at, coalesce(events.timezone, 'UTC')) as date) as met_on
    from interest
    left join events on interest.event_id = events.event_id
)

select
    organizer_id,
    received_on,
    event_id,
    met_on,
    sum(sessions) as sessions,
    sum(viewed) as viewed,
    sum(held) as held,
    sum(checked_out) as checked_out,
    sum(timed_holds) as timed_holds,
    sum(seconds_to_hold) as seconds_to_hold,
    sum(timed_checkouts) as timed_checkouts,
    sum(seconds_to_checkout) as seconds_to_checkout
from local_interest
group by organizer_id, received_on, event_id, met_on
