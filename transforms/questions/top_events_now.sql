with changes as (
    select event_id, currency, change_type, quantity, total_minor, taken_back
    from order_changes
    where
        paid_at > now() - interval '24 hours'
        and change_type in ('order.paid', 'order.reduced', 'order.cancelled')
),

lines as (
    select event_id, currency, unnest(taken_back) as taken
    from changes
    where change_type <> 'order.paid'
),

parts as (
    select event_id, currency, quantity as sold, total_minor as sold_minor, 0 as cancelled, 0 as cancelled_minor
    from changes
    where change_type = 'order.paid'
    union all
    select
        event_id,
        currency,
        0 as sold,
        0 as sold_minor,
        taken['quantity'] as cancelled,
        taken['amount_minor'] as cancelled_minor
    from lines
),

sold as (
    select
        event_id,
        currency,
        sum(sold - cancelled) as tickets,
        sum(sold_minor - cancelled_minor) as sales_minor
    from parts
    group by event_id, currency
    having sum(sold - cancelled) > 0
),

viewed as (
    select event_id, count(*) as views
    from interactions
    where kind = 'event_view' and occurred_at > now() - interval '60 minutes'
    group by event_id
)

select
    sold.event_id,
    events.title,
    events.starts_at,
    sold.tickets,
    sold.sales_minor,
    sold.currency,
    coalesce(viewed.views, 0) as views
from sold
inner join events on sold.event_id = events.event_id
left join viewed on sold.event_id = viewed.event_id
order by sold.tickets desc, sold.event_id
limit 10
