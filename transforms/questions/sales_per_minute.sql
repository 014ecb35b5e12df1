with recent as (
    select date_trunc('minute', paid_at) as minute_at, currency, quantity, total_minor
    from orders
    where paid_at > now() - interval '60 minutes'
)

select
    minute_at,
    currency,
    count(*) as orders,
    sum(quantity) as tickets,
    sum(total_minor) as sales_minor
from recent
group by minute_at, currency
order by minute_at, currency
