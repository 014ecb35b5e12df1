select
    organizer_id,
    check_in_id,
    check_in_list_id,
    event_id,
    ticket_id,
    kind,
    accepted,
    reason,
    forced,
    gate,
    device_id,
    scanned_at,
    received_at,
    conflicts_with is not null as is_conflict,
    annulled_at is not null as is_annulled,
    accepted and annulled_at is null as counts
from {{ source('lake', 'check_ins') }}
