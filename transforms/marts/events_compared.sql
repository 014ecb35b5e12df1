with days as (
    select
        organizer_id,
        event_id,
        title,
        currency,
        days_to_event,
        sum(net_tickets) as tickets,
        sum(net_minor) as sales_minor
    from {{ ref('sales_by_day') }}
    group by organizer_id, event_id, title, currency, days_to_event
)

select
    organizer_id,
    event_id,
    title,
    currency,
    days_to_event,
    tickets,
    sales_minor,
    sum(tickets) over (partition by event_id, currency order by days_to_event desc) as tickets_so_far,
    sum(sales_minor) over (partition by event_id, currency order by days_to_event desc) as sales_so_far_minor
from days
