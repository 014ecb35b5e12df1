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

sized as (
    select
        *,
        sum(case when months_later = 0 then people else 0 end)
            over (partition by organizer_id, cohort_month) as cohort_people,
        lead(months_later) over (partition by organizer_id, cohort_month order by months_later) as next_later,
        max(first_month + months_later) over (partition by organizer_id) as newest_month,
        cast(12 * date_part('year', now()) + date_part('month', now()) as bigint) as this_month
    from months
),

-- The newest month is the one in which the organizer last sold anything, if it is over. Before, nobody knows what part
-- will come back in it; who is new in it is counted at once.
complete as (
    select
        *,
        greatest(least(newest_month, this_month - 1) - first_month, 0) as newest_later
    from sized
    where months_later = 0 or first_month + months_later < this_month
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
    complete.organizer_id,
    complete.cohort_month,
    complete.months_later + numbers.number as months_later,
    complete.cohort_people,
    case when numbers.number = 0 then complete.people else 0 end as people,
    case when numbers.number = 0 then complete.orders else 0 end as orders,
    case when numbers.number = 0 then complete.people else 0 end / cast(complete.cohort_people as double) as retention
from complete
inner join numbers
    on complete.months_later + numbers.number < least(complete.next_later, complete.newest_later + 1)
