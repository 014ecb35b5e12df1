-- By the event too: a part of all events then reads no other's refunds.
with requests as (
    select event_id, refund_id, min(occurred_at) as requested_at
    from {{ source('lake', 'refund_changes') }}
    group by event_id, refund_id
)

select
    refunds.organizer_id,
    refunds.refund_id,
    refunds.payment_id,
    refunds.order_id,
    refunds.event_id,
    refunds.status,
    refunds.reason,
    refunds.amount_minor,
    refunds.currency,
    requests.requested_at,
    refunds.occurred_at as changed_at
from {{ source('lake', 'refunds') }} as refunds
inner join requests on refunds.event_id = requests.event_id and refunds.refund_id = requests.refund_id
