select
    check_ins.scanned_at,
    check_in_lists.name as check_in_list,
    check_ins.gate,
    check_ins.kind,
    check_ins.accepted,
    check_ins.reason,
    check_ins.forced,
    check_ins.annulled_at,
    orders.code as order_code,
    ticket_types.name as ticket_type,
    -- personal: people.name as attendee_name, people.email as attendee_email,
    check_ins.received_at,
    check_ins.check_in_id,
    check_ins.ticket_id
from check_ins
left join check_in_lists on check_ins.check_in_list_id = check_in_lists.check_in_list_id
left join tickets on check_ins.ticket_id = tickets.ticket_id
left join orders on tickets.order_id = orders.order_id
left join ticket_types on tickets.ticket_type_id = ticket_types.ticket_type_id
-- personal: left join people on tickets.person_id = people.person_id
where check_ins.event_id = $event_id
order by check_ins.scanned_at, check_ins.check_in_id
