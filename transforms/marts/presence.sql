with tickets as (
    select
        organizer_id,
        event_id,
        check_in_list_id,
        ticket_id,
        max(scanned_at) filter (where kind = 'entry') as entered_at,
        max(scanned_at) filter (where kind = 'exit') as left_at
    from {{ ref('stg_check_ins') }}
    where counts
    group by organizer_id, event_id, check_in_list_id, ticket_id
),

last_scans as (
    select
        tickets.organizer_id,
        tickets.event_id,
        tickets.check_in_list_id,
        -- Of two scans at the same moment the exit is the later one, as at the doors.
        tickets.entered_at is not null
        and (tickets.left_at is null or tickets.entered_at > tickets.left_at)
        and (lists.emptied_at is null or tickets.entered_at > lists.emptied_at) as is_inside
    from tickets
    left join {{ ref('stg_check_in_lists') }} as lists
        on tickets.event_id = lists.event_id and tickets.check_in_list_id = lists.check_in_list_id
)

select
    organizer_id,
    event_id,
    check_in_list_id,
    count(*) filter (where is_inside) as inside
from last_scans
group by organizer_id, event_id, check_in_list_id
