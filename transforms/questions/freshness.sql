with recent as (
    select (cast(_ingested_at as bigint) - cast(recorded_at as bigint)) / 1000.0 as latency_ms
    from order_changes
    where recorded_at > now() - interval '5 minutes'
)

select
    count(*) as changes,
    approx_percentile_cont(latency_ms, 0.5) as p50_ms,
    approx_percentile_cont(latency_ms, 0.99) as p99_ms,
    max(latency_ms) as max_ms
from recent
