//! What [`EventLog`] promises, as checks that every adapter must pass.

#![expect(clippy::unwrap_used, reason = "a check that fails must say where")]

use super::{APPEND_LIMIT, EventLog, LogError, RECORD_LIMIT};
use crate::{
    CHANGES, HeadersBuilder, INTERACTIONS, LogRecord, Record,
    log::{Membership, Partitions},
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Runs all checks. `open` opens the same log each time, and is called only when the one before is closed.
pub async fn holds(open: impl AsyncFn() -> Arc<dyn EventLog>) {
    let log = open().await;
    what_is_appended_is_read_in_order(&*log).await;
    an_offset_that_is_not_there_is_an_error(&*log).await;
    a_reader_is_woken(log.clone()).await;
    appends_at_once_all_get_their_own_offsets(log.clone()).await;
    what_is_too_large_is_refused_and_harms_nothing(&*log).await;
    nothing_above_the_floor_is_let_go(&*log).await;
    reads_go_back_and_forth(&*log).await;
    members_have_all_partitions_between_them(&*log).await;
    log.close().await;
    assert!(matches!(log.read(CHANGES, 0, 0, 1).await, Err(LogError::Closed)));
    assert!(matches!(log.join("group").await.err(), Some(LogError::Closed)));
    assert!(matches!(
        log.append(CHANGES, 0, vec![record("x")]).await,
        Err(LogError::Closed)
    ));
    what_was_answered_survives_reopening(&open).await;
}

fn record(value: &str) -> Record {
    Record {
        key: format!("key of {value}").into(),
        headers: HeadersBuilder::default().push("name", value).build(),
        value: value.to_owned().into(),
    }
}

/// A read gives what is at hand, and nothing only at the end.
async fn read_to_the_end(log: &dyn EventLog, topic: &str, partition: u32, from: u64) -> Vec<LogRecord> {
    let mut all: Vec<LogRecord> = Vec::new();
    loop {
        let next = all.last().map_or(from, |last| last.offset + 1);
        let read = log.read(topic, partition, next, 1 << 20).await.unwrap();
        if read.is_empty() {
            return all;
        }
        all.extend(read);
    }
}

async fn what_is_appended_is_read_in_order(log: &dyn EventLog) {
    let first = log.end_offset(CHANGES, 0).await.unwrap();
    let other = log.end_offset(CHANGES, 1).await.unwrap();
    let batch: Vec<Record> = ["a", "", "c"].map(record).into();
    assert_eq!(log.append(CHANGES, 0, batch.clone()).await.unwrap(), first);
    assert_eq!(log.append(CHANGES, 0, vec![record("d")]).await.unwrap(), first + 3);
    assert_eq!(log.append(CHANGES, 0, vec![]).await.unwrap(), first + 4);
    let read = read_to_the_end(log, CHANGES, 0, first).await;
    let offsets: Vec<u64> = read.iter().map(|read| read.offset).collect();
    assert_eq!(offsets, [first, first + 1, first + 2, first + 3]);
    assert_eq!(
        read.into_iter().take(3).map(|read| read.record).collect::<Vec<_>>(),
        batch
    );
    let one = log.read(CHANGES, 0, first + 2, 1).await.unwrap();
    assert_eq!(
        one[0].record,
        record("c"),
        "a limit below one record's size still gives one"
    );
    assert_eq!(log.read(CHANGES, 0, first + 4, 1 << 20).await.unwrap(), []);
    assert_eq!(log.last(CHANGES, 0).await.unwrap().unwrap().record, record("d"));
    assert_eq!(log.end_offset(CHANGES, 1).await.unwrap(), other, "partitions are apart");
}

async fn an_offset_that_is_not_there_is_an_error(log: &dyn EventLog) {
    let end = log.end_offset(CHANGES, 0).await.unwrap();
    let beyond = log.read(CHANGES, 0, end + 1, 1).await;
    assert!(
        matches!(beyond, Err(LogError::OffsetOutOfRange { end: said, .. }) if said == end),
        "{beyond:?}"
    );
    let partitions = log.partitions(CHANGES).unwrap();
    let nowhere = log.read(CHANGES, partitions, 0, 1).await;
    assert!(matches!(nowhere, Err(LogError::UnknownPartition { .. })), "{nowhere:?}");
    assert!(log.partitions("no such topic").is_err());
}

async fn a_reader_is_woken(log: Arc<dyn EventLog>) {
    let mut appended = log.appended(INTERACTIONS).unwrap();
    appended.mark_unchanged();
    let end = log.end_offset(INTERACTIONS, 1).await.unwrap();
    let reader = tokio::spawn({
        let log = log.clone();
        async move {
            appended.changed().await.unwrap();
            log.read(INTERACTIONS, 1, end, 1).await.unwrap()
        }
    });
    log.append(INTERACTIONS, 1, vec![record("wake up")]).await.unwrap();
    let woken = tokio::time::timeout(Duration::from_secs(10), reader).await;
    assert_eq!(woken.unwrap().unwrap()[0].record, record("wake up"));
}

async fn appends_at_once_all_get_their_own_offsets(log: Arc<dyn EventLog>) {
    let first = log.end_offset(INTERACTIONS, 0).await.unwrap();
    let appends = (0..100).map(|n| {
        let log = log.clone();
        tokio::spawn(async move {
            let batch = vec![record(&format!("{n}/0")), record(&format!("{n}/1"))];
            (n, log.append(INTERACTIONS, 0, batch).await.unwrap())
        })
    });
    let mut taken = Vec::new();
    for append in appends.collect::<Vec<_>>() {
        let (n, offset) = append.await.unwrap();
        let read = log.read(INTERACTIONS, 0, offset, 1).await.unwrap();
        assert_eq!(read[0].record, record(&format!("{n}/0")));
        let read = log.read(INTERACTIONS, 0, offset + 1, 1).await.unwrap();
        assert_eq!(read[0].record, record(&format!("{n}/1")), "one append stays together");
        taken.push(offset);
    }
    taken.sort_unstable();
    assert_eq!(taken, (0..100).map(|n| first + 2 * n).collect::<Vec<_>>());
}

async fn what_is_too_large_is_refused_and_harms_nothing(log: &dyn EventLog) {
    let end = log.end_offset(CHANGES, 2).await.unwrap();
    let of = |bytes: usize| Record {
        value: vec![7; bytes].into(),
        ..Record::default()
    };
    let record_too_large = log.append(CHANGES, 2, vec![record("fits"), of(RECORD_LIMIT + 1)]).await;
    assert!(
        matches!(record_too_large, Err(LogError::TooLarge { .. })),
        "{record_too_large:?}"
    );
    let together = vec![of(RECORD_LIMIT); APPEND_LIMIT / RECORD_LIMIT];
    let append_too_large = log.append(CHANGES, 2, together).await;
    assert!(
        matches!(append_too_large, Err(LogError::TooLarge { .. })),
        "{append_too_large:?}"
    );
    assert_eq!(log.end_offset(CHANGES, 2).await.unwrap(), end);
    assert_eq!(log.append(CHANGES, 2, vec![of(RECORD_LIMIT)]).await.unwrap(), end);
    assert_eq!(log.read(CHANGES, 2, end, 1).await.unwrap()[0].record, of(RECORD_LIMIT));
}

async fn nothing_above_the_floor_is_let_go(log: &dyn EventLog) {
    let end = log.end_offset(CHANGES, 0).await.unwrap();
    let floor = end - 2;
    let start = log.retain(CHANGES, 0, floor).await.unwrap();
    assert!(start <= floor, "{start} {floor}");
    assert_eq!(log.start_offset(CHANGES, 0).await.unwrap(), start);
    assert_eq!(read_to_the_end(log, CHANGES, 0, floor).await.len(), 2);
    log.retain(CHANGES, 0, end).await.unwrap();
    assert_eq!(
        log.last(CHANGES, 0).await.unwrap().unwrap().offset,
        end - 1,
        "the newest record stays"
    );
}

async fn reads_go_back_and_forth(log: &dyn EventLog) {
    let (start, end) = (
        log.start_offset(INTERACTIONS, 0).await.unwrap(),
        log.end_offset(INTERACTIONS, 0).await.unwrap(),
    );
    let all = read_to_the_end(log, INTERACTIONS, 0, start).await;
    assert_eq!(all.len() as u64, end - start);
    for from in [start + 7, end - 1, start + 8, start + 9, start] {
        let read = log.read(INTERACTIONS, 0, from, 1).await.unwrap();
        assert_eq!(read[0], all[(from - start) as usize], "{from}");
    }
}

async fn members_have_all_partitions_between_them(log: &dyn EventLog) {
    let topics = [CHANGES, INTERACTIONS];
    let of = |topic: &'static str| (0..log.partitions(topic).unwrap()).map(move |number| (topic.to_owned(), number));
    let all: Partitions = topics.into_iter().flat_map(of).collect();
    let first = log.join("group").await.unwrap();
    until_they_have(&all, &[&*first]).await;
    first.record(&[(CHANGES.to_owned(), 0, 1)]).await;
    let second = log.join("group").await.unwrap();
    until_they_have(&all, &[&*second, &*first]).await;
    first.leave().await;
    until_they_have(&all, &[&*second]).await;
    second.leave().await;
}

/// Waits until each member has some partition, and all together have all.
pub(super) async fn until_they_have(all: &Partitions, members: &[&dyn Membership]) {
    let mut assigned: Vec<_> = members.iter().map(|member| member.assigned()).collect();
    let settled = async {
        loop {
            let parts: Vec<_> = assigned
                .iter_mut()
                .map(|one| Arc::clone(&one.borrow_and_update()))
                .collect();
            let together: Partitions = parts.iter().flat_map(|part| part.iter().cloned()).collect();
            if together == *all && parts.iter().all(|part| !part.is_empty()) {
                return;
            }
            let changes = assigned.iter_mut().map(|one| Box::pin(one.changed()));
            futures::future::select_all(changes).await.0.unwrap();
        }
    };
    timeout(Duration::from_secs(30), settled).await.unwrap();
}

async fn what_was_answered_survives_reopening(open: impl AsyncFn() -> Arc<dyn EventLog>) {
    let log = open().await;
    let offset = log.append(CHANGES, 3, vec![record("kept")]).await.unwrap();
    log.close().await;
    let log = open().await;
    assert_eq!(log.end_offset(CHANGES, 3).await.unwrap(), offset + 1);
    assert_eq!(log.last(CHANGES, 3).await.unwrap().unwrap().record, record("kept"));
    assert_eq!(log.append(CHANGES, 3, vec![record("next")]).await.unwrap(), offset + 1);
    log.close().await;
}
