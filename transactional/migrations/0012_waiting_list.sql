-- private: the language that the buyer is written to in, and when the order's link was last sent again
alter table orders add column language text not null default 'en';
alter table orders add column link_sent_at bigint;
alter table holds add column waiting_entry_id text;

create table waiting_entries (
    waiting_entry_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    event_id text not null references events (event_id),
    ticket_type_id text not null references ticket_types (ticket_type_id),
    person_id text not null references people (person_id),
    quantity bigint not null,
    status text not null,
    joined_at bigint not null,
    hold_id text references holds (hold_id),
    offer_expires_at bigint,
    -- private
    language text not null
);
create index waiting_entries_waiting on waiting_entries (event_id, joined_at, waiting_entry_id) where status = 'waiting';
create index waiting_entries_event on waiting_entries (event_id, joined_at, waiting_entry_id);
create unique index waiting_entries_once on waiting_entries (ticket_type_id, person_id)
    where status in ('waiting', 'offered');
