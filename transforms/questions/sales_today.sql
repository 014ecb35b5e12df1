with changes as (
    select currency, change_type, quantity, total_minor, taken_back
    from order_changes
    where
        paid_at >= date_trunc('day', now())
        and change_type in ('order.paid', 'order.reduced', 'order.cancelled')
),

sold as (
    select
        currency,
        count(*) filter (where change_type = 'order.paid') as orders,
        sum(case when change_type = 'order.paid' then quantity end) as tickets,
        sum(case when change_type = 'order.paid' then total_minor end) as sales_minor,
        count(*) filter (where change_type = 'order.cancelled') as cancelled_orders
    from changes
    group by currency
),

lines as (
    select currency, unnest(taken_back) as taken
    from changes
    where change_type <> 'order.paid'
),

cancelled as (
    select
        currency,
        sum(taken['quantity']) as tickets,
        sum(taken['amount_minor']) as minor
    from lines
    group by currency
)

select
    sold.currency,
    sold.orders,
    sold.tickets,
    sold.sales_minor,
    sold.cancelled_orders,
    coalesce(cancelled.tickets, 0) as cancelled_tickets,
    coalesce(cancelled.minor, 0) as cancelled_minor
from sold
left join cancelled on sold.currency = cancelled.currency
order by sold.orders desc, sold.currency
