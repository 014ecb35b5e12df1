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
