with interactions as (
    select * from {{ ref('stg_interactions') }}
)

select
    organizer_id,
    received_on,
    session_id,
    min(visitor_id) as visitor_id,
    max(person_id) as person_id,
    min(occurred_at) as started_at,
    max(occurred_at) as ended_at,
    count(*) as interactions,
    count(*) filter (where kind = 'event_view') as event_views,
    count(distinct event_id) as events,
    count(*) filter (where kind = 'search') as searches,
    count(*) filter (where kind = 'hold_started') as holds_started,
    count(*) filter (where kind = 'checkout_started') as checkouts_started,
    first_value(utm_source order by occurred_at, interaction_id) filter (where utm_source is not null) as source,
    first_value(utm_medium order by occurred_at, interaction_id) filter (where utm_source is not null) as medium,
    first_value(utm_campaign order by occurred_at, interaction_id) filter (where utm_source is not null) as campaign
from interactions
group by organizer_id, received_on, session_id
