-- What one person did on the pages.
-- bilten
select kind, count(*) as seen, count(distinct session_id) as sessions
from interactions where person_id = '{person}' group by kind
-- duckdb
select kind, count(*) as seen, count(distinct session_id) as sessions
from interactions where person_id = '{person}' group by kind
-- chdb
select kind, count(*) as seen, uniqExact(session_id) as sessions
from interactions where person_id = '{person}' group by kind
