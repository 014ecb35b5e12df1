//! Rows that wait for their own commit, while others go on.

use super::*;
use crate::{
    Error,
    commit::{commit_one, freeze},
    erase,
    maintain::compact,
};
use domain::PersonId;
use std::collections::BTreeSet;

const SOMEBODY: &str = "01900000-0000-7000-8000-000000000007";

fn sink_options() -> LakeOptions {
    LakeOptions {
        shared: true,
        answers: false,
        // Others' commits are looked for when a test asks for it.
        follow_interval: Duration::from_secs(3600),
        compact_open_files: 2,
        ..manual()
    }
}

fn looks(offsets: std::ops::Range<usize>) -> Publish {
    let by = format!("\"person_id\":\"{SOMEBODY}\"");
    let values = offsets.clone().map(|n| match n {
        0 => interaction(1, n).replace("\"person_id\":null", &by),
        _ => interaction(1, n),
    });
    let values: Vec<String> = values.collect();
    let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
    interactions(&values, offsets.start as u64)
}

/// Two sinks believe to own one partition, as it happens when one is slow to learn that it has moved. What the first has
/// set apart for its commit, and could not write, the second commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upkeep_does_not_double_rows_that_wait_here_and_that_another_has_committed() {
    let (_place, url) = place();
    let index = table_index(INTERACTIONS).unwrap();
    let owned = BTreeSet::from([(INTERACTIONS.to_owned(), 0)]);
    let first = Lake::open(&url, sink_options()).await.unwrap();
    first.own(owned.clone()).await.unwrap();
    for n in 0..2 {
        first.publish(looks(n..n + 1)).await.unwrap();
        commit_one(&first, INTERACTIONS).await.unwrap();
    }
    let second = Lake::open(&url, sink_options()).await.unwrap();
    second.own(owned).await.unwrap();
    for lake in [&first, &second] {
        lake.publish(looks(2..4)).await.unwrap();
    }
    freeze(&first, index).unwrap();
    commit_one(&second, INTERACTIONS).await.unwrap();

    let once: Vec<(i64, i64)> = (0..4).map(|offset| (0, offset)).collect();
    let compacted = compact(&first, index).await.unwrap();
    assert_eq!(visible(&first, index).await, once, "after a compaction");
    assert!(!compacted, "it waits for the commit");
    let somebody: BTreeSet<PersonId> = [SOMEBODY.parse().unwrap()].into();
    let erased = tokio::time::timeout(Duration::from_secs(60), erase::rewrite(&first, &somebody)).await;
    assert_eq!(visible(&first, index).await, once, "after an erasure");
    assert!(
        matches!(erased, Ok(Err(Error::Unavailable(_)))),
        "it waits for the commit"
    );

    // The commit finds the other's, and everything goes on.
    commit_one(&first, INTERACTIONS).await.unwrap();
    assert_eq!(visible(&first, index).await, once);
    assert!(compact(&first, index).await.unwrap());
    erase::rewrite(&first, &somebody).await.unwrap();
    assert_eq!(visible(&first, index).await, once[1..]);
    second.refresh().await.unwrap();
    assert_eq!(visible(&second, index).await, once[1..]);
}
