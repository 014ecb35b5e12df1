with months as (
    select
        organizer_id,
        cohort_month,
        months_later,
        cast(12 * date_part('year', cohort_month) + date_part('month', cohort_month) as bigint) as first_month,
        count(*) as people,
        sum(orders) as orders
    from {{ ref('int_person_months') }}
    group by organizer_id, cohort_month, months_later
),

-- The newest month is the one in which the organizer last sold anything.
sized as (
    select
        *,
        sum(case when months_later = 0 then people else 0 end)
            over (partition by organizer_id, cohort_month) as cohort_people,
        lead(months_later) over (partition by organizer_id, cohort_month order by months_later) as next_later,
        max(first_month + months_later) over (partition by organizer_id) - first_month as newest_later
    from months
),

digits as (
    select * from (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as digits (digit)
),

numbers as (
    select 100 * hundreds.digit + 10 * tens.digit + ones.digit as number
    from digits as hundreds
    cross join digits as tens
    cross join digits as ones
)

-- Behind each month come those in which nobody came back, up to the next one or the newest.
select
    sized.organizer_id,
    sized.cohort_month,
    sized.months_later + numbers.number as months_later,
    sized.cohort_people,
    case when numbers.number = 0 then sized.people else 0 end as people,
    case when numbers.number = 0 then sized.orders else 0 end as orders,
    case when numbers.number = 0 then sized.people else 0 end / cast(sized.cohort_people as double) as retention
from sized
inner join numbers
    on sized.months_later + numbers.number < coalesce(sized.next_later, sized.newest_later + 1)
