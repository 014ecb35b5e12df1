-- Audience: who came back in later months, by the month of the first order (one organizer).
-- organizer

-- bilten
select cast(cohort_month as varchar), months_later, cohort_people, people, orders from marts.cohorts
where people > 0
-- duckdb
with paid as (
    select person_id, order_id, date_trunc('month', timezone('UTC', placed_at)) as month
    from orders where organizer_id = '{organizer}' and status = 'paid'
),
firsts as (select person_id, min(month) as cohort from paid group by 1),
sizes as (select cohort, count(*) as size from firsts group by 1)
select strftime(cohort, '%Y-%m-%d'), date_diff('month', cohort, month) as later, any_value(size), count(distinct person_id), count(*)
from paid inner join firsts using (person_id) inner join sizes using (cohort)
group by cohort, later
-- chdb
with paid as (
    select assumeNotNull(person_id) as person, toStartOfMonth(toDate(placed_at, 'UTC')) as month
    from orders where organizer_id = '{organizer}' and status = 'paid'
),
firsts as (select person, min(month) as cohort from paid group by 1),
sizes as (select cohort, count(*) as size from firsts group by 1)
select toString(cohort), dateDiff('month', cohort, month) as later, any(size), uniqExact(person), count(*)
from paid inner join firsts using (person) inner join sizes using (cohort)
group by cohort, later
