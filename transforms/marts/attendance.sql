with unapproved as (
    select event_id, order_id
    from {{ ref('stg_orders') }}
    where status = 'pending' and awaits_approval
),

entries as (
    select
        event_id,
        ticket_id,
        min(scanned_at) as first_at,
        max(scanned_at) as last_at
    from {{ ref('stg_check_ins') }}
    where counts and kind = 'entry'
    group by event_id, ticket_id
),

issued as (
    select
        tickets.organizer_id,
        tickets.event_id,
        tickets.status = 'valid' and tickets.blocked as is_blocked,
        -- Who is to pay at the door is expected too; the doors refuse all others.
        tickets.status = 'valid' and not tickets.blocked and unapproved.order_id is null as is_expected,
        entries.first_at,
        entries.last_at
    from {{ ref('stg_tickets') }} as tickets
    -- By the event too: a part of all events then reads no other's orders and scans.
    left join unapproved on tickets.event_id = unapproved.event_id and tickets.order_id = unapproved.order_id
    left join entries on tickets.event_id = entries.event_id and tickets.ticket_id = entries.ticket_id
)

select
    organizer_id,
    event_id,
    count(*) filter (where is_expected) as tickets,
    count(*) filter (where is_blocked) as blocked,
    count(first_at) filter (where is_expected) as arrived,
    count(*) filter (where is_expected and first_at is null) as absent,
    min(first_at) filter (where is_expected) as first_entry_at,
    max(last_at) filter (where is_expected) as last_entry_at
from issued
group by organizer_id, event_id
