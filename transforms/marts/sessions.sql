-- The first of several texts is the least of them, and the last one the greatest, each behind its time. Times up to
-- here have as many digits.
with interactions as (
    select
        *,
        case when utm_source is not null then concat(
            cast(1062135596800000000 + cast(occurred_at as bigint) as varchar), interaction_id, chr(31),
            utm_source, chr(31), utm_medium, chr(31), utm_campaign
        ) end as touch
    from {{ ref('stg_interactions') }}
),

by_event as (
    select
        organizer_id,
        received_on,
        session_id,
        event_id,
        min(visitor_id) as visitor_id,
        max(person_id) as person_id,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        count(*) as interactions,
        count(*) filter (where kind = 'event_view') as event_views,
        count(*) filter (where kind = 'search') as searches,
        count(*) filter (where kind = 'hold_started') as holds_started,
        count(*) filter (where kind = 'checkout_started') as checkouts_started,
        min(occurred_at) filter (where utm_source is not null) as source_at,
        min(touch) as touch,
        max(occurred_at) filter (where utm_source is not null) as last_source_at,
        max(touch) as last_touch
    from interactions
    group by organizer_id, received_on, session_id, event_id
),

visits as (
    select
        organizer_id,
        received_on,
        session_id,
        min(visitor_id) as visitor_id,
        max(person_id) as person_id,
        min(started_at) as started_at,
        max(ended_at) as ended_at,
        sum(interactions) as interactions,
        sum(event_views) as event_views,
        count(event_id) filter (where event_views > 0) as events,
        sum(searches) as searches,
        sum(holds_started) as holds_started,
        sum(checkouts_started) as checkouts_started,
        min(source_at) as source_at,
        min(touch) as touch,
        max(last_source_at) as last_source_at,
        max(last_touch) as last_touch
    from by_event
    group by organizer_id, received_on, session_id
)

select
    organizer_id,
    received_on,
    session_id,
    visitor_id,
    person_id,
    started_at,
    ended_at,
    interactions,
    event_views,
    events,
    searches,
    holds_started,
    checkouts_started,
    source_at,
    split_part(touch, chr(31), 2) as source,
    nullif(split_part(touch, chr(31), 3), '') as medium,
    nullif(split_part(touch, chr(31), 4), '') as campaign,
    last_source_at,
    split_part(last_touch, chr(31), 2) as last_source,
    nullif(split_part(last_touch, chr(31), 3), '') as last_medium,
    nullif(split_part(last_touch, chr(31), 4), '') as last_campaign
from visits
