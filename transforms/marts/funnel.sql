with looked as (
    select
        organizer_id,
        event_id,
        sum(viewed) as viewed,
        sum(held) as held,
        sum(checked_out) as checked_out,
        sum(seconds_to_hold) / nullif(cast(sum(timed_holds) as double), 0) as seconds_to_hold,
        sum(seconds_to_checkout) / nullif(cast(sum(timed_checkouts) as double), 0) as seconds_to_checkout
    from {{ ref('interest_by_day') }}
    group by organizer_id, event_id
),

ordered as (
    select
        organizer_id,
        event_id,
        sum(placed) as placed,
        sum(paid) as paid,
        sum(seconds_to_payment) / nullif(cast(sum(timed_payments) as double), 0) as seconds_to_payment
    from {{ ref('order_flow_by_day') }}
    where channel = 'online'
    group by organizer_id, event_id
)

select
    coalesce(looked.organizer_id, ordered.organizer_id) as organizer_id,
    coalesce(looked.event_id, ordered.event_id) as event_id,
    coalesce(viewed, 0) as viewed,
    coalesce(held, 0) as held,
    coalesce(checked_out, 0) as checked_out,
    coalesce(placed, 0) as placed,
    coalesce(paid, 0) as paid,
    1 - held / nullif(cast(viewed as double), 0) as lost_before_hold,
    1 - checked_out / nullif(cast(held as double), 0) as lost_before_checkout,
    1 - paid / nullif(cast(placed as double), 0) as lost_before_payment,
    seconds_to_hold,
    seconds_to_checkout,
    seconds_to_payment
from looked
full join ordered on looked.organizer_id = ordered.organizer_id and looked.event_id = ordered.event_id
