with sold as (
    select
        organizer_id,
        currency,
        sum(sold_tickets) / nullif(cast(count(distinct event_id) as double), 0) as tickets_an_event,
        major_units(sum(sold_minor), currency) / nullif(sum(sold_tickets), 0) as average_ticket,
        sum(cancelled_tickets) / nullif(cast(sum(sold_tickets) as double), 0) as cancelled,
        sum(discount_minor) / nullif(cast(sum(gross_minor) as double), 0) as discounted
    from {{ ref('sales_by_day') }}
    group by organizer_id, currency
),

figures as (
    select
        organizer_id,
        currency,
        unnest(make_array(
            'Tickets an event', 'Average ticket', 'Part of tickets cancelled', 'Part of sales given as discounts'
        )) as figure,
        unnest(make_array(tickets_an_event, average_ticket, cancelled, discounted)) as value
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
