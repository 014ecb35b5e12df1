//! The suite on local files, and what only they can be made to do.

use super::*;
use crate::Error;

type Place = Local;

#[path = "suite/mod.rs"]
mod suite;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_fails_is_tried_again_and_meanwhile_its_rows_are_visible() {
    let place = Local::create();
    let (url, folder) = (place.url(), place.folder());
    let lake = Lake::open(&url, manual()).await.unwrap();
    let log = folder.join("lake/order_changes/_delta_log");
    let away = folder.join("away");
    std::fs::rename(&log, &away).unwrap();
    std::fs::write(&log, "in the way").unwrap();
    lake.publish(publish(&[order(1, 1, "o1", 1, 1250)])).await.unwrap();
    for _ in 0..2 {
        let failed = lake.flush().await;
        assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
    }
    lake.publish(publish(&[order(2, 1, "o2", 1, 50)])).await.unwrap();
    assert_eq!(
        number(&lake, &admin(), "select sum(total_minor) from order_changes").await,
        1300
    );
    std::fs::remove_file(&log).unwrap();
    std::fs::rename(&away, &log).unwrap();
    lake.close().await.unwrap();
    let lake = Lake::open(&url, manual()).await.unwrap();
    assert_eq!(lake.committed(CHANGES, 0), 3);
    assert_eq!(
        number(&lake, &admin(), "select sum(total_minor) from order_changes").await,
        1300
    );
}
