-- Money: charged, refunded, fees and what is left, by month (the platform). A refund gives its part of the fee back.
-- metrics
{ "metrics": ["charged", "refunded", "platform_fees", "net_revenue"], "grain": "month" }
-- duckdb
with movements as (
    select event_id, currency, occurred_at, amount_minor as charged, platform_fee_minor as fee, 0 as refunded
    from payment_changes where change_type = 'payment.succeeded'
    union all
    select refund.event_id, refund.currency, refund.occurred_at, 0,
        -(payment.platform_fee_minor * refund.amount_minor // payment.amount_minor), refund.amount_minor
    from refund_changes as refund inner join payment_changes as payment on refund.payment_id = payment.payment_id
    where refund.change_type = 'refund.succeeded' and payment.change_type = 'payment.succeeded'
)
select cast(date_trunc('month', timezone(timezone, occurred_at)) as date) as at, currency,
    sum(charged), sum(refunded), sum(fee), sum(charged - refunded - fee)
from movements inner join events using (event_id)
group by 1, 2
-- chdb
with movements as (
    select event_id, currency, occurred_at, amount_minor as charged, platform_fee_minor as fee, 0 as refunded
    from payment_changes where change_type = 'payment.succeeded'
    union all
    select refund.event_id, refund.currency, refund.occurred_at, 0,
        -intDiv(payment.platform_fee_minor * refund.amount_minor, payment.amount_minor), refund.amount_minor
    from refund_changes as refund inner join payment_changes as payment on refund.payment_id = payment.payment_id
    where refund.change_type = 'refund.succeeded' and payment.change_type = 'payment.succeeded'
)
select toStartOfMonth(local_date(occurred_at, timezone)) as at, currency,
    sum(charged), sum(refunded), sum(fee), sum(charged - refunded - fee)
from movements inner join events using (event_id)
group by 1, 2
