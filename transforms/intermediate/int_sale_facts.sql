with orders as (
    select
        seq,
        change_type,
        organizer_id,
        event_id,
        promo_code_id,
        currency,
        coalesce(split_part(source, ':', 1), 'online') as channel,
        date_trunc('minute', case change_type when 'order.paid' then paid_at else occurred_at end) as minute_at,
        lines,
        taken_back
    from {{ source('lake', 'order_changes') }}
    where paid_at is not null and change_type in ('order.paid', 'order.reduced', 'order.cancelled')
),

sold as (
    select *, unnest(lines) as line
    from orders
    where change_type = 'order.paid'
),

-- Before changes said what they take back, only whole orders could be counted.
taken_whole as (
    select *, unnest(lines) as line
    from orders
    where change_type = 'order.cancelled' and taken_back is null
),

taken as (
    select *, unnest(taken_back) as line
    from orders
    where change_type <> 'order.paid'
),

facts as (
    select
        seq, organizer_id, event_id, promo_code_id, channel, currency, minute_at,
        line['ticket_type_id'] as ticket_type_id,
        line['phase'] as phase,
        line['quantity'] as sold_tickets,
        line['unit_minor'] * line['quantity'] as gross_minor,
        line['discount_minor'] as discount_minor,
        line['fee_minor'] as fee_minor,
        line['tax_minor'] as tax_minor,
        0 as cancelled_tickets,
        0 as cancelled_minor
    from sold
    union all
    select
        seq, organizer_id, event_id, promo_code_id, channel, currency, minute_at,
        line['ticket_type_id'], line['phase'], 0, 0, 0, 0, 0,
        line['quantity'],
        line['unit_minor'] * line['quantity'] - line['discount_minor'] + line['fee_minor'] + line['tax_minor']
    from taken_whole
    union all
    select
        seq, organizer_id, event_id, promo_code_id, channel, currency, minute_at,
        line['ticket_type_id'], line['phase'], 0, 0, 0, 0, 0,
        line['quantity'],
        line['amount_minor']
    from taken
)

select
    seq,
    organizer_id,
    event_id,
    ticket_type_id,
    phase,
    promo_code_id,
    channel,
    currency,
    minute_at,
    sold_tickets,
    gross_minor,
    discount_minor,
    fee_minor,
    tax_minor,
    gross_minor - discount_minor + fee_minor + tax_minor as sold_minor,
    cancelled_tickets,
    cancelled_minor
from facts
