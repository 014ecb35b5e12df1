select
    orders.code,
    orders.status,
    orders.quantity,
    orders.total_minor,
    orders.currency,
    promo_codes.code as promo_code,
    -- personal: people.name as buyer_name, people.email as buyer_email, people.phone as buyer_phone,
    orders.placed_at,
    orders.paid_at,
    orders.cancelled_at,
    orders.order_id,
    orders.person_id
from orders
left join promo_codes on orders.promo_code_id = promo_codes.promo_code_id
-- personal: left join people on orders.person_id = people.person_id
where orders.event_id = $event_id
order by orders.placed_at, orders.order_id
