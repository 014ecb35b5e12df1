with sales as (
    select * from {{ ref('sales') }}
),

events as (
    select event_id, title, timezone, starts_on from {{ ref('stg_events') }}
),

local_sales as (
    select
        sales.*,
        events.title,
        events.starts_on,
        cast(local_time(sales.minute_at, events.timezone) as date) as sold_on
    from sales
    inner join events on sales.event_id = events.event_id
)

select
    organizer_id,
    event_id,
    title,
    ticket_type_id,
    phase,
    promo_code_id,
    channel,
    currency,
    sold_on,
    cast(starts_on - sold_on as bigint) as days_to_event,
    sum(sold_tickets) as sold_tickets,
    sum(cancelled_tickets) as cancelled_tickets,
    sum(sold_tickets - cancelled_tickets) as net_tickets,
    sum(gross_minor) as gross_minor,
    sum(discount_minor) as discount_minor,
    sum(fee_minor) as fee_minor,
    sum(tax_minor) as tax_minor,
    sum(sold_minor) as sold_minor,
    sum(cancelled_minor) as cancelled_minor,
    sum(sold_minor - cancelled_minor) as net_minor
from local_sales
group by
    organizer_id, event_id, title, ticket_type_id, phase, promo_code_id, channel, currency, sold_on, starts_on
