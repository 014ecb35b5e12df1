//! Files of the store on the local disk.

use super::{faults::way, *};
use crate::{
    cache::{CachedFiles, FileCache},
    maintain::compact,
};
use backends::objects;
use deltalake::{Path, logstore::object_store::ObjectStoreExt};
use metrics_exporter_prometheus::PrometheusBuilder;
use proxy::Mode;
use std::{path, sync::Arc};

/// What the copies in a cache's folder are in bytes.
fn copies(folder: &path::Path) -> Vec<u64> {
    let tables = std::fs::read_dir(folder).unwrap().map(|table| table.unwrap().path());
    let files = tables.flat_map(|table| std::fs::read_dir(table).unwrap());
    files.map(|file| file.unwrap().metadata().unwrap().len()).collect()
}

/// On one thread, so that what it counts is counted here.
#[tokio::test]
async fn what_is_read_again_does_not_touch_the_network_and_the_limit_holds() {
    let Some(place) = S3::on_server() else { return };
    let (proxy, url) = way(&place);
    let folder = tempfile::tempdir().unwrap();
    let recorder = PrometheusBuilder::new().build_recorder();
    let figures = recorder.handle();
    let _counted = metrics::set_default_local_recorder(&recorder);
    let counted = |name: &str| -> u64 {
        let (all, name) = (figures.render(), format!("bilten_lake_cache_{name}_total "));
        let found = all.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok());
        found.unwrap_or(0)
    };
    let bytes = |n: u8| vec![n; 100_000];
    let path = |n: u8| Path::from(format!("orders/{n}.parquet"));
    let stored = objects(&place.url());
    for n in 0..4 {
        stored.put(&path(n), bytes(n).into()).await.unwrap();
    }
    let cache = Arc::new(FileCache::open(folder.path().to_owned(), 350_000).unwrap());
    let files = CachedFiles::new("orders", objects(&url), cache);
    let read = async |n: u8| files.get(&path(n)).await?.bytes().await;
    for n in 0..3 {
        assert_eq!(read(n).await.unwrap(), bytes(n));
    }
    assert_eq!((counted("misses"), counted("hits")), (3, 0));
    proxy.set(Mode::Cut);
    for n in 0..3 {
        assert_eq!(read(n).await.unwrap(), bytes(n), "the network is away");
        assert_eq!(files.get_range(&path(n), 5..9).await.unwrap(), bytes(n)[5..9]);
    }
    assert_eq!((counted("misses"), counted("hits")), (3, 6));
    proxy.set(Mode::Pass);
    assert_eq!(read(3).await.unwrap(), bytes(3));
    assert_eq!(copies(folder.path()), [100_000; 3]);
    proxy.set(Mode::Cut);
    assert!(read(0).await.is_err(), "it was used longest ago, and made room");
    assert_eq!(read(1).await.unwrap(), bytes(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_asked_again_needs_no_network_and_a_compacted_files_copy_goes() {
    let Some(place) = S3::on_server() else { return };
    let (proxy, url) = way(&place);
    let folder = tempfile::tempdir().unwrap();
    let options = LakeOptions {
        cache: Some((folder.path().to_owned(), 64 << 20)),
        compact_open_files: 3,
        ..manual()
    };
    let lake = Lake::open(&url, options).await.unwrap();
    let sum = async || number(&lake, &admin(), "select sum(total_minor) from order_changes").await;
    for seq in 1..=3 {
        lake.publish(publish(&[order(seq, 1, &format!("o{seq}"), 1, seq)]))
            .await
            .unwrap();
        lake.flush().await.unwrap();
    }
    assert_eq!(sum().await, 6);
    assert_eq!(copies(folder.path()).len(), 3);
    proxy.set(Mode::Cut);
    assert_eq!(sum().await, 6, "the network is away");
    proxy.set(Mode::Pass);
    assert!(compact(&lake, table_index("order_changes").unwrap()).await.unwrap());
    assert_eq!(copies(folder.path()), [0; 0], "no version names them");
    assert_eq!(sum().await, 6);
    assert_eq!(copies(folder.path()).len(), 1);
}
