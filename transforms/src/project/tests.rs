use super::*;
use domain::{
    event::EventStatus,
    order::{DisputeStatus, OrderStatus, PaymentStatus, RefundReason, RefundStatus, TicketStatus},
};

const YML: &str = "description: X.\ngrain: one row an order\ncolumns: [{ name: organizer_id }]\n";

fn project(files: &[(&str, &str)]) -> Result<Project, ProjectError> {
    Project::from_files(
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned())),
    )
}

#[test]
fn transforms_come_after_those_that_they_read() {
    let project = project(&[
        ("marts/a.sql", "select * from {{ ref('int_b') }}"),
        ("marts/a.yml", YML),
        ("intermediate/int_b.sql", "select * from {{ ref('stg_c') }}"),
        ("intermediate/int_b.yml", YML),
        ("staging/stg_c.sql", "select * from {{ source('lake', 'orders') }}"),
        ("staging/stg_c.yml", YML),
    ])
    .unwrap();
    let order: Vec<&str> = project
        .transforms()
        .iter()
        .map(|transform| transform.name.as_str())
        .collect();
    assert_eq!(order, ["stg_c", "int_b", "a"]);
    assert_eq!(project.transform("a").unwrap().upstream, ["stg_c", "int_b"]);
    let sources = &project.transform("a").unwrap().sources;
    assert_eq!(
        sources.iter().map(|source| source.table.as_str()).collect::<Vec<_>>(),
        ["order_changes"]
    );
}

#[test]
fn a_transform_means_something_else_when_one_that_it_reads_does() {
    let fingerprint = |sql| {
        let files = [
            ("marts/a.sql", "select * from {{ ref('stg_c') }}"),
            ("marts/a.yml", YML),
            ("staging/stg_c.sql", sql),
            ("staging/stg_c.yml", YML),
        ];
        project(&files).unwrap().transform("a").unwrap().fingerprint
    };
    assert_eq!(fingerprint("select 1"), fingerprint("select 1"));
    assert_ne!(fingerprint("select 1"), fingerprint("select 2"));
}

/// Each set of files, and how the complaint about it begins.
fn refused(cases: &[(&[(&str, &str)], &str)]) {
    for (files, message) in cases {
        let error = project(files).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn mistakes_name_the_file_and_the_line() {
    refused(&[
        (
            &[
                ("marts/a.sql", "select *\nfrom {{ ref('nobody') }}"),
                ("marts/a.yml", YML),
            ],
            "transforms/marts/a.sql:2: there is no transform nobody",
        ),
        (
            &[
                ("marts/a.sql", "\n\n{{ source('lake', 'nothing') }}"),
                ("marts/a.yml", YML),
            ],
            "transforms/marts/a.sql:3: the lake has no table nothing",
        ),
        (
            &[("marts/a.sql", "select 1")],
            "transforms/marts/a.sql: there is no .yml beside it",
        ),
        (
            &[("marts/a.yml", YML)],
            "transforms/marts/a.yml: there is no .sql beside it",
        ),
        (
            &[
                ("marts/a.sql", "select 1"),
                ("marts/a.yml", "description: X.\ngrian: one row\n"),
            ],
            "transforms/marts/a.yml:2: ",
        ),
        (
            &[("other/a.sql", "select 1"), ("other/a.yml", YML)],
            "transforms/other/a.sql: transforms stand in one of the folders",
        ),
    ]);
}

#[test]
fn what_can_not_be_planned_is_refused() {
    let overwrite = format!("{YML}materialized: {{ overwrite: {{ key: [person_id] }} }}\n");
    let table = format!("{YML}materialized: {{ table: {{ every_minutes: 5 }} }}\n");
    let facts = format!("{YML}materialized: {{ rollup: {{ facts: stg_c }} }}\n");
    refused(&[
        (
            &[
                ("marts/a.sql", "{{ ref('b') }}"),
                ("marts/a.yml", YML),
                ("marts/b.sql", "{{ ref('a') }}"),
                ("marts/b.yml", YML),
            ],
            "transforms/marts/b.sql:1: a reads itself: a ← b",
        ),
        (
            &[
                ("staging/a.sql", "{{ ref('b') }}"),
                ("staging/a.yml", YML),
                ("marts/b.sql", "select 1"),
                ("marts/b.yml", YML),
            ],
            "transforms/staging/a.sql:1: staging reads marts, which comes later",
        ),
        (
            &[
                ("marts/a.sql", "{{ source('lake', 'events') }}"),
                ("marts/a.yml", &overwrite),
            ],
            "transforms/marts/a.yml: it has no column person_id to be keyed by",
        ),
        (
            &[
                ("marts/a.sql", "{{ source('lake', 'events') }}"),
                ("marts/a.yml", &facts),
            ],
            "transforms/marts/a.yml: the columns of a rollup say how they merge",
        ),
    ]);
    for (sql, function) in [
        ("select now()", "now"),
        ("select now ()", "now"),
        ("select Today()", "today"),
        ("select current_date", "current_date"),
        ("select x + random()", "random"),
        ("select \"uuid\"\n()", "uuid"),
    ] {
        let message =
            format!("transforms/marts/a.yml: kept rows can't depend on when they were computed: no {function}");
        refused(&[(&[("marts/a.sql", sql), ("marts/a.yml", &table)], &message)]);
    }
    let plain = "select now, known(), random_number() from x -- up to now";
    project(&[("marts/a.sql", plain), ("marts/a.yml", &table)]).unwrap();
}

#[test]
fn an_accepted_value_is_text_whatever_is_in_it() {
    let yml = "description: X.\ngrain: one row an order\ncolumns:\n  - name: a\n    tests: [{ accepted_values: [\"it's\"] }]\n";
    let project = project(&[("marts/a.sql", "select 1 as a"), ("marts/a.yml", yml)]).unwrap();
    let tests = project.data_tests(project.transform("a").unwrap());
    assert_eq!(tests[0].1, "select 1 from marts.a where a not in ('it''s')");
}

#[test]
fn the_projects_own_files_are_in_order() {
    let project = Project::load().unwrap();
    for transform in project.transforms() {
        let prefix = match transform.layer {
            "staging" => "stg_",
            "intermediate" => "int_",
            _ => "",
        };
        assert!(transform.name.starts_with(prefix), "{}", transform.name);
        assert!(transform.about.description.ends_with('.'), "{}", transform.name);
    }
}

#[test]
fn states_are_accepted_as_the_core_writes_them() {
    fn words<State: ToString>(all: &[State]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }
    let project = Project::load().unwrap();
    for (model, column, words) in [
        ("stg_events", "status", words(EventStatus::ALL)),
        ("stg_orders", "status", words(OrderStatus::ALL)),
        ("stg_tickets", "status", words(TicketStatus::ALL)),
        ("stg_payments", "status", words(PaymentStatus::ALL)),
        ("stg_refunds", "status", words(RefundStatus::ALL)),
        ("stg_refunds", "reason", words(RefundReason::ALL)),
        ("stg_disputes", "status", words(DisputeStatus::ALL)),
    ] {
        let mut columns = project.transform(model).unwrap().about.columns.iter();
        let told = columns.find(|told| told.name == column).unwrap();
        assert!(
            told.tests.contains(&ColumnTest::AcceptedValues(words)),
            "{model}.{column}: {:?}",
            told.tests
        );
    }
}
