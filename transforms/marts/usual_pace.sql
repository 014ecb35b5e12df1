with events as (
    select organizer_id, event_id, status from {{ ref('stg_events') }}
),

past as (
    select
        sold.organizer_id,
        sold.event_id,
        sold.days_to_event,
        sold.tickets
    from {{ ref('events_compared') }} as sold
    inner join events on sold.event_id = events.event_id
    where events.status = 'ended'
),

counted as (
    select organizer_id, count(distinct event_id) as past_events
    from past
    group by organizer_id
),

days as (
    select organizer_id, days_to_event, sum(tickets) as tickets
    from past
    group by organizer_id, days_to_event
),

running as (
    select
        organizer_id,
        days_to_event,
        sum(tickets) over (partition by organizer_id order by days_to_event desc) as tickets_so_far
    from days
)

select
    events.organizer_id,
    events.event_id,
    running.days_to_event,
    counted.past_events,
    running.tickets_so_far / cast(counted.past_events as double) as tickets_so_far
from events
inner join running on events.organizer_id = running.organizer_id
inner join counted on events.organizer_id = counted.organizer_id
