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
