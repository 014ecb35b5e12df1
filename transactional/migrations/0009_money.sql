alter table organizers add column platform_fee_bps bigint not null default 0;
alter table orders add column refunded_minor bigint not null default 0 check (refunded_minor between 0 and total_minor);
alter table payments add column platform_fee_minor bigint not null default 0;
-- private: what of it was given back or is on its way, what is disputed or lost, and the provider's own id of it
alter table payments add column refunded_minor bigint not null default 0
    check (refunded_minor between 0 and amount_minor);
alter table payments add column disputed_minor bigint not null default 0 check (disputed_minor >= 0);
alter table payments add column external_ref text;
create index payments_external on payments (provider, external_ref) where external_ref is not null;

create table refunds (
    refund_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    payment_id text not null references payments (payment_id),
    order_id text not null references orders (order_id),
    event_id text not null,
    provider text not null,
    status text not null,
    reason text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null,
    -- private: the provider's own id of it, and when it is asked again; null: it has answered, or will by itself
    external_ref text,
    requested_at bigint not null,
    tries bigint not null default 0,
    next_try_at bigint
);
create index refunds_payment on refunds (payment_id);
create index refunds_order on refunds (order_id);
create index refunds_due on refunds (next_try_at) where next_try_at is not null;

create table disputes (
    dispute_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    payment_id text not null references payments (payment_id),
    order_id text not null references orders (order_id),
    event_id text not null,
    provider text not null,
    provider_ref text not null,
    status text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null,
    unique (provider, provider_ref)
);
create index disputes_payment on disputes (payment_id);

create table payouts (
    payout_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null,
    reference text,
    paid_at bigint not null
);
create index payouts_organizer on payouts (organizer_id, paid_at);

-- The double-entry ledger: a row is one transaction over five accounts, a debit positive. It can't be out of balance.
create table ledger_entries (
    entry_id text primary key,
    organizer_id text not null,
    kind text not null,
    -- the payment, refund, dispute or payout that caused it
    subject_id text not null,
    payment_id text,
    currency text not null,
    provider_minor bigint not null,
    organizer_minor bigint not null,
    platform_minor bigint not null,
    buyers_minor bigint not null,
    disputed_minor bigint not null,
    posted_at bigint not null,
    check (provider_minor + organizer_minor + platform_minor + buyers_minor + disputed_minor = 0)
);
create index ledger_organizer on ledger_entries (organizer_id, currency, posted_at, entry_id);
create index ledger_payment on ledger_entries (payment_id) where payment_id is not null;

-- A day of a provider's reports held against what is stored here.
create table reconciliations (
    provider text not null,
    day text not null,
    finished_at bigint not null,
    report text not null,
    primary key (provider, day)
);
