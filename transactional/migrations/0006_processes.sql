-- Which process leads what. A holder counts `beat` up; one that has seen it stand still for long enough takes over.
create table leases (
    name text primary key,
    holder text not null,
    beat bigint not null
);

-- The processes of this installation, each with its own account of itself.
create table processes (
    process_id text primary key,
    roles text not null,
    url text not null,
    started_at bigint not null,
    seen_at bigint not null,
    report text not null
);

-- The request that a change comes from, and its place in a trace.
alter table outbox add column correlation_id text;
alter table outbox add column traceparent text;
