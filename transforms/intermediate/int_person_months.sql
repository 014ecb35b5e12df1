with orders as (
    select organizer_id, person_id, date_trunc('month', placed_at) as ordered_in
    from {{ ref('stg_orders') }}
    where status = 'paid'
),

months as (
    select organizer_id, person_id, ordered_in, count(*) as orders
    from orders
    group by organizer_id, person_id, ordered_in
),

cohorts as (
    select
        *,
        min(ordered_in) over (partition by organizer_id, person_id) as cohort_at
    from months
)

select
    organizer_id,
    person_id,
    cast(cohort_at as date) as cohort_month,
    cast(
        12 * (date_part('year', ordered_in) - date_part('year', cohort_at))
        + date_part('month', ordered_in) - date_part('month', cohort_at) as bigint
    ) as months_later,
    orders
from cohorts
