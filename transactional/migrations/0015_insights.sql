create table dashboard_shares (
    dashboard_share_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    page text not null,
    state text not null,
    may_embed bigint not null,
    created_by text not null,
    created_at bigint not null,
    expires_at bigint not null,
    revoked_at bigint,
    -- private
    token_hash text not null unique
);
create index dashboard_shares_organizer on dashboard_shares (organizer_id, dashboard_share_id);

create table reports (
    report_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    name text not null,
    page text not null,
    state text not null,
    every text not null,
    weekday text,
    month_day bigint,
    hour bigint not null,
    minute bigint not null,
    timezone text not null,
    language text not null,
    recipients text not null,
    paused bigint not null,
    created_at bigint not null,
    next_at bigint,
    last_sent_at bigint,
    deleted_at bigint,
    -- private: somebody wants it now; and why it could not be made, and when it is tried again
    asked_at bigint,
    last_error text,
    try_at bigint
);
create index reports_organizer on reports (organizer_id, report_id) where deleted_at is null;
create index reports_due on reports (next_at) where deleted_at is null;
create index reports_asked on reports (asked_at) where asked_at is not null;

create table alert_rules (
    alert_rule_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    name text not null,
    metric text not null,
    filters text not null,
    currency text,
    time_window text not null,
    condition text not null,
    threshold double precision not null,
    quiet_minutes bigint not null,
    language text not null,
    recipients text not null,
    paused bigint not null,
    created_at bigint not null,
    firing_since bigint,
    deleted_at bigint,
    -- private: what was seen last, and since when the condition has not held while the rule fires
    checked_at bigint not null default 0,
    last_value double precision,
    usual double precision,
    last_error text,
    calm_since bigint
);
create index alert_rules_organizer on alert_rules (organizer_id, alert_rule_id) where deleted_at is null;
create index alert_rules_due on alert_rules (checked_at) where deleted_at is null and paused = 0;

-- No changes tell of these: what is private is its owner's alone, and a query may name people.
create table saved_questions (
    saved_question_id text primary key,
    organizer_id text not null references organizers (id),
    owner text not null,
    name text not null,
    description text not null,
    query text not null,
    chart text,
    shared bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);
create index saved_questions_organizer on saved_questions (organizer_id, saved_question_id);

-- A mail to a member as a member: who has left since gets it no more.
alter table mail_outbox add column organizer_id text references organizers (id);
