//! Several processes on one lake.

use super::*;

fn shared(answers: bool) -> LakeOptions {
    LakeOptions {
        shared: true,
        answers,
        follow_interval: Duration::from_millis(10),
        ..manual()
    }
}

async fn sink(url: &str, partitions: &[u32]) -> Lake {
    let lake = Lake::open(url, shared(false)).await.unwrap();
    let partitions = partitions.iter().map(|partition| (CHANGES.to_owned(), *partition));
    lake.own(partitions.collect()).await.unwrap();
    lake
}

/// A sink reads its partitions in the log's order, so it knows no watermark.
fn unordered(publish: Publish) -> Publish {
    Publish {
        watermark: None,
        ..publish
    }
}

async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..300 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 3 s: {what}");
}

const SUM: &str = "select sum(total_minor) from order_changes";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sinks_commit_their_own_partitions_to_one_table() {
    let (_place, url) = place();
    let (first, second) = (sink(&url, &[0]).await, sink(&url, &[1]).await);
    for seq in 1..=20 {
        let (lake, partition) = if seq % 2 == 0 { (&first, 0) } else { (&second, 1) };
        let order = order(seq, 1, &format!("o{seq}"), 1, seq);
        lake.publish(unordered(publish_in(partition, &[order]))).await.unwrap();
        let (one, other) = tokio::join!(first.flush(), second.flush());
        one.and(other).unwrap();
    }
    let lake = Lake::open(&url, manual()).await.unwrap();
    assert_eq!((lake.committed(CHANGES, 0), lake.committed(CHANGES, 1)), (21, 20));
    assert_eq!(number(&lake, &admin(), SUM).await, 210);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_sinks_on_one_partition_the_second_to_commit_drops_what_the_first_has() {
    let (_place, url) = place();
    // It learns of the first one's commit by its own, and not before.
    let blind = LakeOptions {
        follow_interval: Duration::from_secs(3600),
        ..shared(false)
    };
    let (first, second) = (sink(&url, &[0]).await, Lake::open(&url, blind).await.unwrap());
    second.own([(CHANGES.to_owned(), 0)].into()).await.unwrap();
    let (one, two) = (order(1, 1, "o1", 1, 1250), order(2, 1, "o2", 1, 99));
    first
        .publish(unordered(publish(std::slice::from_ref(&one))))
        .await
        .unwrap();
    second.publish(unordered(publish(&[one, two]))).await.unwrap();
    first.flush().await.unwrap();
    second.flush().await.unwrap();
    assert_eq!(
        second.committed(CHANGES, 0),
        2,
        "the first one's commit, and nothing twice"
    );
    second.flush().await.unwrap();
    let third = Lake::open(&url, manual()).await.unwrap();
    assert_eq!(third.committed(CHANGES, 0), 3);
    assert_eq!(number(&third, &admin(), SUM).await, 1349);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_moves_goes_on_where_the_lake_stands() {
    let (_place, url) = place();
    let (first, second) = (sink(&url, &[0]).await, sink(&url, &[]).await);
    first
        .publish(unordered(publish(&[order(1, 1, "o1", 1, 10)])))
        .await
        .unwrap();
    first.flush().await.unwrap();
    // This one is never committed by the first: its partition is taken away.
    first
        .publish(unordered(publish(&[order(2, 1, "o2", 1, 20)])))
        .await
        .unwrap();
    first.own([].into()).await.unwrap();
    first.flush().await.unwrap();
    second.own([(CHANGES.to_owned(), 0)].into()).await.unwrap();
    assert_eq!(second.committed(CHANGES, 0), 2);
    let again = [order(2, 1, "o2", 1, 20), order(3, 1, "o3", 1, 30)];
    second.publish(unordered(publish(&again))).await.unwrap();
    second.flush().await.unwrap();
    first.refresh().await.unwrap();
    assert_eq!(
        first.view().tail_bytes(),
        0,
        "the other's commit holds what waited here"
    );
    // And back again.
    first.own([(CHANGES.to_owned(), 0)].into()).await.unwrap();
    let more = [order(3, 1, "o3", 1, 30), order(4, 1, "o4", 1, 40)];
    first.publish(unordered(publish(&more))).await.unwrap();
    first.flush().await.unwrap();
    let lake = Lake::open(&url, manual()).await.unwrap();
    assert_eq!(number(&lake, &admin(), SUM).await, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_answers_queries_follows_the_commits_of_others_and_counts_no_row_twice() {
    let (_place, url) = place();
    let sink = sink(&url, &[0]).await;
    let reader = Lake::open(&url, shared(true)).await.unwrap();
    for seq in 1..=30 {
        let change = [order(seq, 1, &format!("o{seq}"), 1, seq)];
        sink.publish(unordered(publish(&change))).await.unwrap();
        if seq % 3 == 0 {
            sink.flush().await.unwrap();
        }
        reader.publish(publish(&change)).await.unwrap();
        assert_eq!(number(&reader, &admin(), SUM).await, seq * (seq + 1) / 2);
    }
    eventually("the reader lets go of rows that are in files", async || {
        reader.view().tail_bytes() == 0
    })
    .await;
    assert_eq!(number(&reader, &admin(), SUM).await, 465);
    let versions = || -> u64 { reader.view().tables.iter().map(|table| table.snapshot.version).sum() };
    reader.refresh().await.unwrap();
    let before = versions();
    reader.flush().await.unwrap();
    reader.refresh().await.unwrap();
    assert_eq!(
        (reader.committed(CHANGES, 0), versions()),
        (31, before),
        "it commits nothing itself"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_behind_shows_what_it_had_and_not_a_part_of_what_is_new() {
    let (_place, url) = place();
    let sink = sink(&url, &[0]).await;
    let reader = Lake::open(&url, shared(true)).await.unwrap();
    reader.publish(publish(&[order(1, 1, "o1", 1, 10)])).await.unwrap();
    let both = [order(1, 1, "o1", 1, 10), order(2, 1, "o2", 1, 20), ticket(3, 1, "o2")];
    sink.publish(unordered(publish(&both))).await.unwrap();
    crate::commit::commit_one(&sink, "order_changes").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        number(&reader, &admin(), SUM).await,
        10,
        "the order without its ticket is not shown"
    );
    reader.publish(publish(&both)).await.unwrap();
    let paid = "select sum(total_minor) from order_changes join ticket_changes using (order_id)";
    assert_eq!(number(&reader, &admin(), paid).await, 20);
    eventually("the commit is taken over", async || {
        reader.view().tables[table_index("order_changes").unwrap()]
            .open
            .is_empty()
    })
    .await;
    assert_eq!(number(&reader, &admin(), SUM).await, 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_answers_once_it_knows_up_to_where_all_is_there() {
    let (_place, url) = place();
    let sink = sink(&url, &[0]).await;
    sink.publish(unordered(publish(&[order(1, 1, "o1", 1, 10)])))
        .await
        .unwrap();
    sink.flush().await.unwrap();
    let options = LakeOptions {
        query_timeout: Duration::from_millis(200),
        ..shared(true)
    };
    let reader = Lake::open(&url, options).await.unwrap();
    let early = rows(&reader, &admin(), SUM).await;
    assert!(matches!(early, Err(crate::Error::Unavailable(_))), "{early:?}");
    reader.publish(publish(&[order(1, 1, "o1", 1, 10)])).await.unwrap();
    assert_eq!(number(&reader, &admin(), SUM).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_with_a_full_tail_gets_out_of_it_by_the_commits_of_others() {
    let (_place, url) = place();
    let sink = sink(&url, &[0]).await;
    let options = LakeOptions {
        tail_limit_bytes: 1,
        ..shared(true)
    };
    let reader = Lake::open(&url, options).await.unwrap();
    let all: Vec<_> = (1..=3).map(|seq| order(seq, 1, &format!("o{seq}"), 1, seq)).collect();
    reader.publish(publish(&all[..1])).await.unwrap();
    sink.publish(unordered(publish(&all))).await.unwrap();
    sink.flush().await.unwrap();
    let waiting = reader.publish(publish(&all));
    tokio::time::timeout(Duration::from_secs(3), waiting)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(number(&reader, &admin(), SUM).await, 6);
}
