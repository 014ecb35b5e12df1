with movements as (
    select organizer_id, event_id, currency, changed_at, amount_minor as charged_minor,
        platform_fee_minor, 0 as refunded_minor, 0 as pending_refund_minor, 0 as disputed_minor
    from {{ ref('stg_payments') }}
    where status in ('succeeded', 'unapplied')
    union all
    select organizer_id, event_id, currency, changed_at, 0, 0,
        case status when 'succeeded' then amount_minor else 0 end,
        case status when 'pending' then amount_minor else 0 end,
        0
    from {{ ref('stg_refunds') }}
    where status in ('succeeded', 'pending')
    union all
    select organizer_id, event_id, currency, changed_at, 0, 0, 0, 0, amount_minor
    from {{ ref('stg_disputes') }}
    where status in ('open', 'lost')
),

events as (
    select event_id, timezone from {{ ref('stg_events') }}
),

local_movements as (
    select
        movements.*,
        cast(local_time(movements.changed_at, coalesce(events.timezone, 'UTC')) as date) as moved_on
    from movements
    left join events on movements.event_id = events.event_id
)

select
    organizer_id,
    event_id,
    currency,
    moved_on,
    sum(charged_minor) as charged_minor,
    sum(refunded_minor) as refunded_minor,
    sum(pending_refund_minor) as pending_refund_minor,
    sum(disputed_minor) as disputed_minor,
    sum(platform_fee_minor) as platform_fee_minor,
    sum(charged_minor - refunded_minor - disputed_minor - platform_fee_minor) as net_minor
from local_movements
group by organizer_id, event_id, currency, moved_on
