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
    select event_id, ticket_id from {{ ref('stg_tickets') }}
    where status = 'valid'
),

entries as (
    select
        check_ins.event_id,
        count(distinct check_ins.ticket_id) as arrived,
        min(check_ins.scanned_at) as first_entry_at,
        max(check_ins.scanned_at) as last_entry_at
    from {{ ref('stg_check_ins') }} as check_ins
    -- By the event too: a part of all events then reads no other's tickets.
    inner join valid on check_ins.event_id = valid.event_id and check_ins.ticket_id = valid.ticket_id
    where check_ins.counts and check_ins.kind = 'entry'
    group by check_ins.event_id
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
