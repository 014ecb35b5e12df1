//! A table of very many files: how long a commit takes, and how long the table takes to load.

use crate::{
    log_to_lake,
    report::{Report, at_most},
};
use ingest::{INTERACTIONS, LogOptions, Sink, SinkOptions};
use lakehouse::{Lake, LakeOptions};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// As many as a commit of the made table adds.
const A_COMMIT: usize = 500;

/// The files are real: copies of one that a sink has written, under names of their own, each with its statistics.
pub(crate) fn measure(files: usize, report: &mut Report) {
    let folder = TempDir::with_prefix("bilten-bench-").unwrap();
    let url = |name: &str| format!("file://{}", folder.path().join(name).display());
    Runtime::new().unwrap().block_on(async {
        let log = ingest::log::open(&url("log"), LogOptions::default()).await.unwrap();
        log_to_lake::fill(log.as_ref(), 100).await;
        log_to_lake::drain(&log, &url("lake")).await;
        multiply(&folder.path().join("lake/interactions"), files);
        let options = LakeOptions {
            // The commit is made when its time is taken.
            commit_interval: Duration::from_secs(3600),
            ..LakeOptions::default()
        };
        let started = Instant::now();
        let lake = Lake::open(&url("lake"), options).await.unwrap();
        let load = started.elapsed().as_secs_f64();
        report.add(
            format!("a lake whose table has {files} files: loading"),
            load,
            "s",
            Some(at_most(3.0)),
        );
        let stop = CancellationToken::new();
        let sink = Sink::new(log.clone(), lake.clone(), SinkOptions::default());
        let running = tokio::spawn(sink.run(stop.clone()));
        log_to_lake::fill(log.as_ref(), 100).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let started = Instant::now();
        lake.flush().await.unwrap();
        let commit = started.elapsed().as_secs_f64();
        report.add("the same: a commit of 100 rows", commit, "s", Some(at_most(1.0)));
        for partition in 0..log.partitions(INTERACTIONS).unwrap() {
            let end = log.end_offset(INTERACTIONS, partition).await.unwrap();
            assert_eq!(lake.committed(INTERACTIONS, partition), end, "the rows are committed");
        }
        stop.cancel();
        running.await.unwrap().unwrap();
        lake.close().await.unwrap();
        log.close().await;
    });
}

/// Adds copies of the table's newest file, by commits like the one that added it.
fn multiply(table: &Path, files: usize) {
    let commit = |version: usize| table.join(format!("_delta_log/{version:020}.json"));
    let mut version = (0..).take_while(|version| commit(*version).exists()).last().unwrap();
    let lines = |version: usize| -> Vec<Value> {
        let text = fs::read_to_string(commit(version)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let newest = (0..=version)
        .rev()
        .map(lines)
        .find(|lines| lines.iter().any(|line| !line["add"].is_null()));
    let (adds, others): (Vec<Value>, Vec<Value>) = newest.unwrap().into_iter().partition(|line| !line["add"].is_null());
    let path = adds[0]["add"]["path"].as_str().unwrap().to_owned();
    let mut made = 0;
    while made < files {
        version += 1;
        let mut text: String = others.iter().map(|line| format!("{line}\n")).collect();
        for _ in 0..A_COMMIT.min(files - made) {
            made += 1;
            let copy = path.replace(".parquet", &format!("-{made}.parquet"));
            fs::copy(table.join(&path), table.join(&copy)).unwrap();
            let mut add = adds[0].clone();
            add["add"]["path"] = copy.into();
            text += &format!("{add}\n");
        }
        fs::write(commit(version), text).unwrap();
    }
}
