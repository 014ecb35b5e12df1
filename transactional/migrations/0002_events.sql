create table venues (
    venue_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    name text not null,
    address text,
    city text,
    country text,
    latitude double precision,
    longitude double precision,
    timezone text
);
create index venues_organizer on venues (organizer_id, venue_id);

create table events (
    event_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    venue_id text references venues (venue_id),
    title text not null,
    description text,
    category text,
    language text,
    url text,
    status text not null,
    starts_at bigint not null,
    ends_at bigint not null,
    timezone text not null,
    currency text not null,
    source text
);
create index events_starts on events (starts_at, event_id);
create index events_organizer on events (organizer_id, starts_at, event_id);
create index events_over on events (ends_at) where status = 'published';

-- An event's signing keys. A code names its key's number, so that a later key doesn't make older tickets false.
create table event_keys (
    event_id text not null references events (event_id),
    key_number bigint not null,
    seed text not null,
    primary key (event_id, key_number)
);

create table pools (
    pool_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    event_id text not null references events (event_id),
    name text not null,
    capacity bigint,
    -- private
    held bigint not null default 0,
    sold bigint not null default 0,
    check (held >= 0 and sold >= 0 and (capacity is null or held + sold <= capacity))
);
create index pools_event on pools (event_id, pool_id);

create table ticket_types (
    ticket_type_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    event_id text not null references events (event_id),
    name text not null,
    min_per_order bigint not null,
    max_per_order bigint not null,
    sales_from bigint,
    sales_to bigint,
    valid_from bigint,
    valid_to bigint,
    pools text not null,
    prices text not null
);
create index ticket_types_event on ticket_types (event_id, ticket_type_id);

create table people (
    person_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    email text,
    name text,
    phone text,
    registered_at bigint not null,
    source text,
    unique (organizer_id, email)
);
create index people_organizer on people (organizer_id, person_id);
