use super::*;
use crate::maintain::compact;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_visible_before_and_after_their_commit_exactly_once() {
    let (_place, url) = place();
    let lake = Lake::open(&url, manual()).await.unwrap();
    for seq in 1..=30 {
        lake.publish(publish(&[order(seq, 1, &format!("o{seq}"), 1, seq)]))
            .await
            .unwrap();
        if seq % 7 == 0 {
            lake.flush().await.unwrap();
        }
        assert_eq!(number(&lake, &admin(), "select count(*) from order_changes").await, seq);
        let up_to = format!("select sum(total_minor) from order_changes where seq <= {}", seq - 1);
        if seq > 1 {
            assert_eq!(number(&lake, &admin(), &up_to).await, (seq - 1) * seq / 2);
        }
    }
    assert_eq!(lake.watermark(), 30);
    lake.wait_for(30, Duration::from_millis(1)).await.unwrap();
    assert!(lake.wait_for(31, Duration::from_millis(1)).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_shows_the_latest_version_of_each_thing() {
    let (_place, url) = place();
    let lake = Lake::open(&url, manual()).await.unwrap();
    lake.publish(publish(&[order(1, 1, "o1", 1, 100), order(2, 1, "o2", 1, 10)]))
        .await
        .unwrap();
    lake.flush().await.unwrap();
    lake.publish(publish(&[order(3, 1, "o1", 2, 200)])).await.unwrap();
    assert_eq!(
        number(&lake, &admin(), "select sum(total_minor) from orders").await,
        210
    );
    assert_eq!(
        number(&lake, &admin(), "select total_minor from orders where order_id = 'o1'").await,
        200
    );
    assert_eq!(
        number(&lake, &admin(), "select count(*) from orders where total_minor = 100").await,
        0
    );
    assert_eq!(
        number(&lake, &admin(), "select count(*) from lake.order_changes").await,
        3
    );
    assert_eq!(
        number(
            &lake,
            &admin(),
            "select lines[1]['unit_minor'] from orders where order_id = 'o2'"
        )
        .await,
        10
    );
}

/// Writers publish orders with their tickets, one publish a command; readers must never see the one without the other,
/// whatever commits and compactions do meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn queries_see_whole_commands_while_rows_are_published_committed_and_compacted() {
    let (_place, url) = place();
    let options = LakeOptions {
        commit_interval: Duration::from_millis(20),
        compact_open_files: 3,
        fsync: false,
        ..Default::default()
    };
    let lake = Lake::open(&url, options).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let commands = 150;
    let writer = {
        let (lake, done) = (lake.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            for n in 0..commands {
                let (seq, id) = (n * 3 + 1, format!("o{n}"));
                let command = [
                    order(seq, 1, &id, 1, 2500),
                    ticket(seq + 1, 1, &id),
                    ticket(seq + 2, 1, &id),
                ];
                lake.publish(publish(&command)).await.unwrap();
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            done.store(true, Ordering::SeqCst);
        })
    };
    let compactor = {
        let (lake, done) = (lake.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut compacted = 0;
            while !done.load(Ordering::SeqCst) {
                for index in 0..lake.inner.tables.len() {
                    compacted += usize::from(compact(&lake, index).await.unwrap());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            compacted
        })
    };
    let mut seen = 0;
    while !done.load(Ordering::SeqCst) {
        let stream = lake
            .session(&tenant(1))
            .sql("select (select count(*) from order_changes) * 2 - (select count(*) from ticket_changes)")
            .await
            .unwrap();
        let whole = stream.watermark() % 3 == 0;
        let batches = stream.collect().await.unwrap();
        let half = batches[0].column(0).as_primitive::<Int64Type>().value(0);
        assert!(whole && half == 0, "{half} tickets are missing");
        let count = number(&lake, &admin(), "select count(distinct seq) from order_changes").await;
        assert_eq!(count, number_of_all(&lake, count).await);
        assert!(count >= seen);
        seen = count;
    }
    writer.await.unwrap();
    assert!(compactor.await.unwrap() > 2, "the test is about compaction too");
    lake.close().await.unwrap();
    for reopened in [lake, Lake::open(&url, manual()).await.unwrap()] {
        for (count, expected) in [
            ("select count(*) from order_changes", commands),
            ("select count(distinct order_id) from orders", commands),
            ("select count(*) from ticket_changes", commands * 2),
        ] {
            assert_eq!(number(&reopened, &admin(), count).await, expected, "{count}");
        }
    }
}

/// The count of rows that were there when `count` different ones were: duplicates would make it larger.
async fn number_of_all(lake: &Lake, count: i64) -> i64 {
    number(
        lake,
        &admin(),
        &format!("select count(*) from order_changes where seq <= {}", count * 3 - 2),
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_outside_of_a_range_of_seq_are_not_read() {
    let (_place, url) = place();
    let lake = Lake::open(&url, manual()).await.unwrap();
    for seq in 1..=5 {
        lake.publish(publish(&[order(seq, 1, &format!("o{seq}"), 1, seq)]))
            .await
            .unwrap();
        lake.flush().await.unwrap();
    }
    let plan = table(&lake, &admin(), "explain select * from order_changes where seq <= 2").await;
    assert_eq!(plan.matches(".parquet").count(), 2, "{plan}");
    let plan = table(&lake, &admin(), "explain select * from orders where order_id = 'o4'").await;
    assert_eq!(plan.matches(".parquet").count(), 2, "{plan}");
    let plan = table(
        &lake,
        &admin(),
        "explain select * from order_changes where day = date '2026-05-02'",
    )
    .await;
    assert_eq!(plan.matches(".parquet").count(), 0, "{plan}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publish_waits_when_the_tails_are_full_and_goes_on_after_a_commit() {
    let (_place, url) = place();
    let lake = Lake::open(
        &url,
        LakeOptions {
            tail_limit_bytes: 1,
            commit_bytes: usize::MAX,
            ..manual()
        },
    )
    .await
    .unwrap();
    lake.publish(publish(&[order(1, 1, "o1", 1, 1)])).await.unwrap();
    let full = lake.publish(publish(&[order(2, 1, "o2", 1, 1)]));
    assert!(tokio::time::timeout(Duration::from_millis(50), full).await.is_err());
    let (waiting, flushed) = tokio::join!(lake.publish(publish(&[order(2, 1, "o2", 1, 1)])), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        lake.flush().await
    });
    waiting.unwrap();
    flushed.unwrap();
    assert_eq!(number(&lake, &admin(), "select count(*) from order_changes").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_system_schema_tells_freshness_lag_tables_commits_and_queries() {
    let (_place, url) = place();
    let lake = Lake::open(&url, manual()).await.unwrap();
    lake.publish(publish(&[order(1, 1, "o1", 1, 1)])).await.unwrap();
    lake.flush().await.unwrap();
    lake.publish(publish(&[order(2, 1, "o2", 1, 1)])).await.unwrap();
    lake.report_lag(vec![crate::Lag {
        source: "outbox".to_owned(),
        end: 9,
        applied: 2,
    }]);
    let fresh = table(
        &lake,
        &admin(),
        "select visible_seq, visible_offsets, committed_offsets, tail_rows, last_visible_at
         from system.freshness where table_name = 'order_changes'",
    )
    .await;
    assert!(
        fresh.contains(
            "| 2           | 3               | 2                 | 1         | 2026-05-01T12:00:00.000002Z |"
        ),
        "{fresh}"
    );
    assert_eq!(
        number(&lake, &admin(), "select lag from system.lag where source = 'outbox'").await,
        7
    );
    let size = "select files + rows from system.tables where table_name = 'order_changes'";
    assert_eq!(number(&lake, &admin(), size).await, 2);
    let writes = "select count(*) from system.commits where table_name = 'order_changes' and operation = 'WRITE'";
    assert_eq!(number(&lake, &admin(), writes).await, 1);
    assert_eq!(
        number(
            &lake,
            &tenant(1),
            "select count(*) from system.queries where principal = 'user-1'"
        )
        .await,
        1
    );
    // A query leaves the list when its task has stopped.
    for _ in 0..100 {
        if lake.inner.engine.running().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", lake.inner.engine.running());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_knows_what_time_it_is_in_tables_and_in_views() {
    let (_place, url) = place();
    let lake = Lake::open(&url, manual()).await.unwrap();
    lake.publish(publish(&[order(1, 1, "o1", 1, 100)])).await.unwrap();
    for table in ["order_changes", "orders"] {
        let before = format!("select count(*) from {table} where paid_at < now() + interval '100 years'");
        let after = format!("select count(*) from {table} where paid_at > now() + interval '100 years'");
        assert_eq!(number(&lake, &admin(), &before).await, 1, "{table}");
        assert_eq!(number(&lake, &tenant(1), &after).await, 0, "{table}");
    }
}
