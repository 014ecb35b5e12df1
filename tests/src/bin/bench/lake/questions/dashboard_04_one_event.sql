-- One event: each day by ticket type and phase (one organizer).
-- metrics
{ "metrics": ["tickets_sold", "average_ticket"], "dimensions": ["ticket_type", "phase"], "grain": "day", "filters": [{ "dimension": "event_id", "in": ["{event}"] }] }
-- organizer

-- duckdb
with lines as (
    select event_id, currency, sign, sold_at, unnest(lines) as line from sales where event_id = '{event}'
)
select cast(timezone(timezone, sold_at) as date) as at, name, line.phase, currency, sum(sign * line.quantity),
    sum(case when sign = 1 then line.unit_minor * line.quantity - line.discount_minor + line.fee_minor + line.tax_minor end)
        / sum(case when sign = 1 then line.quantity end)
from lines
inner join events using (event_id)
left join ticket_types on ticket_types.ticket_type_id = line.ticket_type_id
group by 1, 2, 3, 4
-- chdb
with lines as (
    select event_id, currency, sign, sold_at, arrayJoin(lines) as line, line.ticket_type_id as ticket_type_id
    from sales where event_id = '{event}'
)
select local_date(sold_at, timezone) as at, name, line.phase, currency, sum(sign * line.quantity),
    if(countIf(sign = 1) = 0, null,
        sumIf(line.unit_minor * line.quantity - line.discount_minor + line.fee_minor + line.tax_minor, sign = 1)
        / sumIf(line.quantity, sign = 1))
from lines
inner join events using (event_id)
left join ticket_types using (ticket_type_id)
group by 1, 2, 3, 4
