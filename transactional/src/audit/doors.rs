//! What has to add up at the doors: all that is kept beside the scans is what a recount of the scans gives.

use super::invariants::MOST_TOLD;
use crate::{
    Result, Source,
    sql::{self, Columns, binds},
};

pub(super) async fn check(db: &mut impl Source) -> Result<Vec<String>> {
    let checks = [
        (STATES, "what was seen of a ticket on a list is not what its scans say"),
        (
            PASSED,
            "the attendance counts other entries and exits than there were scans",
        ),
        (INSIDE, "the attendance counts other tickets than there are inside"),
        (CONFLICTS, "a scan names another conflict than there is"),
    ];
    let mut faults = Vec::new();
    for (sql, fault) in checks {
        for row in sql::all(db, sql, binds![MOST_TOLD as i64]).await? {
            faults.push(format!("{fault}: {}", row.text("place")?));
        }
    }
    Ok(faults)
}

/// Of two equal rows, one kept and one counted, there are two; a row that is alone is wrong.
const STATES: &str = "
    select ticket_id || ' on ' || check_in_list_id as place from (
        select ticket_id, check_in_list_id, entries, 2 * last_at + case last_kind when 'exit' then 1 else 0 end as last,
            first_at, entered_at
        from ticket_list_state where last_at is not null
        union all
        select ticket_id, check_in_list_id, cast(sum(case kind when 'entry' then 1 else 0 end) as bigint),
            max(2 * scanned_at + case kind when 'exit' then 1 else 0 end),
            min(case kind when 'entry' then scanned_at end), max(case kind when 'entry' then scanned_at end)
        from check_ins where accepted = 1 and annulled_at is null
        group by ticket_id, check_in_list_id
    ) both_of_them
    group by ticket_id, check_in_list_id, entries, last, first_at, entered_at
    having count(*) <> 2 limit $1";

const PASSED: &str = "
    select check_in_list_id || ' at ' || gate as place from (
        select check_in_list_id, ticket_type_id, gate, entries, exits
        from attendance where entries <> 0 or exits <> 0
        union all
        select c.check_in_list_id, t.ticket_type_id, coalesce(c.gate, ''),
            cast(sum(case c.kind when 'entry' then 1 else 0 end) as bigint),
            cast(sum(case c.kind when 'exit' then 1 else 0 end) as bigint)
        from check_ins c join tickets t on t.ticket_id = c.ticket_id
        where c.accepted = 1 and c.annulled_at is null
        group by c.check_in_list_id, t.ticket_type_id, coalesce(c.gate, '')
    ) both_of_them
    group by check_in_list_id, ticket_type_id, gate, entries, exits
    having count(*) <> 2 limit $1";

const INSIDE: &str = "
    select check_in_list_id || ' of type ' || ticket_type_id as place from (
        select check_in_list_id, ticket_type_id, cast(sum(entered) as bigint) as entered,
            cast(sum(inside) as bigint) as inside
        from attendance group by check_in_list_id, ticket_type_id
        union all
        select s.check_in_list_id, t.ticket_type_id, cast(sum(case when s.entries > 0 then 1 else 0 end) as bigint),
            cast(sum(case when s.last_kind = 'entry' and s.last_at > coalesce(l.emptied_at, -1) then 1 else 0 end)
                as bigint)
        from ticket_list_state s
        join tickets t on t.ticket_id = s.ticket_id
        join check_in_lists l on l.check_in_list_id = s.check_in_list_id
        group by s.check_in_list_id, t.ticket_type_id
    ) both_of_them
    group by check_in_list_id, ticket_type_id, entered, inside
    having count(*) <> 2 limit $1";

const CONFLICTS: &str = "
    with counted as (
        select c.check_in_id, c.check_in_list_id, c.kind, c.scanned_at, c.conflicts_with,
            lag(c.check_in_id) over scans as before_id, lag(c.kind) over scans as before_kind,
            lag(c.scanned_at) over scans as before_at
        from check_ins c
        join check_in_lists l on l.check_in_list_id = c.check_in_list_id and l.multi_entry = 0
        where c.accepted = 1 and c.annulled_at is null
        window scans as (partition by c.ticket_id, c.check_in_list_id order by c.scanned_at, c.kind, c.check_in_id)
    )
    select check_in_id as place from counted s
    where coalesce(conflicts_with, '') <> case
        when kind = 'entry' and before_kind = 'entry' and not exists (
            select 1 from emptied_lists e where e.check_in_list_id = s.check_in_list_id
                and s.before_at <= e.emptied_at and e.emptied_at < s.scanned_at)
        then before_id else '' end
    limit $1";
