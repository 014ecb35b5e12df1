with orders as (
    select
        seq,
        organizer_id,
        event_id,
        promo_code_id,
        currency,
        coalesce(split_part(source, ':', 1), 'online') as channel,
        date_trunc('minute', case change_type when 'order.paid' then paid_at else occurred_at end) as minute_at,
        change_type = 'order.paid' as is_sale,
        -- Before changes said what they take back, only whole orders could be counted.
        case when change_type = 'order.paid' or taken_back is null then lines end as whole_lines,
        case when change_type <> 'order.paid' then taken_back end as taken_back
    from {{ source('lake', 'order_changes') }}
    where paid_at is not null and change_type in ('order.paid', 'order.reduced', 'order.cancelled')
),

each_line as (
    select *, unnest(whole_lines) as line, unnest(taken_back) as taken
    from orders
),

facts as (
    select
        seq,
        organizer_id,
        event_id,
        promo_code_id,
        channel,
        currency,
        minute_at,
        is_sale,
        coalesce(line['ticket_type_id'], taken['ticket_type_id']) as ticket_type_id,
        coalesce(line['phase'], taken['phase']) as phase,
        coalesce(line['quantity'], taken['quantity']) as tickets,
        line['unit_minor'] * line['quantity'] as gross_minor,
        line['discount_minor'] as discount_minor,
        line['fee_minor'] as fee_minor,
        line['tax_minor'] as tax_minor,
        coalesce(
            taken['amount_minor'],
            line['unit_minor'] * line['quantity'] - line['discount_minor'] + line['fee_minor'] + line['tax_minor']
        ) as minor
    from each_line
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
    case when is_sale then minor else 0 end as sold_minor,
    case when is_sale then 0 else tickets end as cancelled_tickets,
    case when is_sale then 0 else minor end as cancelled_minor
from facts
where ticket_type_id is not null
