with facts as (
    select * from {{ ref('int_sale_facts') }}
)

select
    organizer_id,
    event_id,
    ticket_type_id,
    phase,
    promo_code_id,
    channel,
    currency,
    minute_at,
    sum(sold_tickets) as sold_tickets,
    sum(gross_minor) as gross_minor,
    sum(discount_minor) as discount_minor,
    sum(fee_minor) as fee_minor,
    sum(tax_minor) as tax_minor,
    sum(sold_minor) as sold_minor,
    sum(cancelled_tickets) as cancelled_tickets,
    sum(cancelled_minor) as cancelled_minor
from facts
group by organizer_id, event_id, ticket_type_id, phase, promo_code_id, channel, currency, minute_at
