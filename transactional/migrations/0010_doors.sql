alter table check_in_lists add column opens_at bigint;
alter table check_in_lists add column closes_at bigint;
alter table check_in_lists add column min_gap_minutes bigint;
alter table check_in_lists add column once_a_day bigint not null default 0;
alter table check_in_lists add column alert_at bigint;
alter table check_in_lists add column alerted_at bigint;
alter table check_in_lists add column emptied_at bigint;

alter table check_ins add column force_sent bigint not null default 0;
alter table check_ins add column device_id text;
alter table check_ins add column code_hash text;
alter table check_ins add column conflicts_with text;
alter table check_ins add column annulled_at bigint;
-- Private: the actor, who alone may take it back.
alter table check_ins add column scanned_by text not null default '';
create index check_ins_nonce on check_ins (check_in_list_id, nonce);

alter table tickets add column blocked bigint not null default 0;
-- Private: since when the ticket has its code. Scanners fetch what came after what they have.
alter table tickets add column coded_at bigint not null default 0;
create index tickets_doors on tickets (event_id, coded_at, ticket_id, ticket_type_id, status);
-- Of these the code alone tells too little.
create index tickets_revocations on tickets (event_id, coded_at, ticket_id)
    where status = 'cancelled' or blocked = 1 or code_version > 1;

-- A retired key signs no more codes; a revoked one verifies none either.
alter table event_keys add column retired_at bigint;
alter table event_keys add column revoked_at bigint;

create table gates (
    gate_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    event_id text not null references events (event_id),
    name text not null,
    active bigint not null,
    unique (event_id, name)
);

create table devices (
    device_id text primary key,
    organizer_id text not null references organizers (id),
    version bigint not null,
    name text not null,
    event_id text references events (event_id),
    gate_id text references gates (gate_id),
    registered_at bigint not null,
    revoked_at bigint,
    -- private
    token_hash text not null unique
);
create index devices_organizer on devices (organizer_id, device_id);

-- Each time that a list was emptied: whoever entered before has gone out then.
create table emptied_lists (
    check_in_list_id text not null references check_in_lists (check_in_list_id),
    emptied_at bigint not null,
    primary key (check_in_list_id, emptied_at)
);

-- What a list has seen of a ticket: accepted scans only, and none that was annulled. Kept so that a verdict reads one
-- row and counts none. No row: nothing.
drop table ticket_list_state;
create table ticket_list_state (
    ticket_id text not null references tickets (ticket_id),
    check_in_list_id text not null references check_in_lists (check_in_list_id),
    entries bigint not null,
    last_at bigint,
    last_kind text,
    first_at bigint,
    first_gate text,
    entered_at bigint,
    changed_at bigint not null,
    primary key (ticket_id, check_in_list_id)
);
create index ticket_list_state_changed on ticket_list_state (check_in_list_id, changed_at, ticket_id);
insert into ticket_list_state
    select c.ticket_id, c.check_in_list_id, sum(case when c.kind = 'entry' then 1 else 0 end), max(c.scanned_at),
        case when max(case when c.kind = 'exit' then c.scanned_at else 0 end) = max(c.scanned_at)
            then 'exit' else 'entry' end,
        min(case when c.kind = 'entry' then c.scanned_at end),
        null,
        max(case when c.kind = 'entry' then c.scanned_at end), max(c.received_at)
    from check_ins c where c.accepted = 1 and c.ticket_id is not null
    group by c.ticket_id, c.check_in_list_id;
update ticket_list_state set first_gate = (
    select min(c.gate) from check_ins c
    where c.ticket_id = ticket_list_state.ticket_id and c.check_in_list_id = ticket_list_state.check_in_list_id
        and c.accepted = 1 and c.kind = 'entry' and c.scanned_at = ticket_list_state.first_at);

-- Who went in and out, so that a list's attendance is read and not counted. A ticket that went in by one gate and out
-- by another counts +1 here and -1 there: the sums over the gates hold.
create table attendance (
    check_in_list_id text not null references check_in_lists (check_in_list_id),
    ticket_type_id text not null references ticket_types (ticket_type_id),
    -- '' for a scan that named none
    gate text not null,
    entries bigint not null,
    exits bigint not null,
    -- tickets that have entered at least once
    entered bigint not null,
    inside bigint not null,
    primary key (check_in_list_id, ticket_type_id, gate)
);
insert into attendance
    select c.check_in_list_id, t.ticket_type_id, coalesce(c.gate, ''),
        sum(case when c.kind = 'entry' then 1 else 0 end), sum(case when c.kind = 'exit' then 1 else 0 end), 0, 0
    from check_ins c join tickets t on t.ticket_id = c.ticket_id where c.accepted = 1
    group by c.check_in_list_id, t.ticket_type_id, coalesce(c.gate, '');
insert into attendance
    select s.check_in_list_id, t.ticket_type_id, '', 0, 0, sum(case when s.entries > 0 then 1 else 0 end),
        sum(case when s.last_kind = 'entry' then 1 else 0 end)
    from ticket_list_state s join tickets t on t.ticket_id = s.ticket_id where 1 = 1
    group by s.check_in_list_id, t.ticket_type_id
    on conflict (check_in_list_id, ticket_type_id, gate) do update set
        entered = excluded.entered, inside = excluded.inside;
