-- One text for SQLite and PostgreSQL: text ids, bigint microseconds, bigint minor units, bigint 0/1, JSON as text.
--
-- The table of an entity has the columns of its record, plus organizer_id and version. What stands below a table's
-- "private" comment is the core's own and is in no change.

create table organizers (
    id text primary key,
    version bigint not null,
    slug text not null unique,
    name text not null,
    currency text not null,
    timezone text not null,
    city text,
    country text,
    created_at bigint not null
);

create table users (
    user_id text primary key,
    email text not null unique,
    name text,
    password text not null,
    platform_admin bigint not null,
    created_at bigint not null,
    failed_logins bigint not null default 0,
    locked_until bigint
);

create table memberships (
    membership_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    user_id text not null references users (user_id),
    role text not null,
    active bigint not null,
    granted_at bigint not null,
    unique (user_id, organizer_id)
);
create index memberships_organizer on memberships (organizer_id, membership_id);

create table sessions (
    session_id text primary key,
    user_id text not null references users (user_id),
    token_hash text not null unique,
    csrf_token text not null,
    expires_at bigint not null
);
create index sessions_expires on sessions (expires_at);

create table api_tokens (
    api_token_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    name text not null,
    role text not null,
    created_at bigint not null,
    revoked_at bigint,
    -- private
    token_hash text not null unique
);
create index api_tokens_organizer on api_tokens (organizer_id, api_token_id);

create table platform_tokens (
    token_hash text primary key,
    name text not null,
    created_at bigint not null
);

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

create table check_in_lists (
    check_in_list_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    event_id text not null references events (event_id),
    name text not null,
    reentry bigint not null,
    multi_entry bigint not null,
    ticket_types text not null
);
create index check_in_lists_event on check_in_lists (event_id);

create table check_ins (
    check_in_id text primary key,
    organizer_id text not null,
    version bigint not null,
    check_in_list_id text not null references check_in_lists (check_in_list_id),
    event_id text not null,
    ticket_id text,
    kind text not null,
    accepted bigint not null,
    reason text,
    forced bigint not null,
    gate text,
    nonce text not null,
    scanned_at bigint not null,
    received_at bigint not null
);
create index check_ins_list on check_ins (check_in_list_id, received_at, check_in_id);
create unique index check_ins_once on check_ins (ticket_id, check_in_list_id, kind, nonce) where accepted = 1;

-- What a list has seen of a ticket: accepted scans only. Kept so that a verdict reads one row and counts none.
create table ticket_list_state (
    ticket_id text not null references tickets (ticket_id),
    check_in_list_id text not null references check_in_lists (check_in_list_id),
    entries bigint not null,
    last_kind text not null,
    last_at bigint not null,
    first_at bigint,
    first_gate text,
    primary key (ticket_id, check_in_list_id)
);

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
