with sessions as (
    select * from {{ ref('sessions') }}
)

select
    organizer_id,
    received_on,
    source,
    medium,
    campaign,
    count(*) as sessions,
    count(distinct visitor_id) as visitors,
    sum(interactions) as interactions,
    sum((cast(ended_at as bigint) - cast(started_at as bigint)) / 1000000) as seconds,
    sum(event_views) as event_views,
    count(*) filter (where holds_started > 0) as sessions_with_hold,
    count(*) filter (where checkouts_started > 0) as sessions_with_checkout
from sessions
group by organizer_id, received_on, source, medium, campaign
