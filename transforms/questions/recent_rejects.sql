select
    table_name,
    organizer_id,
    seq,
    change_type,
    _topic,
    _partition,
    _offset,
    _ingested_at,
    _error
from rejects
order by _ingested_at desc, _topic, _partition, _offset
limit 20
