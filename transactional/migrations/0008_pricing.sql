alter table events add column charges text not null default '[]';
alter table events add column refundable_until bigint;
alter table ticket_types add column hidden bigint not null default 0;
alter table holds add column promo_code_id text;
alter table orders add column promo_code_id text;
alter table tickets add column phase_pool_id text;

create table promo_codes (
    promo_code_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    event_id text not null references events (event_id),
    code text not null,
    kind text not null,
    value bigint not null,
    buy_quantity bigint not null,
    free_quantity bigint not null,
    ticket_types text not null,
    from_at bigint,
    to_at bigint,
    pool_id text not null unique references pools (pool_id),
    for_audience bigint not null,
    active bigint not null,
    unique (event_id, code)
);

-- Who may use a code that is for an audience.
create table promo_code_audience (
    promo_code_id text not null references promo_codes (promo_code_id),
    person_id text not null references people (person_id),
    primary key (promo_code_id, person_id)
);
