create table holds (
    hold_id text primary key,
    organizer_id text not null,
    version bigint not null,
    event_id text not null references events (event_id),
    status text not null,
    expires_at bigint not null,
    quantity bigint not null,
    amount_minor bigint not null,
    currency text not null,
    lines text not null,
    -- private: a pending order keeps its hold until here
    kept_until bigint
);
create index holds_active on holds (event_id, expires_at) where status = 'active';

create table orders (
    order_id text primary key,
    organizer_id text not null,
    version bigint not null,
    event_id text not null references events (event_id),
    hold_id text unique references holds (hold_id),
    person_id text not null references people (person_id),
    code text not null,
    status text not null,
    currency text not null,
    total_minor bigint not null,
    quantity bigint not null,
    lines text not null,
    placed_at bigint not null,
    paid_at bigint,
    cancelled_at bigint,
    source text,
    unique (organizer_id, code)
);
create index orders_placed on orders (organizer_id, placed_at, order_id);
create index orders_event on orders (event_id, placed_at, order_id);
create index orders_person on orders (person_id);

create table payments (
    payment_id text primary key,
    organizer_id text not null,
    version bigint not null,
    order_id text not null references orders (order_id),
    event_id text not null,
    provider text not null,
    provider_ref text not null,
    status text not null,
    amount_minor bigint not null,
    currency text not null,
    -- private
    method text not null,
    started_at bigint not null,
    unique (provider, provider_ref)
);
create index payments_order on payments (order_id);
create index payments_pending on payments (provider, started_at) where status = 'pending';

-- What providers reported, as they reported it: the memory that makes a second delivery harmless.
create table provider_events (
    provider text not null,
    ext_id text not null,
    provider_ref text not null,
    outcome text not null,
    amount_minor bigint not null,
    currency text not null,
    received_at bigint not null,
    applied text,
    primary key (provider, ext_id)
);

create table tickets (
    ticket_id text primary key,
    organizer_id text not null,
    version bigint not null,
    order_id text not null references orders (order_id),
    event_id text not null,
    ticket_type_id text not null references ticket_types (ticket_type_id),
    person_id text not null,
    status text not null,
    price_minor bigint not null,
    currency text not null,
    code_version bigint not null
);
create index tickets_order on tickets (order_id);
