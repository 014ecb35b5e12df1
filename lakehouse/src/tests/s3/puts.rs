//! What is put into the store: each version once, and large files in parts.

use super::*;
use crate::store::{Commit, Outcome};
use backends::objects;
use deltalake::{
    ObjectStoreError, Path,
    logstore::object_store::{ObjectStoreExt, PutMode},
};
use random::Random;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_put_the_same_version_at_once_exactly_one_wins() {
    let Some(place) = S3::on_server() else { return };
    let writers: Vec<_> = (0..12).map(|_| objects(&place.url())).collect();
    for version in 0..20 {
        let path = Path::from(format!("_delta_log/{version:020}.json"));
        let puts = writers.iter().enumerate().map(|(n, objects)| {
            let (objects, path) = (Arc::clone(objects), path.clone());
            let body = format!("of writer {n}").repeat(1 + 100 * n);
            tokio::spawn(async move {
                let put = objects.put_opts(&path, body.clone().into(), PutMode::Create.into());
                (put.await.map(drop), body)
            })
        });
        let mut won = Vec::new();
        for put in puts.collect::<Vec<_>>() {
            match put.await.unwrap() {
                (Ok(()), body) => won.push(body),
                (Err(ObjectStoreError::AlreadyExists { .. }), _) => {}
                (Err(error), _) => panic!("{error}"),
            }
        }
        let stored = writers[0].get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(won, [String::from_utf8(stored.to_vec()).unwrap()], "version {version}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_commit_at_once_get_a_version_each_and_their_offsets_join() {
    let Some(place) = S3::on_server() else { return };
    let index = table_index("order_changes").unwrap();
    let mut lakes = Vec::new();
    for partition in 0..2 {
        let lake = Lake::open(&place.url(), manual()).await.unwrap();
        lake.publish(publish_in(partition, &[order(1, 1, "o", 1, 1)]))
            .await
            .unwrap();
        crate::commit::freeze(&lake, index).unwrap();
        lakes.push((crate::commit::prepare(&lake, index).await.unwrap(), lake));
    }
    let commits = lakes.iter().map(|(commit, lake): &(Commit, Lake)| async move {
        let base = Arc::clone(&lake.view().tables[index].snapshot);
        match lake.inner.tables[index].store.commit(&base, commit).await.unwrap() {
            Outcome::Committed(snapshot) => snapshot,
            overtaken => panic!("{overtaken:?}"),
        }
    });
    let mut after = futures::future::join_all(commits).await;
    after.sort_by_key(|snapshot| snapshot.version);
    let told: Vec<_> = after
        .iter()
        .map(|snapshot| (snapshot.version, snapshot.rows()))
        .collect();
    assert_eq!(told, [(1, 1), (2, 2)]);
    let both = [0, 1].map(|partition| ((CHANGES.to_owned(), partition), 2));
    assert_eq!(after[1].offsets, both.into());
}

/// Five MiB are what is uploaded as one; more goes in parts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_goes_up_in_parts_reads_back_as_it_was() {
    let Some(place) = S3::on_server() else { return };
    let mut random = Random::announced("a large file");
    let lake = Lake::open(&place.url(), manual()).await.unwrap();
    let mut noise = |_| char::from_digit(random.below(36) as u32, 36).unwrap();
    let values: Vec<String> = (0..30_000)
        .map(|n| interaction(1, n).replace("https://example.org/e", &(0..450).map(&mut noise).collect::<String>()))
        .collect();
    let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
    lake.publish(interactions(&values, 0)).await.unwrap();
    let all = "select interaction_id, url, properties, _offset from interactions order by _offset";
    let before = rows(&lake, &admin(), all).await.unwrap();
    lake.close().await.unwrap();

    let again = Lake::open(&place.url(), manual()).await.unwrap();
    let table = table_index(INTERACTIONS).unwrap();
    let files = again.view().tables[table].snapshot.files.clone();
    assert_eq!(files.len(), 1);
    assert!(files[0].size() > 6 << 20, "{} bytes", files[0].size());
    let path = Path::from(files[0].add.path.as_str());
    let tag = again.inner.tables[table].store.objects.head(&path).await.unwrap().e_tag;
    assert!(
        tag.as_ref().is_some_and(|tag| tag.contains('-')),
        "of several parts: {tag:?}"
    );
    let after = rows(&again, &admin(), all).await.unwrap();
    let whole = |batches: &[RecordBatch]| arrow::compute::concat_batches(batches[0].schema_ref(), batches).unwrap();
    assert_eq!(whole(&after), whole(&before));
    assert_eq!(whole(&after).num_rows(), values.len());
}
