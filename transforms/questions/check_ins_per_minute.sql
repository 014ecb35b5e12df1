with recent as (
    select date_trunc('minute', scanned_at) as minute_at, kind, accepted, annulled_at
    from check_ins
    where scanned_at > now() - interval '60 minutes'
)

select
    minute_at,
    count(*) filter (where accepted and annulled_at is null and kind = 'entry') as entries,
    count(*) filter (where accepted and annulled_at is null and kind = 'exit') as exits,
    count(*) filter (where not accepted) as refused
from recent
group by minute_at
order by minute_at
