with entries as (
    select ticket_id, min(scanned_at) as first_entry_at
    from check_ins
    where event_id = $event_id and accepted and annulled_at is null and kind = 'entry'
    group by ticket_id
)

select
    orders.code as order_code,
    ticket_types.name as ticket_type,
    tickets.status,
    case when orders.awaits_approval then 'awaits approval' else orders.status end as order_status,
    tickets.price_minor,
    tickets.currency,
    -- personal: people.name as attendee_name, people.email as attendee_email, people.phone as attendee_phone,
    orders.placed_at,
    entries.first_entry_at,
    tickets.ticket_id,
    tickets.order_id,
    tickets.person_id
from tickets
left join orders on tickets.order_id = orders.order_id
left join ticket_types on tickets.ticket_type_id = ticket_types.ticket_type_id
left join entries on tickets.ticket_id = entries.ticket_id
-- personal: left join people on tickets.person_id = people.person_id
where tickets.event_id = $event_id
order by orders.placed_at, tickets.ticket_id
