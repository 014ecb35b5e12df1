with changes as (
    select
        seq,
        organizer_id,
        event_id,
        promo_code_id,
        currency,
        coalesce(split_part(source, ':', 1), 'online') as channel,
        change_type = 'order.paid' as is_sale,
        date_trunc('minute', case change_type when 'order.paid' then paid_at else cancelled_at end) as minute_at,
        unnest(lines) as line
    from {{ source('lake', 'order_changes') }}
    where change_type = 'order.paid' or (change_type = 'order.cancelled' and paid_at is not null)
),

lines as (
    select
        seq,
        organizer_id,
        event_id,
        line['ticket_type_id'] as ticket_type_id,
        line['phase'] as phase,
        promo_code_id,
        channel,
        currency,
        minute_at,
        is_sale,
        line['quantity'] as tickets,
        line['unit_minor'] * line['quantity'] as gross_minor,
        line['discount_minor'] as discount_minor,
        line['fee_minor'] as fee_minor,
        line['tax_minor'] as tax_minor
    from changes
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
    case when is_sale then tickets else 0 end as sold_tickets,
    case when is_sale then gross_minor else 0 end as gross_minor,
    case when is_sale then discount_minor else 0 end as discount_minor,
    case when is_sale then fee_minor else 0 end as fee_minor,
    case when is_sale then tax_minor else 0 end as tax_minor,
    case when is_sale then gross_minor - discount_minor + fee_minor + tax_minor else 0 end as sold_minor,
    case when is_sale then 0 else tickets end as cancelled_tickets,
    case when is_sale then 0 else gross_minor - discount_minor + fee_minor + tax_minor end as cancelled_minor
from lines
