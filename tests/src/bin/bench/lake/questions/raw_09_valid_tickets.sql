-- Of the newest state of every ticket: how many are valid, by organizer.
-- bilten
select organizer_id, count(*) as tickets, sum(price_minor) as minor
from tickets where status = 'valid' group by organizer_id
-- duckdb
select organizer_id, count(*), sum(price_minor) from (
    select organizer_id, arg_max(status, entity_version) as status, arg_max(price_minor, entity_version) as price_minor
    from ticket_changes group by organizer_id, ticket_id
) where status = 'valid' group by 1
-- chdb
select organizer_id, count(*), sum(price_minor) from (
    select organizer_id, argMax(status, entity_version) as newest, argMax(price_minor, entity_version) as price_minor
    from ticket_changes group by organizer_id, ticket_id
) where newest = 'valid' group by 1
