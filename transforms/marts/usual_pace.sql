with events as (
    select organizer_id, event_id, status from {{ ref('stg_events') }}
),

past as (
    select
        sold.organizer_id,
        sold.event_id,
        sold.days_to_event,
        sum(sold.tickets) as tickets
    from {{ ref('events_compared') }} as sold
    inner join events on sold.event_id = events.event_id
    where events.status = 'ended'
    group by sold.organizer_id, sold.event_id, sold.days_to_event
),

days as (
    select organizer_id, days_to_event, sum(tickets) as tickets
    from past
    group by organizer_id, days_to_event
),

counted as (
    select organizer_id, count(distinct event_id) as past_events
    from past
    group by organizer_id
),

sold_something as (
    select distinct event_id from past
),

-- An event that has ended is not held against itself.
others as (
    select
        events.organizer_id,
        events.event_id,
        days.days_to_event,
        counted.past_events - case when sold_something.event_id is null then 0 else 1 end as past_events,
        days.tickets - coalesce(own.tickets, 0) as tickets
    from events
    inner join days on events.organizer_id = days.organizer_id
    inner join counted on events.organizer_id = counted.organizer_id
    left join sold_something on events.event_id = sold_something.event_id
    left join past as own on events.event_id = own.event_id and days.days_to_event = own.days_to_event
),

running as (
    select
        organizer_id,
        event_id,
        days_to_event,
        past_events,
        sum(tickets) over (partition by event_id order by days_to_event desc) as tickets_so_far
    from others
    where past_events > 0
)

select
    organizer_id,
    event_id,
    days_to_event,
    past_events,
    tickets_so_far / cast(past_events as double) as tickets_so_far
from running
