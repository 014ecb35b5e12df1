use super::*;
use crate::Error;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_that_opens_again_knows_its_offsets_and_drops_what_it_holds() {
    let (_place, url) = place();
    let lake = Lake::open(&url, manual()).await.unwrap();
    lake.publish(publish(&[order(1, 1, "o1", 1, 1250), ticket(2, 1, "o1")]))
        .await
        .unwrap();
    lake.flush().await.unwrap();
    lake.publish(publish(&[order(3, 1, "o2", 1, 500)])).await.unwrap();
    assert_eq!(number(&lake, &admin(), "select count(*) from order_changes").await, 2);
    // No close: the tail is lost, as in a crash.
    drop(lake);

    let lake = Lake::open(&url, manual()).await.unwrap();
    assert_eq!(lake.committed(CHANGES, 0), 3);
    assert_eq!(lake.watermark(), 2);
    assert_eq!(number(&lake, &admin(), "select count(*) from order_changes").await, 1);
    let again = [
        order(1, 1, "o1", 1, 1250),
        ticket(2, 1, "o1"),
        order(3, 1, "o2", 1, 500),
    ];
    lake.publish(publish(&again)).await.unwrap();
    lake.publish(publish(&again)).await.unwrap();
    assert_eq!(
        number(&lake, &admin(), "select sum(total_minor) from order_changes").await,
        1750
    );
    assert_eq!(number(&lake, &admin(), "select count(*) from ticket_changes").await, 1);
    lake.close().await.unwrap();
    assert!(matches!(lake.publish(publish(&again)).await, Err(Error::Closed)));

    let lake = Lake::open(&url, manual()).await.unwrap();
    assert_eq!(lake.committed(CHANGES, 0), 4);
    assert_eq!(number(&lake, &admin(), "select count(*) from order_changes").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_between_two_tables_commits_nobody_sees_one_without_the_other() {
    let (_place, url) = place();
    let lake = Lake::open(&url, manual()).await.unwrap();
    lake.publish(publish(&[order(1, 1, "o1", 1, 1250), ticket(2, 1, "o1")]))
        .await
        .unwrap();
    crate::commit::commit_one(&lake, "order_changes").await.unwrap();
    drop(lake);

    let options = LakeOptions {
        query_timeout: Duration::from_millis(200),
        ..manual()
    };
    let lake = Lake::open(&url, options).await.unwrap();
    assert_eq!((lake.committed(CHANGES, 0), lake.watermark()), (0, 0));
    let early = rows(&lake, &admin(), "select * from order_changes").await;
    assert!(matches!(early, Err(Error::Unavailable(_))), "{early:?}");
    lake.publish(publish(&[order(1, 1, "o1", 1, 1250), ticket(2, 1, "o1")]))
        .await
        .unwrap();
    let both = "select count(*) from order_changes join ticket_changes using (order_id)";
    assert_eq!(number(&lake, &admin(), both).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_is_known_again_and_not_written_twice() {
    let (_place, url) = place();
    let lake = Lake::open(&url, manual()).await.unwrap();
    let table = &lake.inner.tables[table_index("order_changes").unwrap()];
    let before = Arc::clone(&lake.view().tables[table_index("order_changes").unwrap()].snapshot);
    lake.publish(publish(&[order(1, 1, "o1", 1, 1250)])).await.unwrap();
    let batches: Vec<_> = lake.view().tables[table_index("order_changes").unwrap()]
        .open
        .good
        .clone();
    let adds = table.store.write(&batches).await.unwrap();
    let moves = [((CHANGES.to_owned(), 0), (0, 2))].into();
    let operation = deltalake::protocol::DeltaOperation::Write {
        mode: deltalake::protocol::SaveMode::Append,
        partition_by: None,
        predicate: None,
    };
    let commit = crate::store::Commit::new(adds, vec![], moves, operation);
    let committed = async || match table.store.commit(&before, &commit).await.unwrap() {
        crate::store::Outcome::Committed(snapshot) => snapshot,
        overtaken => panic!("{overtaken:?}"),
    };
    let (first, second) = (committed().await, committed().await);
    assert_eq!((first.version, first.rows()), (second.version, second.rows()));
    assert_eq!(second.rows(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_table_records_how_far_it_has_come() {
    let (_place, url) = place();
    let lake = Lake::open(
        &url,
        LakeOptions {
            idle_lag_offsets: 10,
            ..manual()
        },
    )
    .await
    .unwrap();
    let many: Vec<_> = (1..=20).map(|seq| order(seq, 1, &format!("o{seq}"), 1, 1)).collect();
    lake.publish(publish(&many)).await.unwrap();
    lake.inner.due.notify_one();
    // Orders wait for their interval, but the tables without rows say that they have nothing before offset 21.
    let tickets = table_index("ticket_changes").unwrap();
    for _ in 0..200 {
        if lake.view().tables[tickets]
            .snapshot
            .offsets
            .get(&(CHANGES.to_owned(), 0))
            == Some(&21)
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(
        lake.view().tables[tickets].snapshot.offsets[&(CHANGES.to_owned(), 0)],
        21
    );
    assert!(lake.view().tables[tickets].snapshot.files.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_an_older_program_gets_the_columns_it_lacks() {
    use deltalake::kernel::{StructType, engine::arrow_conversion::TryIntoKernel};
    let (_place, url) = place();
    let spec = &table_specs()[table_index("order_changes").unwrap()];
    let columns: StructType = spec.stored_schema().as_ref().try_into_kernel().unwrap();
    let older = columns.fields().filter(|field| field.name() != "source").cloned();
    backends::delta(&url, Some("order_changes"))
        .create()
        .with_columns(older)
        .with_partition_columns(["_rejected", "day"])
        .await
        .unwrap();
    for count in 1..=2 {
        let lake = Lake::open(&url, manual()).await.unwrap();
        lake.publish(publish(&[order(count, 1, "o1", count, 1250)]))
            .await
            .unwrap();
        assert_eq!(
            number(
                &lake,
                &admin(),
                "select count(*) from order_changes where source is null"
            )
            .await,
            count
        );
        lake.close().await.unwrap();
    }
}
