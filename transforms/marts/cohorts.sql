with orders as (
    select organizer_id, person_id, order_id, date_trunc('month', placed_at) as ordered_in
    from {{ ref('stg_orders') }}
    where status = 'paid'
),

firsts as (
    select organizer_id, person_id, min(ordered_in) as cohort_at
    from orders
    group by organizer_id, person_id
),

months as (
    select
        firsts.organizer_id,
        firsts.cohort_at,
        orders.person_id,
        orders.order_id,
        cast(
            12 * (date_part('year', orders.ordered_in) - date_part('year', firsts.cohort_at))
            + date_part('month', orders.ordered_in) - date_part('month', firsts.cohort_at) as bigint
        ) as months_later
    from orders
    inner join firsts on orders.organizer_id = firsts.organizer_id and orders.person_id = firsts.person_id
),

sizes as (
    select organizer_id, cohort_at, count(*) as cohort_people
    from firsts
    group by organizer_id, cohort_at
)

select
    months.organizer_id,
    cast(months.cohort_at as date) as cohort_month,
    months.months_later,
    sizes.cohort_people,
    count(distinct months.person_id) as people,
    count(months.order_id) as orders,
    count(distinct months.person_id) / cast(sizes.cohort_people as double) as retention
from months
inner join sizes on months.organizer_id = sizes.organizer_id and months.cohort_at = sizes.cohort_at
group by months.organizer_id, months.cohort_at, months.months_later, sizes.cohort_people
