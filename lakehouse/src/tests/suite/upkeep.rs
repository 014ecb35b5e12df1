use super::*;
use crate::maintain::{checkpoint, compact, vacuum};
use backends::{bytes_of, names};
use deltalake::Path;

async fn files(url: &str, folder: &str, ending: &str) -> usize {
    names(url, folder, ending).await.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compaction_checkpoint_vacuum_and_log_cleanup_leave_every_row_and_offset() {
    let (_place, url) = place();
    let options = LakeOptions {
        compact_open_files: 4,
        vacuum_retention: Duration::ZERO,
        log_retention: Duration::ZERO,
        ..manual()
    };
    let lake = Lake::open(&url, options.clone()).await.unwrap();
    for seq in 1..=6 {
        let garbage = Told {
            payload: "garbage".to_owned(),
            ..order(seq * 2 + 1, 1, "x", 1, 1)
        };
        lake.publish(publish(&[order(seq * 2, 1, &format!("o{seq}"), 1, seq), garbage]))
            .await
            .unwrap();
        lake.flush().await.unwrap();
    }
    let orders = table_index("order_changes").unwrap();
    assert_eq!(files(&url, "order_changes", ".parquet").await, 12);
    lake.publish(publish(&[order(20, 2, "tail", 1, 100)])).await.unwrap();
    assert!(compact(&lake, orders).await.unwrap(), "good rows");
    assert!(compact(&lake, orders).await.unwrap(), "rejects");
    assert!(!compact(&lake, orders).await.unwrap(), "nothing is left to merge");
    // Modification times have milliseconds, and the retention is zero.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let table = &lake.inner.tables[orders];
    vacuum(&table.store, &options).await.unwrap();
    assert_eq!(files(&url, "order_changes", ".parquet").await, 2);
    checkpoint(&table.store, &options).await.unwrap();
    assert_eq!(files(&url, "order_changes/_delta_log", ".checkpoint.parquet").await, 1);
    assert_eq!(
        files(&url, "order_changes/_delta_log", ".json").await,
        1,
        "older entries are in the checkpoint"
    );
    let counts = "select (select count(*) from order_changes) * 100 + (select count(*) from rejects)";
    assert_eq!(number(&lake, &admin(), counts).await, 706);
    lake.close().await.unwrap();

    let lake = Lake::open(&url, options).await.unwrap();
    assert_eq!(lake.committed(CHANGES, 0), 21);
    assert_eq!(number(&lake, &admin(), counts).await, 706);
    assert_eq!(
        number(&lake, &admin(), "select sum(total_minor) from order_changes").await,
        121
    );
    assert_eq!(
        number(&lake, &tenant(2), "select sum(total_minor) from order_changes").await,
        100
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn personal_data_is_not_in_the_log() {
    let (_place, url) = place();
    let lake = Lake::open(&url, manual()).await.unwrap();
    let payload = format!(
        r#"{{"person_id":"p1","email":"ada@example.org","name":"Ada","phone":"+371","registered_at":{NOON},"source":null}}"#
    );
    let person = Told {
        table: "person_changes",
        seq: 1,
        organizer: 1,
        id: "p1".to_owned(),
        version: 1,
        payload,
    };
    lake.publish(publish(&[person])).await.unwrap();
    lake.flush().await.unwrap();
    assert_eq!(
        number(
            &lake,
            &admin(),
            "select count(*) from people where email = 'ada@example.org'"
        )
        .await,
        1
    );
    let log = Path::from("person_changes/_delta_log/00000000000000000001.json");
    let log = String::from_utf8(bytes_of(&url, &log).await.unwrap().to_vec()).unwrap();
    assert!(
        log.contains("p1") && !log.contains("ada@") && !log.contains("Ada") && !log.contains("+371"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upkeep_runs_by_itself() {
    let (_place, url) = place();
    let options = LakeOptions {
        commit_interval: Duration::from_millis(10),
        maintenance_interval: Duration::from_millis(20),
        compact_open_files: 3,
        checkpoint_commits: 5,
        fsync: false,
        ..Default::default()
    };
    let lake = Lake::open(&url, options).await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let (keeper, until) = (lake.clone(), stop.clone());
    let upkeep = tokio::spawn(async move { keeper.maintain(until).await });
    for seq in 1..=60 {
        lake.publish(publish(&[order(seq, 1, &format!("o{seq}"), 1, 1)]))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let orders = table_index("order_changes").unwrap();
    // What waits goes in first: one more file after the keeper has stopped would be nobody's to merge.
    lake.flush().await.unwrap();
    let started = std::time::Instant::now();
    while lake.view().tables[orders].snapshot.files.len() >= 10 && started.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    upkeep.await.unwrap();
    lake.close().await.unwrap();
    let view = lake.view();
    let snapshot = &view.tables[orders].snapshot;
    assert!(
        snapshot.version > 10 && snapshot.files.len() < 10,
        "{} {}",
        snapshot.version,
        snapshot.files.len()
    );
    assert_eq!(snapshot.rows(), 60);
}
