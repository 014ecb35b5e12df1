alter table events add column pay_at_door bigint not null default 0;
alter table events add column approval_required bigint not null default 0;
alter table orders add column reserved bigint not null default 0;
alter table orders add column awaits_approval bigint not null default 0;
create index orders_reserved on orders (event_id) where status = 'pending' and reserved = 1;
alter table check_in_lists add column include_pending bigint not null default 0;
alter table check_ins add column note text;

-- Private: since when a scanner's box of the ticket says what it says. Scanners fetch what came after what they have.
alter table tickets add column boxed_at bigint not null default 0;
update tickets set boxed_at = coded_at;
drop index tickets_doors;
create index tickets_doors on tickets (event_id, boxed_at, ticket_id);
create index tickets_person on tickets (person_id);
