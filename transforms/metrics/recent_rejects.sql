select *
from rejects
order by _ingested_at desc
limit 20
