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
    sum(event_views) as event_views,
    count(*) filter (where holds_started > 0) as sessions_with_hold,
    count(*) filter (where checkouts_started > 0) as sessions_with_checkout
from sessions
group by organizer_id, received_on, source, medium, campaign
