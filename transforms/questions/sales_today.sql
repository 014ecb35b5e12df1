with today as (
    select currency, status, quantity, total_minor
    from orders
    where paid_at >= date_trunc('day', now())
)

select
    currency,
    count(*) as orders,
    sum(quantity) as tickets,
    sum(total_minor) as sales_minor,
    count(*) filter (where status = 'cancelled') as cancelled_orders,
    coalesce(sum(total_minor) filter (where status = 'cancelled'), 0) as cancelled_minor
from today
group by currency
order by orders desc, currency
