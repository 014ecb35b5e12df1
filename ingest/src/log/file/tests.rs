use super::*;
use crate::{CHANGES, INTERACTIONS, log::contract};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::Duration;
use tempfile::TempDir;

const SMALL_SEGMENTS: u64 = 300;

fn options(segment_bytes: u64) -> LogOptions {
    LogOptions {
        segment_bytes,
        ..LogOptions::default()
    }
}

async fn open(folder: &Path) -> FileLog {
    FileLog::open(folder, options(SMALL_SEGMENTS)).await.unwrap()
}

fn record(value: impl Into<Vec<u8>>) -> Record {
    Record {
        value: Bytes::from(value.into()),
        ..Record::default()
    }
}

async fn append(log: &FileLog, values: &[&str]) -> u64 {
    let records = values.iter().map(|value| record(*value)).collect();
    log.append(CHANGES, 0, records).await.unwrap()
}

/// All there is to read, with damaged records left out.
async fn read_all(log: &FileLog) -> Vec<(u64, String)> {
    let mut from = log.start_offset(CHANGES, 0).await.unwrap();
    let mut all = Vec::new();
    loop {
        match log.read(CHANGES, 0, from, 500).await {
            Ok(records) if records.is_empty() => return all,
            Ok(records) => {
                assert_eq!(records[0].offset, from);
                from = records.last().unwrap().offset + 1;
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                all.extend(records.iter().map(|read| (read.offset, text(&read.record.value))));
            }
            Err(LogError::Corrupt { offset, resume, .. }) => {
                assert!(offset <= from && from < resume, "{offset} {from} {resume}");
                from = resume;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("changes/0")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_log_holds_the_contract() {
    for segment_bytes in [SMALL_SEGMENTS, 64 << 20] {
        let folder = TempDir::new().unwrap();
        let open = async || {
            let log = FileLog::open(folder.path(), options(segment_bytes)).await.unwrap();
            Arc::new(log) as Arc<dyn EventLog>
        };
        contract::holds(open).await;
    }
}

#[tokio::test]
async fn a_tail_torn_at_any_byte_is_cut_at_the_last_whole_append_and_said() {
    let whole = TempDir::new().unwrap();
    let log = FileLog::open(whole.path(), options(1 << 20)).await.unwrap();
    append(&log, &["first", "second"]).await;
    let kept = fs::metadata(&segments(whole.path())[0]).unwrap().len();
    append(&log, &["third", "fourth"]).await;
    log.close().await;
    let path = &segments(whole.path())[0];
    let bytes = fs::read(path).unwrap();
    for cut in kept..bytes.len() as u64 {
        fs::write(path, &bytes[..cut as usize]).unwrap();
        let log = FileLog::open(whole.path(), options(1 << 20)).await.unwrap();
        let expected = Recovered {
            file: path.clone(),
            next_offset: 2,
            cut_bytes: cut - kept,
        };
        let said: &[Recovered] = if cut == kept { &[] } else { &[expected] };
        assert_eq!(log.recovered(), said);
        assert_eq!(append(&log, &["after"]).await, 2);
        let values: Vec<String> = read_all(&log).await.into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, ["first", "second", "after"]);
        log.close().await;
    }
}

#[tokio::test]
async fn damage_in_an_older_segment_is_named_and_can_be_passed() {
    let folder = TempDir::new().unwrap();
    let log = open(folder.path()).await;
    let value = "x".repeat(100);
    for _ in 0..8 {
        append(&log, &[&value]).await;
    }
    log.close().await;
    let damaged = segments(folder.path())[1].clone();
    let mut bytes = fs::read(&damaged).unwrap();
    let frame = bytes.len() / 2;
    bytes[frame + 60] ^= 1;
    fs::write(&damaged, bytes).unwrap();

    let log = open(folder.path()).await;
    assert_eq!(log.recovered(), []);
    assert_eq!(
        log.read(CHANGES, 0, 0, 1 << 20).await.unwrap().len(),
        3,
        "up to the damage"
    );
    let error = log.read(CHANGES, 0, 3, 1 << 20).await.unwrap_err();
    let LogError::Corrupt {
        file,
        position,
        offset,
        resume,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((file, position, offset, resume), (damaged, frame as u64, 3, 4));
    assert_eq!(log.read(CHANGES, 0, 4, 1 << 20).await.unwrap().len(), 4);
}

#[tokio::test]
async fn retention_stops_at_the_floor_and_reading_below_it_says_where_the_log_starts() {
    let folder = TempDir::new().unwrap();
    let mut greedy = options(SMALL_SEGMENTS);
    greedy.retention = Retention {
        age: Duration::ZERO,
        bytes: 0,
    };
    let log = FileLog::open(folder.path(), greedy).await.unwrap();
    let value = "x".repeat(200);
    for _ in 0..6 {
        append(&log, &[&value]).await;
    }
    assert_eq!(log.retain(CHANGES, 0, 0).await.unwrap(), 0);
    assert_eq!(log.retain(CHANGES, 0, 3).await.unwrap(), 3);
    assert_eq!(segments(folder.path()).len(), 3);
    let error = log.read(CHANGES, 0, 2, 1).await.unwrap_err();
    assert!(
        matches!(error, LogError::OffsetOutOfRange { start: 3, end: 6, .. }),
        "{error}"
    );
    assert_eq!(
        log.retain(CHANGES, 0, u64::MAX).await.unwrap(),
        5,
        "the newest record stays"
    );
    log.close().await;
    let log = open(folder.path()).await;
    assert_eq!(log.start_offset(CHANGES, 0).await.unwrap(), 5);
    assert_eq!(
        log.retain(CHANGES, 0, u64::MAX).await.unwrap(),
        5,
        "files that are young and few stay"
    );
}

#[tokio::test]
async fn a_topic_keeps_the_partitions_it_was_created_with() {
    let folder = TempDir::new().unwrap();
    open(folder.path()).await.close().await;
    let more = LogOptions {
        topics: vec![(CHANGES.to_owned(), 9), ("new".to_owned(), 1)],
        ..LogOptions::default()
    };
    let log = FileLog::open(folder.path(), more).await.unwrap();
    assert_eq!(
        (log.partitions(CHANGES).unwrap(), log.partitions("new").unwrap()),
        (4, 1)
    );
    assert!(
        log.partitions(INTERACTIONS).is_err(),
        "only what was asked for is opened"
    );
}

/// The test that called this runs again, alone in a process of its own, under a shell command.
fn again_in_a_child(test: &str, before: &str, folder: &Path) -> std::process::Output {
    std::process::Command::new("sh")
        .arg("-c")
        .arg(format!(
            "{before} exec \"$0\" --exact --nocapture log::file::tests::{test}"
        ))
        .arg(std::env::current_exe().unwrap())
        .env("LOG_FOLDER_OF_CHILD", folder)
        .output()
        .unwrap()
}

fn folder_of_child() -> Option<PathBuf> {
    std::env::var_os("LOG_FOLDER_OF_CHILD").map(PathBuf::from)
}

#[tokio::test]
async fn a_folder_in_use_by_another_process_is_refused_until_that_one_is_gone() {
    if let Some(folder) = folder_of_child() {
        let error = FileLog::open(folder, LogOptions::default()).await.unwrap_err();
        assert!(matches!(error, LogError::InUse { pid: Some(_), .. }), "{error}");
        return;
    }
    let folder = TempDir::new().unwrap();
    let log = open(folder.path()).await;
    let test = "a_folder_in_use_by_another_process_is_refused_until_that_one_is_gone";
    let child = again_in_a_child(test, "", folder.path());
    assert!(child.status.success(), "{child:?}");
    let error = FileLog::open(folder.path(), LogOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    log.close().await;
    open(folder.path()).await;
}

/// The shell's limit on file sizes stands for a full disk: the write is cut short in the same way.
#[tokio::test]
async fn a_full_disk_is_a_typed_error_that_loses_nothing_and_passes() {
    if let Some(folder) = folder_of_child() {
        let log = FileLog::open(folder, LogOptions::default()).await.unwrap();
        append(&log, &["before"]).await;
        let large = record(vec![7; 100_000]);
        let full = log.append(CHANGES, 0, vec![large]).await.unwrap_err();
        assert!(matches!(full, LogError::Full { .. }) && full.is_transient(), "{full}");
        assert_eq!(append(&log, &["after"]).await, 1);
        return;
    }
    let folder = TempDir::new().unwrap();
    let test = "a_full_disk_is_a_typed_error_that_loses_nothing_and_passes";
    let child = again_in_a_child(test, "trap '' XFSZ; ulimit -f 64;", folder.path());
    assert!(child.status.success(), "{child:?}");
    let log = open(folder.path()).await;
    assert_eq!(log.recovered(), []);
    let expected = [(0, "before".to_owned()), (1, "after".to_owned())];
    assert_eq!(read_all(&log).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_a_kill_is_there_after_it() {
    let folder = TempDir::new().unwrap();
    let log = Arc::new(FileLog::open(folder.path(), options(20_000)).await.unwrap());
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let log = log.clone();
            tokio::spawn(async move {
                for n in 0..200 {
                    let batch = (0..3).map(|part| record(format!("{writer}/{n}/{part}")));
                    log.append(CHANGES, 0, batch.collect()).await.unwrap();
                }
            })
        })
        .collect();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(3)).await;
        let answered = log.end_offset(CHANGES, 0).await.unwrap();
        // What a kill leaves on the disk; the copy takes the files in any order and while they are written.
        let copied = TempDir::new().unwrap();
        copy(folder.path(), copied.path());
        let after = FileLog::open(copied.path(), options(20_000)).await.unwrap();
        let found = read_all(&after).await;
        assert!(found.len() as u64 >= answered);
        assert_eq!(found.len() % 3, 0, "an append is there as a whole or not at all");
        for (at, (offset, value)) in found.iter().enumerate() {
            assert_eq!((*offset, value.ends_with(&format!("/{}", at % 3))), (at as u64, true));
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u16>),
    Read { from: u64, max: usize },
    Retain { floor: u64 },
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => proptest::collection::vec(0..200u16, 1..5).prop_map(Step::Append),
        4 => (0..60u64, 0..2000usize).prop_map(|(from, max)| Step::Read { from, max }),
        1 => (0..60u64).prop_map(|floor| Step::Retain { floor }),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..40)
}

async fn follow(steps: Vec<Step>) {
    let folder = TempDir::new().unwrap();
    let greedy = LogOptions {
        topics: vec![(CHANGES.to_owned(), 1)],
        retention: Retention {
            age: Duration::from_secs(3600),
            bytes: 1000,
        },
        segment_bytes: SMALL_SEGMENTS,
    };
    let mut log = FileLog::open(folder.path(), greedy.clone()).await.unwrap();
    let mut model: Vec<Record> = Vec::new();
    let mut start = 0;
    for step in steps {
        match step {
            Step::Append(sizes) => {
                let batch: Vec<Record> = sizes
                    .iter()
                    .map(|size| record(vec![*size as u8; usize::from(*size)]))
                    .collect();
                let offset = log.append(CHANGES, 0, batch.clone()).await.unwrap();
                assert_eq!(offset, model.len() as u64);
                model.extend(batch);
            }
            Step::Read { from, max } => match log.read(CHANGES, 0, from, max).await {
                Ok(read) => {
                    assert!((start..=model.len() as u64).contains(&from));
                    assert_eq!(read.is_empty(), from == model.len() as u64);
                    for (read, offset) in read.iter().zip(from..) {
                        assert_eq!((read.offset, &read.record), (offset, &model[offset as usize]));
                    }
                }
                Err(LogError::OffsetOutOfRange { start: said, end, .. }) => {
                    assert!(from < start || from > model.len() as u64);
                    assert_eq!((said, end), (start, model.len() as u64));
                }
                Err(error) => panic!("{error}"),
            },
            Step::Retain { floor } => {
                let kept = log.retain(CHANGES, 0, floor).await.unwrap();
                assert!(kept >= start && (kept == start || kept <= floor));
                start = kept;
            }
            Step::Reopen => {
                log.close().await;
                log = FileLog::open(folder.path(), greedy.clone()).await.unwrap();
                assert_eq!(log.recovered(), []);
            }
        }
    }
}

async fn flip(segment: usize, bit: usize) {
    let folder = TempDir::new().unwrap();
    let log = open(folder.path()).await;
    let mut written = Vec::new();
    for n in 0..9 {
        let value = format!("value {n}");
        append(&log, &[&value, &value]).await;
        written.extend([value.clone(), value]);
    }
    log.close().await;
    let paths = segments(folder.path());
    let path = &paths[segment % paths.len()];
    let mut bytes = fs::read(path).unwrap();
    let at = bit / 8 % bytes.len();
    bytes[at] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
    let log = open(folder.path()).await;
    let end = append(&log, &["after"]).await;
    written.truncate(end as usize);
    written.push("after".to_owned());
    let found = read_all(&log).await;
    assert!(found.len() >= written.len() - 2, "one frame was hit, not more");
    for (offset, value) in found {
        assert_eq!(value, written[offset as usize]);
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_log_behaves_like_a_list_through_reopening_and_retention(steps in steps()) {
        run(follow(steps));
    }

    #[test]
    fn a_flipped_bit_loses_one_write_and_gives_nothing_false(segment in 0..9usize, bit in 0..5000usize) {
        run(flip(segment, bit));
    }
}
