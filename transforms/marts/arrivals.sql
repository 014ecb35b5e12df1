with check_ins as (
    select * from {{ ref('stg_check_ins') }}
)

select
    organizer_id,
    event_id,
    check_in_list_id,
    gate,
    date_trunc('minute', scanned_at) as minute_at,
    count(*) filter (where counts and kind = 'entry') as entries,
    count(*) filter (where counts and kind = 'exit') as exits,
    count(*) filter (where not accepted) as refused,
    count(*) filter (where is_annulled) as annulled,
    count(*) filter (where is_conflict) as conflicts
from check_ins
group by organizer_id, event_id, check_in_list_id, gate, date_trunc('minute', scanned_at)
