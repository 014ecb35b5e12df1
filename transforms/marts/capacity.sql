with types as (
    select
        types.*,
        max(case when pools.capacity is null then 0 else 1 end)
            over (partition by types.event_id, types.ticket_type_id) as is_limited
    from {{ ref('stg_ticket_type_pools') }} as types
    inner join {{ ref('stg_pools') }} as pools on types.event_id = pools.event_id and types.pool_id = pools.pool_id
),

pools as (
    select
        pools.organizer_id,
        pools.event_id,
        pools.pool_id,
        pools.name as pool,
        pools.capacity,
        count(*) as types
    from {{ ref('stg_pools') }} as pools
    inner join types on pools.event_id = types.event_id and pools.pool_id = types.pool_id
    group by pools.organizer_id, pools.event_id, pools.pool_id, pools.name, pools.capacity
    -- No limit around what is limited anyway says nothing.
    having pools.capacity is not null or min(types.is_limited) = 0
),

tickets as (
    select event_id, ticket_type_id, count(*) as tickets
    from {{ ref('stg_tickets') }}
    where status = 'valid'
    group by event_id, ticket_type_id
),

sold as (
    select types.event_id, types.pool_id, sum(tickets.tickets) as tickets
    from tickets
    inner join types on tickets.event_id = types.event_id and tickets.ticket_type_id = types.ticket_type_id
    group by types.event_id, types.pool_id
),

shared as (
    select own.event_id, own.pool_id, other.pool_id as other_id, count(*) as types
    from types as own
    inner join types as other
        on own.event_id = other.event_id
        and own.ticket_type_id = other.ticket_type_id
        and own.pool_id <> other.pool_id
    group by own.event_id, own.pool_id, other.pool_id
),

-- All that takes from it takes from another one too: of two with the same types, the smaller one counts.
parts as (
    select distinct own.event_id, own.pool_id
    from shared
    inner join pools as own
        on shared.event_id = own.event_id and shared.pool_id = own.pool_id and shared.types = own.types
    inner join pools as other on shared.event_id = other.event_id and shared.other_id = other.pool_id
    where
        other.types > own.types
        or coalesce(other.capacity, 9223372036854775807) < coalesce(own.capacity, 9223372036854775807)
        or ((other.capacity is not distinct from own.capacity) and other.pool_id < own.pool_id)
)

select
    pools.organizer_id,
    pools.event_id,
    pools.pool_id,
    pools.pool,
    pools.capacity,
    coalesce(sold.tickets, 0) as tickets,
    case
        when pools.capacity is not null then greatest(pools.capacity - coalesce(sold.tickets, 0), 0)
    end as tickets_left
from pools
left join sold on pools.event_id = sold.event_id and pools.pool_id = sold.pool_id
left anti join parts on pools.event_id = parts.event_id and pools.pool_id = parts.pool_id
