with tickets as (
    select
        organizer_id,
        event_id,
        count(*) filter (where status = 'valid') as tickets,
        count(*) filter (where status = 'valid' and blocked) as blocked
    from {{ ref('stg_tickets') }}
    group by organizer_id, event_id
),

valid as (
    select ticket_id from {{ ref('stg_tickets') }}
    where status = 'valid'
),

entries as (
    select
        event_id,
        count(distinct ticket_id) as arrived,
        min(scanned_at) as first_entry_at,
        max(scanned_at) as last_entry_at
    from {{ ref('stg_check_ins') }}
    where counts and kind = 'entry' and ticket_id in (select ticket_id from valid)
    group by event_id
)

select
    tickets.organizer_id,
    tickets.event_id,
    tickets.tickets,
    tickets.blocked,
    coalesce(entries.arrived, 0) as arrived,
    tickets.tickets - coalesce(entries.arrived, 0) as absent,
    entries.first_entry_at,
    entries.last_entry_at
from tickets
left join entries on tickets.event_id = entries.event_id
