with events as (
    select organizer_id, event_id, currency
    from {{ ref('stg_events') }}
    where status = 'ended'
),

-- Those that nobody bought a ticket of are among them.
ended as (
    select organizer_id, currency, count(*) as events
    from events
    group by organizer_id, currency
),

sold as (
    select
        sales.organizer_id,
        sales.currency,
        sum(
            case when events.event_id is not null then sales.sold_tickets - sales.cancelled_tickets else 0 end
        ) as ended_tickets,
        major_units(sum(sales.sold_minor), sales.currency) / nullif(sum(sales.sold_tickets), 0) as average_ticket,
        sum(sales.cancelled_tickets) / nullif(cast(sum(sales.sold_tickets) as double), 0) as cancelled,
        sum(sales.discount_minor) / nullif(cast(sum(sales.gross_minor) as double), 0) as discounted
    from {{ ref('sales_by_day') }} as sales
    left join events on sales.event_id = events.event_id and sales.currency = events.currency
    group by sales.organizer_id, sales.currency
),

together as (
    select
        sold.organizer_id,
        sold.currency,
        sold.ended_tickets / cast(ended.events as double) as tickets_an_event,
        sold.average_ticket,
        sold.cancelled,
        sold.discounted
    from sold
    left join ended on sold.organizer_id = ended.organizer_id and sold.currency = ended.currency
),

figures as (
    select
        organizer_id,
        currency,
        unnest(make_array(
            'Tickets an event', 'Average ticket', 'Part of tickets cancelled', 'Part of sales given as discounts'
        )) as figure,
        unnest(make_array(tickets_an_event, average_ticket, cancelled, discounted)) as value
    from together
),

ranked as (
    select
        *,
        count(*) over (partition by currency, figure) as organizers,
        cast(row_number() over (partition by currency, figure order by value, organizer_id) as bigint) as place
    from figures
    where value is not null
),

-- Whoever is left out, the median of the others is made of the three values around the middle.
around as (
    select
        *,
        max(case when place = organizers / 2 then value end) over (partition by currency, figure) as low_value,
        max(case when place = organizers / 2 + 1 then value end) over (partition by currency, figure) as middle_value,
        max(case when place = organizers / 2 + 2 then value end) over (partition by currency, figure) as high_value
    from ranked
),

halves as (
    select
        *,
        organizers - 1 as others,
        case when place > organizers / 2 then low_value else middle_value end as lower_value,
        case
            when organizers % 2 = 0 and place > organizers / 2 then low_value
            when organizers % 2 = 0 or place > organizers / 2 + 1 then middle_value
            else high_value
        end as upper_value
    from around
),

medians as (
    select
        *,
        case when others >= 5 then (lower_value + upper_value) / 2 end as median_value
    from halves
),

-- To two digits, and how many they are in steps: exact ones would tell who joined, and with what.
compared as (
    select
        *,
        coalesce(
            round(median_value, cast(1 - floor(log10(abs(nullif(median_value, 0)))) as int)), median_value
        ) as platform_median
    from medians
)

select
    organizer_id,
    currency,
    figure,
    value,
    case
        when others >= 1000 then 1000
        when others >= 500 then 500
        when others >= 200 then 200
        when others >= 100 then 100
        when others >= 50 then 50
        when others >= 20 then 20
        when others >= 10 then 10
        when others >= 5 then 5
    end as organizers,
    platform_median,
    value / nullif(platform_median, 0) as against_median
from compared
