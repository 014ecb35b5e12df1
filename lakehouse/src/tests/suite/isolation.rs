use super::*;
use crate::{Error, ErrorKind};

/// Orders of two organizers, some in files, some in the tail. Organizer 2 has one with the total 1250.
async fn two_organizers() -> (Place, Lake) {
    let (place, url) = place();
    let lake = Lake::open(&url, manual()).await.unwrap();
    lake.publish(publish(&[order(1, 1, "a1", 1, 100), order(2, 2, "b1", 1, 1250)]))
        .await
        .unwrap();
    lake.flush().await.unwrap();
    lake.publish(publish(&[
        order(3, 1, "a2", 1, 200),
        order(4, 2, "b2", 1, 1250),
        order(5, 2, "b2", 2, 1250),
    ]))
    .await
    .unwrap();
    (place, lake)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_sees_its_own_rows_in_files_and_in_the_tail_whatever_it_asks() {
    let (_place, lake) = two_organizers().await;
    for (sql, own, all) in [
        ("select count(*) from order_changes", 2, 5),
        ("select count(1) from orders", 2, 4),
        ("select sum(total_minor) from order_changes", 300, 4050),
        ("select max(total_minor) from order_changes", 200, 1250),
        ("select count(*) from order_changes where total_minor = 1250", 0, 3),
        (
            "select count(*) from order_changes where organizer_id <> '' or true",
            2,
            5,
        ),
        ("select count(*) from (select * from order_changes limit 4)", 2, 4),
        (
            "select count(distinct organizer_id) from order_changes a full join orders b using (organizer_id)",
            1,
            2,
        ),
        ("with x as (select seq from order_changes) select count(*) from x", 2, 5),
        (
            "select count(*) from order_changes where order_id in (select order_id from order_changes)",
            2,
            5,
        ),
    ] {
        assert_eq!(number(&lake, &tenant(1), sql).await, own, "{sql}");
        assert_eq!(number(&lake, &admin(), sql).await, all, "{sql}");
        assert_eq!(
            number(&lake, &tenant(3), &format!("select count(*) from ({sql}) where false")).await,
            0
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_predicate_that_fails_on_other_peoples_rows_tells_nothing_of_them() {
    let (_place, lake) = two_organizers().await;
    for sql in [
        "select count(*) from order_changes where 1 / (total_minor - 1250) < 5",
        "select count(*) from orders where 1 / (total_minor - 1250) < 5",
        "select count(*) from order_changes where total_minor > 0 and 1 / (total_minor - 1250) < 5",
        "select count(1 / (total_minor - 1250)) from order_changes",
        "select count(*) from (select 1 / (total_minor - 1250) as x from order_changes) where x < 5",
        "select count(*) from order_changes where cast(replace(order_id, 'a', '') as bigint) > 0",
    ] {
        assert_eq!(number(&lake, &tenant(1), sql).await, 2, "{sql}");
        let theirs = rows(&lake, &admin(), sql).await;
        assert!(
            theirs.is_err_and(|error| error.kind() == ErrorKind::Invalid),
            "the test needs it to fail: {sql}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_finds_neither_personal_data_nor_the_size_of_the_lake() {
    let (_place, lake) = two_organizers().await;
    for sql in [
        "select * from person_changes",
        "select * from people",
        "select * from system.commits",
        "select * from system.tables",
        "select * from datafusion.public.x",
    ] {
        let found = rows(&lake, &tenant(1), sql).await;
        assert!(found.is_err_and(|error| error.kind() == ErrorKind::Invalid), "{sql}");
    }
    let names = "select count(*) from information_schema.tables where table_name in ('people', 'commits')";
    assert_eq!(number(&lake, &tenant(1), names).await, 0);
    assert_eq!(number(&lake, &admin(), names).await, 2);
    for sql in [
        "explain select * from orders",
        "explain analyze select * from order_changes",
    ] {
        let told = rows(&lake, &tenant(1), sql).await;
        assert!(told.is_err_and(|error| error.kind() == ErrorKind::Forbidden), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_can_not_write_read_files_or_change_settings() {
    let (_place, lake) = two_organizers().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.csv");
    std::fs::write(&file, "a\n1\n").unwrap();
    let path = file.display();
    for sql in [
        "create table x as select 1".to_owned(),
        "create view lake.x as select 1".to_owned(),
        "create external table x stored as csv location '/etc/passwd'".to_owned(),
        "drop table order_changes".to_owned(),
        "insert into order_changes select * from order_changes".to_owned(),
        "delete from order_changes".to_owned(),
        "update order_changes set seq = 1".to_owned(),
        format!("copy (select 1) to '{path}.out'"),
        "set datafusion.execution.target_partitions = 1000".to_owned(),
        "begin".to_owned(),
        "prepare p as select 1".to_owned(),
        format!("select * from '{path}'"),
        "select 1; select 2".to_owned(),
    ] {
        for principal in [admin(), tenant(1)] {
            let refused = rows(&lake, &principal, &sql).await;
            let kind = refused.map(|_| ()).map_err(|error| error.kind());
            assert!(
                matches!(kind, Err(ErrorKind::Forbidden | ErrorKind::Invalid)),
                "{sql}: {kind:?}"
            );
        }
    }
    assert!(!folder.path().join("secret.csv.out").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_query_is_its_writers_fault_and_says_where() {
    let (_place, lake) = two_organizers().await;
    for (sql, word, state, at) in [
        ("select\n  nope from orders", "nope", "42703", Some((2, 3))),
        ("selec 1", "selec", "42601", Some((1, 1))),
        ("select * from nope", "nope", "42P01", Some((1, 15))),
        ("select nope(1)", "nope", "42883", Some((1, 8))),
        (
            "select 1 / (total_minor - total_minor) from orders",
            "ivide",
            "22012",
            None,
        ),
        ("select cast(order_id as bigint) from orders", "ast", "22P02", None),
    ] {
        match rows(&lake, &tenant(1), sql).await {
            Err(Error::InvalidQuery(fault)) => {
                assert!(fault.message.contains(word), "{fault}");
                assert_eq!((fault.state, fault.at), (state, at), "{fault}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
}
