-- Mails that are to be sent. The recipient's address is looked up when a mail is sent; its data is encrypted, and gone
-- once the mail is sent, given up, or its person erased.
create table mail_outbox (
    mail_id text primary key,
    person_id text references people (person_id),
    user_id text references users (user_id),
    language text not null,
    data text,
    status text not null,
    attempts bigint not null,
    created_at bigint not null,
    next_try_at bigint not null,
    finished_at bigint,
    -- why the last attempt failed, without anybody's address
    reason text
);
create index mail_outbox_due on mail_outbox (next_try_at) where status = 'queued';
create index mail_outbox_person on mail_outbox (person_id);
create index mail_outbox_finished on mail_outbox (finished_at) where finished_at is not null;

-- What proves that somebody reads a user's mail: the hash of a token that was sent there, to be used once.
create table user_tokens (
    token_hash text primary key,
    user_id text not null references users (user_id),
    purpose text not null,
    created_at bigint not null,
    expires_at bigint not null
);
create index user_tokens_user on user_tokens (user_id, purpose);

-- Failed log-ins in a row, by a hash of the address that was typed, whether or not anybody has it.
create table log_in_failures (
    account_hash text primary key,
    failures bigint not null,
    last_at bigint not null,
    locked_until bigint
);
alter table users drop column failed_logins;
alter table users drop column locked_until;

alter table users add column email_verified_at bigint;
-- The secret is encrypted; it counts once a code has confirmed it. A code of this step or an earlier one is used up.
alter table users add column totp_secret text;
alter table users add column totp_confirmed_at bigint;
alter table users add column totp_last_step bigint not null default 0;

create table recovery_codes (
    user_id text not null references users (user_id),
    code_hash text not null,
    primary key (user_id, code_hash)
);

alter table sessions add column created_at bigint not null default 0;
alter table sessions add column last_seen_at bigint not null default 0;
alter table sessions add column user_agent text;
alter table sessions add column address text;
create index sessions_user on sessions (user_id);

create table webhook_endpoints (
    webhook_endpoint_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    host text not null,
    change_types text not null,
    active bigint not null,
    created_at bigint not null,
    disabled_reason text,
    -- private; the secret is encrypted
    url text not null,
    secret text not null
);
create index webhook_endpoints_organizer on webhook_endpoints (organizer_id, webhook_endpoint_id);

create table webhook_deliveries (
    webhook_delivery_id text primary key,
    webhook_endpoint_id text not null references webhook_endpoints (webhook_endpoint_id),
    seq bigint not null,
    change_id text not null,
    change_type text not null,
    body text not null,
    status text not null,
    attempts bigint not null,
    created_at bigint not null,
    next_try_at bigint not null,
    finished_at bigint,
    response_status bigint,
    reason text
);
create index webhook_deliveries_due on webhook_deliveries (next_try_at) where status = 'waiting';
create index webhook_deliveries_endpoint on webhook_deliveries (webhook_endpoint_id, seq, webhook_delivery_id);
create index webhook_deliveries_finished on webhook_deliveries (finished_at) where finished_at is not null;

-- Up to which change deliveries have been made.
insert into positions (name, value, at) select 'webhooks', value, at from positions where name = 'committed';
