with months as (
    select * from {{ ref('int_person_months') }}
),

sizes as (
    select organizer_id, cohort_month, count(*) as cohort_people
    from months
    where months_later = 0
    group by organizer_id, cohort_month
)

select
    months.organizer_id,
    months.cohort_month,
    months.months_later,
    sizes.cohort_people,
    count(*) as people,
    sum(months.orders) as orders,
    count(*) / cast(sizes.cohort_people as double) as retention
from months
inner join sizes on months.organizer_id = sizes.organizer_id and months.cohort_month = sizes.cohort_month
group by months.organizer_id, months.cohort_month, months.months_later, sizes.cohort_people
