with sold as (
    select
        organizer_id,
        currency,
        sum(sold_tickets) / nullif(cast(count(distinct event_id) as double), 0) as tickets_an_event,
        sum(sold_minor) / nullif(cast(sum(sold_tickets) as double), 0) as ticket_minor,
        sum(cancelled_tickets) / nullif(cast(sum(sold_tickets) as double), 0) as cancellation_rate,
        sum(discount_minor) / nullif(cast(sum(gross_minor) as double), 0) as discount_rate
    from {{ ref('sales_by_day') }}
    group by organizer_id, currency
),

figures as (
    select
        organizer_id,
        currency,
        unnest(make_array('tickets_an_event', 'ticket_minor', 'cancellation_rate', 'discount_rate')) as figure,
        unnest(make_array(tickets_an_event, ticket_minor, cancellation_rate, discount_rate)) as value
    from sold
),

compared as (
    select
        *,
        count(*) over (partition by currency, figure) as organizers,
        median(value) over (partition by currency, figure) as median_value
    from figures
    where value is not null
)

select
    organizer_id,
    currency,
    figure,
    value,
    case when organizers >= 5 then organizers end as organizers,
    case when organizers >= 5 then median_value end as platform_median,
    case when organizers >= 5 then value / nullif(median_value, 0) end as against_median
from compared
