-- What chDB knows of the lake besides its tables. Its time zones are constants.
create function local_date as (at, zone) -> multiIf(
    zone = 'Europe/Vienna', toDate(at, 'Europe/Vienna'), zone = 'Europe/Berlin', toDate(at, 'Europe/Berlin'),
    zone = 'America/New_York', toDate(at, 'America/New_York'), zone = 'Europe/London', toDate(at, 'Europe/London'),
    zone = 'America/Denver', toDate(at, 'America/Denver'), zone = 'Asia/Tokyo', toDate(at, 'Asia/Tokyo'),
    zone = 'Europe/Warsaw', toDate(at, 'Europe/Warsaw'), toDate(at, 'UTC'));
create view events as
select event_id, argMax(title, entity_version) as title, argMax(timezone, entity_version) as timezone
from event_changes group by event_id;
create view ticket_types as
select ticket_type_id, argMax(name, entity_version) as name from ticket_type_changes group by ticket_type_id;
create view orders as
select
    order_id, newest.1 as organizer_id, newest.2 as event_id, newest.3 as person_id, newest.4 as status,
    newest.5 as currency, newest.6 as total_minor, newest.7 as refunded_minor, newest.8 as quantity,
    newest.9 as placed_at
from (
    select order_id, argMax(tuple(
        organizer_id, event_id, person_id, status, currency, total_minor, refunded_minor, quantity, placed_at
    ), entity_version) as newest
    from order_changes group by order_id
);
create view sales as
select
    organizer_id, event_id, currency,
    if(source is null, 'online', splitByChar(':', assumeNotNull(source))[1]) as channel, lines,
    if(change_type = 'order.paid', 1, -1) as sign, total_minor, quantity,
    if(change_type = 'order.paid', paid_at, cancelled_at) as sold_at
from order_changes
where change_type = 'order.paid' or (change_type = 'order.cancelled' and paid_at is not null);
