with sold as (
    select
        event_id,
        currency,
        sum(quantity) as tickets,
        sum(total_minor) as sales_minor
    from orders
    where paid_at > now() - interval '24 hours' and status = 'paid'
    group by event_id, currency
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
