with sold as (
    select
        organizer_id,
        currency,
        count(distinct event_id) as events,
        sum(sold_tickets) as sold,
        sum(cancelled_tickets) / nullif(cast(sum(sold_tickets) as double), 0) as cancellation_rate,
        sum(sold_minor) / nullif(cast(sum(sold_tickets) as double), 0) as ticket_minor,
        sum(sold_tickets) / nullif(cast(count(distinct event_id) as double), 0) as tickets_an_event,
        sum(discount_minor) / nullif(cast(sum(gross_minor) as double), 0) as discount_rate
    from {{ ref('sales') }}
    group by organizer_id, currency
),

figures as (
    select organizer_id, currency, 'tickets_an_event' as figure, tickets_an_event as value from sold
    union all
    select organizer_id, currency, 'ticket_minor', ticket_minor from sold
    union all
    select organizer_id, currency, 'cancellation_rate', cancellation_rate from sold
    union all
    select organizer_id, currency, 'discount_rate', discount_rate from sold
),

known as (
    select * from figures
    where value is not null
),

platform as (
    select
        currency,
        figure,
        count(*) as organizers,
        median(value) as platform_median
    from known
    group by currency, figure
    having count(*) >= 5
)

select
    known.organizer_id,
    known.currency,
    known.figure,
    known.value,
    platform.organizers,
    platform.platform_median,
    known.value / nullif(platform.platform_median, 0) as against_median
from known
left join platform on known.currency = platform.currency and known.figure = platform.figure
