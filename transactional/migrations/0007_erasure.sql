-- What a change tells of a person is encrypted with that person's key before it enters the outbox. Who has no key here
-- can't be read any more, in no copy of the log.
create table person_keys (
    person_id text primary key,
    key text not null
);

-- One a person. The report names places and counts, and nothing of what stood there.
create table erasures (
    erasure_id text primary key,
    person_id text not null unique references people (person_id),
    organizer_id text not null,
    requested_by text not null,
    requested_at bigint not null,
    grace_seconds bigint not null,
    -- set when the core has nothing of the person any more: the change that says so, and all before it
    erased_seq bigint,
    finished_at bigint,
    report text not null
);
create index erasures_unfinished on erasures (requested_at) where finished_at is null;
