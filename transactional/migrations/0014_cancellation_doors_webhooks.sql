-- private: 1 while somebody may wait for an event that is over for good
alter table events add column waiting_list_closes bigint not null default 0;
update events set waiting_list_closes = 1 where status in ('cancelled', 'ended');
create index events_closing on events (event_id) where waiting_list_closes = 1;

-- A cancelled event whose money goes back, order by order.
create table event_refunds (
    event_id text primary key references events (event_id),
    asked_by text not null,
    asked_at bigint not null,
    -- the order that was the last one to be cancelled
    after_placed_at bigint not null,
    after_order_id text not null,
    finished_at bigint
);
create index event_refunds_unfinished on event_refunds (asked_at) where finished_at is null;

-- A nonce is its scanner's own: what another sends with it is another scan.
drop index check_ins_once;
create unique index check_ins_once on check_ins (ticket_id, check_in_list_id, kind, nonce, scanned_by) where accepted = 1;

-- private: the secret before this one, which signs beside it until then
alter table webhook_endpoints add column old_secret text;
alter table webhook_endpoints add column old_secret_until bigint;
-- private: the endpoint has asked for no requests until then
alter table webhook_endpoints add column paused_until bigint;
