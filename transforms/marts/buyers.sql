with people as (
    select * from {{ ref('people') }}
)

select
    organizer_id,
    person_id,
    currency,
    orders,
    tickets,
    spend_minor,
    first_channel,
    first_source,
    first_order_at,
    last_order_at,
    case
        when orders = 1 then '1 order'
        when orders = 2 then '2 orders'
        when orders <= 4 then '3–4 orders'
        else '5 or more orders'
    end as frequency,
    case
        when last_order_at > now() - interval '30 days' then '0–1 months ago'
        when last_order_at > now() - interval '91 days' then '1–3 months ago'
        when last_order_at > now() - interval '182 days' then '3–6 months ago'
        when last_order_at > now() - interval '365 days' then '6–12 months ago'
        else 'over a year ago'
    end as recency
from people
