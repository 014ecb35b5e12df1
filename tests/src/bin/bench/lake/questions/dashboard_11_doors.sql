-- Doors: who came in by which gate, by the minute (one organizer).
-- metrics
{ "metrics": ["entries", "refused_scans"], "dimensions": ["gate"], "grain": "minute", "filters": [{ "dimension": "event_id", "in": ["{event}"] }] }
-- organizer

-- duckdb
select date_trunc('minute', timezone(timezone, scanned_at)) as at, gate,
    count(*) filter (where accepted and kind = 'entry'), count(*) filter (where not accepted)
from check_in_changes inner join events using (event_id)
where event_id = '{event}'
group by 1, 2
-- chdb
select formatDateTime(toStartOfMinute(toTimezone(assumeNotNull(scanned_at), '{timezone}')), '%Y-%m-%dT%H:%i:00') as at, gate,
    countIf(accepted and kind = 'entry'), countIf(not accepted)
from check_in_changes inner join events using (event_id)
where event_id = '{event}'
group by 1, 2
