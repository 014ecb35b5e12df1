alter table events add column pay_at_door bigint not null default 0;
alter table events add column approval_required bigint not null default 0;
alter table orders add column reserved bigint not null default 0;
alter table orders add column awaits_approval bigint not null default 0;
create index orders_reserved on orders (event_id) where status = 'pending' and reserved = 1;
alter table check_in_lists add column include_pending bigint not null default 0;
alter table check_ins add column note text;
