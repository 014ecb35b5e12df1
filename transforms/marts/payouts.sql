with earned as (
    select organizer_id, currency, sum(net_minor) as net_minor, sum(cash_minor) as cash_minor
    from {{ ref('money') }}
    group by organizer_id, currency
),

paid_out as (
    select organizer_id, currency, sum(amount_minor) as paid_out_minor, max(paid_at) as last_paid_at
    from {{ ref('stg_payouts') }}
    group by organizer_id, currency
)

select
    coalesce(earned.organizer_id, paid_out.organizer_id) as organizer_id,
    coalesce(earned.currency, paid_out.currency) as currency,
    coalesce(net_minor, 0) as net_minor,
    coalesce(cash_minor, 0) as cash_minor,
    coalesce(paid_out_minor, 0) as paid_out_minor,
    coalesce(net_minor, 0) - coalesce(cash_minor, 0) - coalesce(paid_out_minor, 0) as owed_minor,
    last_paid_at
from earned
full join paid_out on earned.organizer_id = paid_out.organizer_id and earned.currency = paid_out.currency
