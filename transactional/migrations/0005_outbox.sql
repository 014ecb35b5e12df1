create table idempotency_keys (
    scope text not null,
    key text not null,
    request_hash text not null,
    refused bigint not null,
    response text not null,
    created_at bigint not null,
    primary key (scope, key)
);
create index idempotency_keys_created on idempotency_keys (created_at);

create table secrets (
    name text primary key,
    value text not null
);

-- The row `committed` gives out seq. Its row lock, taken last before a commit, makes seq the commit order on
-- PostgreSQL as well; it outlives trimmed outbox rows.
create table positions (
    name text primary key,
    value bigint not null,
    at bigint not null
);
insert into positions (name, value, at) values ('committed', 0, 0), ('relayed', 0, 0);

create table outbox (
    seq bigint primary key,
    remaining bigint not null,
    change_id text not null,
    change_type text not null,
    schema_version bigint not null,
    organizer_id text not null,
    entity text not null,
    entity_id text not null,
    entity_version bigint not null,
    occurred_at bigint not null,
    recorded_at bigint not null,
    actor text not null,
    payload text not null
);
