use super::*;
use crate::{
    erase::ErasedTable,
    maintain::{checkpoint, compact},
};
use backends::{bytes_of, names};
use bytes::Bytes;
use deltalake::Path;
use domain::PersonId;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::BTreeSet;

/// What is erased, as people would know her by it.
const HERS: [&str; 3] = ["zdzislawa.qx71@forget.example.org", "Zdzislawa Qx", "+48-601-771-004"];
const PAGE: &str = "her-page-qx71";

fn person_id(n: u64) -> PersonId {
    format!("01900000-0000-7000-8000-{n:012}").parse().unwrap()
}

fn person(seq: i64, n: u64, version: i64, [email, name, phone]: [&str; 3]) -> Told {
    let id = person_id(n).to_string();
    let payload = format!(
        r#"{{"person_id":"{id}","email":"{email}","name":"{name}","phone":"{phone}","registered_at":{NOON},"source":null}}"#
    );
    Told {
        table: "person_changes",
        seq,
        organizer: 1,
        id,
        version,
        payload,
    }
}

fn other(seq: i64) -> Told {
    person(
        seq,
        500 + seq as u64,
        1,
        ["balthasar@stay.example.org", "Balthasar", "+49-1"],
    )
}

fn look(n: usize, by: Option<u64>, page: &str) -> String {
    let by = by.map_or("null".to_owned(), |by| format!("\"{}\"", person_id(by)));
    interaction(1, n)
        .replace("\"person_id\":null", &format!("\"person_id\":{by}"))
        .replace("https://example.org/e", &format!("https://example.org/{page}"))
}

/// The files in which a text stands: in their bytes, or in a value of one that is Parquet.
async fn found(url: &str, text: &str) -> Vec<Path> {
    let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let in_values = |bytes: Bytes| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let mut batches = reader.build().unwrap().map(Result::unwrap);
        batches.any(|batch| {
            let columns = batch.columns().iter().map(|column| column.to_data());
            columns
                .flat_map(|data| data.buffers().to_vec())
                .any(|buffer| has(&buffer))
        })
    };
    let mut found = Vec::new();
    for path in names(url, "", "").await {
        let bytes = bytes_of(url, &path).await.unwrap();
        if has(&bytes) || path.extension() == Some("parquet") && in_values(bytes) {
            found.push(path);
        }
    }
    found
}

fn of<'a>(erased: &'a [ErasedTable], table: &str) -> &'a ErasedTable {
    erased.iter().find(|erased| erased.table == table).unwrap()
}

async fn erase(lake: &Lake, n: u64) -> Vec<ErasedTable> {
    let people = BTreeSet::from([person_id(n)]);
    lake.erase_people(&people, Duration::ZERO).await.unwrap()
}

/// Her changes and pages among those of others, in several files, some of them compacted, with a reject of hers.
async fn filled(lake: &Lake) {
    for n in 0..4_i64 {
        let seq = 10 * n;
        let mut changes = vec![other(seq + 1)];
        if n < 3 {
            changes.push(person(seq + 2, 7, n + 1, HERS));
        }
        let mut refused = person(seq + 3, if n == 1 { 7 } else { 8 }, 1, HERS);
        if n == 1 {
            refused.payload = refused
                .payload
                .replace("\"registered_at\":", "\"registered_at\":\"never\",\"was\":");
            changes.push(refused);
        }
        lake.publish(publish(&changes)).await.unwrap();
        let first = 10 * n as usize;
        let pages = [
            look(first, Some(7), PAGE),
            look(first + 1, None, "a-page"),
            look(first + 2, Some(9), "a-page"),
        ];
        let pages: Vec<&[u8]> = pages.iter().map(String::as_bytes).collect();
        lake.publish(interactions(&pages, first as u64)).await.unwrap();
        lake.flush().await.unwrap();
        if n == 2 {
            for table in ["person_changes", "interactions"] {
                assert!(compact(lake, table_index(table).unwrap()).await.unwrap(), "{table}");
            }
        }
    }
}

fn options() -> LakeOptions {
    LakeOptions {
        compact_open_files: 3,
        ..manual()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_person_is_in_no_byte_of_any_file_and_every_other_row_stays() {
    let (_place, url) = place();
    let lake = Lake::open(&url, options()).await.unwrap();
    filled(&lake).await;
    let people = &lake.inner.tables[table_index("person_changes").unwrap()];
    checkpoint(&people.store, &lake.inner.options).await.unwrap();
    for text in HERS {
        let files = found(&url, text).await;
        assert!(files.len() > 4, "compaction left what it replaced: {files:?}");
        assert!(
            files.iter().all(|path| !path.as_ref().contains("_delta_log")),
            "{files:?}"
        );
    }
    let counts = "select (select count(*) from person_changes) * 100 + (select count(*) from interactions)";
    assert_eq!(number(&lake, &admin(), counts).await, 712);
    assert_eq!(number(&lake, &admin(), "select count(*) from rejects").await, 1);

    let erased = erase(&lake, 7).await;
    let hers = |table: &str| of(&erased, table).people.0[&person_id(7).to_string()];
    let rows = hers("person_changes");
    assert_eq!((rows.emptied, rows.deleted), (3, 1));
    let rows = hers("interactions");
    assert_eq!((rows.emptied, rows.deleted), (0, 4));
    assert!(of(&erased, "person_changes").files_deleted > of(&erased, "person_changes").files_rewritten);
    for text in HERS.iter().chain(&[PAGE]) {
        assert_eq!(found(&url, text).await, Vec::<Path>::new(), "{text}");
    }
    let others = "select count(*) from people where email = 'balthasar@stay.example.org'";
    for again in [false, true] {
        assert_eq!(number(&lake, &admin(), counts).await, 708);
        assert_eq!(number(&lake, &admin(), "select count(*) from rejects").await, 0);
        assert_eq!(number(&lake, &admin(), others).await, 4);
        let versions = "select sum(entity_version) from person_changes where email is null and name is null";
        assert_eq!(
            number(&lake, &admin(), versions).await,
            6,
            "all three changes are there"
        );
        if !again {
            let nothing = erase(&lake, 7).await;
            assert!(
                nothing
                    .iter()
                    .all(|table| table.people.0.is_empty() && table.files_deleted == 0)
            );
        }
    }
    lake.close().await.unwrap();

    let lake = Lake::open(&url, options()).await.unwrap();
    assert_eq!((lake.committed(CHANGES, 0), lake.committed(INTERACTIONS, 0)), (32, 33));
    assert_eq!(number(&lake, &admin(), counts).await, 708);
    lake.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_was_cut_off_is_completed_by_the_next() {
    let (_place, url) = place();
    let lake = Lake::open(&url, options()).await.unwrap();
    filled(&lake).await;
    // Cut off in its grace: the files are written again, the old ones are there.
    let people = BTreeSet::from([person_id(7)]);
    let cut_off = lake.erase_people(&people, Duration::from_secs(3600));
    assert!(tokio::time::timeout(Duration::from_secs(10), cut_off).await.is_err());
    let empty = "select count(*) from person_changes where email is null";
    assert_eq!(number(&lake, &admin(), empty).await, 3);
    assert!(!found(&url, HERS[0]).await.is_empty());
    let erased = erase(&lake, 7).await;
    assert_eq!(of(&erased, "person_changes").files_rewritten, 0);
    assert_eq!(found(&url, HERS[0]).await, Vec::<Path>::new());
    lake.close().await.unwrap();
}

/// Another process commits and compacts all the while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_and_the_commits_and_compactions_of_others_lose_nothing() {
    let (_place, url) = place();
    let shared = || LakeOptions {
        shared: true,
        answers: false,
        follow_interval: Duration::from_millis(20),
        compact_open_files: 2,
        ..manual()
    };
    let partitions = BTreeSet::from([(CHANGES.to_owned(), 0), (INTERACTIONS.to_owned(), 0)]);
    let (sink, worker) = (
        Lake::open(&url, shared()).await.unwrap(),
        Lake::open(&url, shared()).await.unwrap(),
    );
    sink.own(partitions).await.unwrap();
    for seq in (1..=20).map(|n| 2 * n) {
        let changes = [person(seq, 7, seq / 2, HERS), other(seq + 1)];
        sink.publish(publish(&changes)).await.unwrap();
        sink.flush().await.unwrap();
    }
    worker.refresh().await.unwrap();
    let erasing = async { erase(&worker, 7).await };
    let others = async {
        for seq in 50..80 {
            sink.publish(publish(&[other(seq)])).await.unwrap();
            sink.flush().await.unwrap();
            // One of them may find its files gone.
            let _ = compact(&sink, table_index("person_changes").unwrap()).await;
        }
    };
    let (erased, ()) = tokio::join!(erasing, others);
    let rows = of(&erased, "person_changes").people.0[&person_id(7).to_string()];
    assert_eq!(rows.emptied, 20);
    // What a compaction was reading while its files were replaced lies about, and the next pass finds it.
    erase(&worker, 7).await;
    assert_eq!(found(&url, HERS[0]).await, Vec::<Path>::new());
    sink.close().await.unwrap();
    worker.close().await.unwrap();
    let reader = Lake::open(&url, manual()).await.unwrap();
    let all = "select count(*) * 1000 + count(email) from person_changes";
    assert_eq!(number(&reader, &admin(), all).await, 70_050);
    reader.close().await.unwrap();
}
