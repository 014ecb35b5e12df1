with sessions as (
    select * from {{ ref('sessions') }}
)

select
    organizer_id,
    received_on,
    count(*) as sessions,
    sum(interactions) as interactions,
    avg(interactions) as interactions_a_session,
    median(interactions) as median_interactions,
    avg((cast(ended_at as bigint) - cast(started_at as bigint)) / 1000000.0) as average_seconds
from sessions
group by organizer_id, received_on
