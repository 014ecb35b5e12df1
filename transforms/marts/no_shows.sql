with attendance as (
    select * from {{ ref('attendance') }}
),

events as (
    select event_id, title, category, starts_on, starts_at
    from {{ ref('stg_events') }}
    where status = 'ended'
)

select
    attendance.organizer_id,
    attendance.event_id,
    events.title,
    events.category,
    events.starts_on,
    attendance.tickets,
    attendance.arrived,
    attendance.absent,
    attendance.absent / nullif(cast(attendance.tickets as double), 0) as no_show_rate
from attendance
inner join events on attendance.event_id = events.event_id
where attendance.arrived > 0
