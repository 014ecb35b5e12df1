-- What DuckDB knows of the lake besides its tables.
create view events as
select event_id, arg_max(title, entity_version) as title, arg_max(timezone, entity_version) as timezone
from event_changes group by event_id;
create view ticket_types as
select ticket_type_id, arg_max(name, entity_version) as name from ticket_type_changes group by ticket_type_id;
create view orders as
select newest.* from (
    select arg_max({
        order_id: order_id, organizer_id: organizer_id, event_id: event_id, person_id: person_id, status: status,
        currency: currency, total_minor: total_minor, refunded_minor: refunded_minor, quantity: quantity,
        placed_at: placed_at
    }, entity_version) as newest
    from order_changes group by order_id
);
create view sales as
select
    organizer_id, event_id, currency, coalesce(split_part(source, ':', 1), 'online') as channel, lines,
    case change_type when 'order.paid' then 1 else -1 end as sign, total_minor, quantity,
    case change_type when 'order.paid' then paid_at else cancelled_at end as sold_at
from order_changes
where change_type = 'order.paid' or (change_type = 'order.cancelled' and paid_at is not null);
