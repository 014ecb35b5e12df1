-- By the event everywhere: what touches some events then reads no other's money.
with payments as (
    select * from {{ ref('stg_payments') }} where status = 'succeeded' and amount_minor > 0
),

refunds as (
    select
        refunds.*,
        payments.provider,
        payments.amount_minor as paid_minor,
        payments.platform_fee_minor as fee_minor,
        sum(refunds.amount_minor) over (
            partition by refunds.event_id, refunds.payment_id order by refunds.requested_at, refunds.refund_id
        ) as so_far_minor
    from {{ ref('stg_refunds') }} as refunds
    inner join payments on refunds.event_id = payments.event_id and refunds.payment_id = payments.payment_id
    where refunds.status in ('pending', 'succeeded')
),

-- The platform gives its fee back in the same proportion, rounded for the sum: a full refund is the whole fee.
refunds_and_fees as (
    select
        *,
        share(fee_minor, so_far_minor, paid_minor)
            - share(fee_minor, so_far_minor - amount_minor, paid_minor) as fee_back_minor
    from refunds
),

disputes as (
    select disputes.*
    from {{ ref('stg_disputes') }} as disputes
    inner join payments on disputes.event_id = payments.event_id and disputes.payment_id = payments.payment_id
    where disputes.status in ('open', 'lost')
),

movements as (
    select organizer_id, event_id, currency, changed_at as moved_at, amount_minor as charged_minor, 0 as refunded_minor,
        0 as pending_refund_minor, 0 as disputed_minor, 0 as open_dispute_minor, platform_fee_minor,
        case provider when 'till' then amount_minor else 0 end as cash_minor
    from payments
    union all
    select organizer_id, event_id, currency, requested_at, 0, amount_minor,
        case status when 'pending' then amount_minor else 0 end, 0, 0, -fee_back_minor,
        case when provider = 'till' and status = 'succeeded' then -amount_minor else 0 end
    from refunds_and_fees
    union all
    select organizer_id, event_id, currency, changed_at, 0, 0, 0,
        case status when 'lost' then amount_minor else 0 end,
        case status when 'open' then amount_minor else 0 end, 0, 0
    from disputes
),

events as (
    select event_id, timezone from {{ ref('stg_events') }}
),

local_movements as (
    select
        movements.*,
        cast(local_time(movements.moved_at, coalesce(events.timezone, 'UTC')) as date) as moved_on
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
    sum(open_dispute_minor) as open_dispute_minor,
    sum(platform_fee_minor) as platform_fee_minor,
    sum(cash_minor) as cash_minor,
    sum(charged_minor - refunded_minor - disputed_minor - platform_fee_minor) as net_minor
from local_movements
group by organizer_id, event_id, currency, moved_on
