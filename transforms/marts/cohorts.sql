with months as (
    select organizer_id, cohort_month, months_later, count(*) as people, sum(orders) as orders
    from {{ ref('int_person_months') }}
    group by organizer_id, cohort_month, months_later
),

sized as (
    select
        *,
        sum(case when months_later = 0 then people else 0 end)
            over (partition by organizer_id, cohort_month) as cohort_people
    from months
)

select
    organizer_id,
    cohort_month,
    months_later,
    cohort_people,
    people,
    orders,
    people / cast(cohort_people as double) as retention
from sized
