-- Tickets sold by hour of the day and phase, from the lines of paid orders.
-- bilten
with lines as (
    select date_part('hour', paid_at) as hour, unnest(lines) as line from order_changes where change_type = 'order.paid'
)
select hour, line['phase'] as phase, sum(line['quantity']) as tickets from lines group by 1, 2
-- duckdb
with lines as (
    select hour(timezone('UTC', paid_at)) as hour, unnest(lines) as line from order_changes where change_type = 'order.paid'
)
select hour, line.phase, sum(line.quantity) from lines group by 1, 2
-- chdb
with lines as (
    select toHour(paid_at, 'UTC') as hour, arrayJoin(lines) as line from order_changes where change_type = 'order.paid'
)
select hour, line.phase, sum(line.quantity) from lines group by 1, 2
