with orders as (
    select organizer_id, person_id, order_id, date_trunc('month', placed_at) as ordered_in
    from {{ ref('stg_orders') }}
    where status = 'paid'
),

firsts as (
    select person_id, min(ordered_in) as cohort_at
    from orders
    group by person_id
)

select
    orders.organizer_id,
    orders.person_id,
    cast(firsts.cohort_at as date) as cohort_month,
    cast(
        12 * (date_part('year', orders.ordered_in) - date_part('year', firsts.cohort_at))
        + date_part('month', orders.ordered_in) - date_part('month', firsts.cohort_at) as bigint
    ) as months_later,
    count(orders.order_id) as orders
from orders
inner join firsts on orders.person_id = firsts.person_id
group by orders.organizer_id, orders.person_id, orders.ordered_in, firsts.cohort_at
