//! The same on PostgreSQL, Apache Kafka and S3, and against what people write in Python to bring a topic into Delta.

use crate::{
    hot_event, log_to_lake,
    report::{Report, at_least, at_most},
    visibility,
};
use ingest::{EventLog, INTERACTIONS, LogOptions};
use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tests::{
    cluster::{Cluster, Services},
    uuid7,
};
use tokio::runtime::Runtime;

/// Pairs of runs, one of each after the other, so that a machine that changes its speed changes both.
const PAIRS: usize = 3;

/// One process with all roles, so that the figures stand beside the embedded ones: what differs is where the data is.
pub(crate) fn measure(services: Services, length: Duration, tickets: usize, report: &mut Report) {
    let mut cluster = Cluster::new(services);
    cluster.add("all", "all");
    report.section("PostgreSQL, Kafka, S3: ");
    visibility::measure(cluster.server("all"), length, at_most(1_000.0), report);
    hot_event::measure(cluster.server("all"), tickets, at_least(400.0), report);
    cluster.stop();
    report.section("");
}

/// Both read one topic of the broker into a Delta table in a local folder.
pub(crate) fn against_python(services: &Services, rows: usize, report: &mut Report) {
    let Ok(python) = std::env::var("BILTEN_PYTHON") else {
        return report.left_out(
            "log → lake against Python",
            "BILTEN_PYTHON is not set; use `make bench`",
        );
    };
    let prefix = format!("bench_{}.", uuid7().replace('-', ""));
    let url = format!("kafka://{}?topic_prefix={prefix}", services.kafka);
    let runtime = Runtime::new().unwrap();
    let log: Arc<dyn EventLog> = runtime.block_on(async {
        let log = ingest::log::open(&url, LogOptions::default()).await.unwrap();
        log_to_lake::fill(log.as_ref(), rows).await;
        log
    });
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let folder = TempDir::with_prefix("bilten-bench-").unwrap();
        let started = Instant::now();
        runtime.block_on(log_to_lake::drain(
            &log,
            &format!("file://{}/lake", folder.path().display()),
        ));
        ours.push(rows as f64 / started.elapsed().as_secs_f64());
        let done = Command::new(&python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/log_to_delta.py"))
            .args([&services.kafka, &format!("{prefix}{INTERACTIONS}")])
            .arg(folder.path().join("python"))
            .output()
            .expect("Python can be run");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let told = String::from_utf8(done.stdout).unwrap();
        let (count, seconds) = told.trim().split_once(' ').expect("rows and seconds");
        assert_eq!(count.parse(), Ok(rows));
        theirs.push(rows as f64 / seconds.parse::<f64>().unwrap());
    }
    runtime.block_on(log.close());
    let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
    let what = format!("Kafka → Delta, {rows} interactions, by the clock, median of {PAIRS}");
    report.add(format!("{what}: Bilten"), median(ours), "rows/s", None);
    report.add(
        format!("{what}: confluent-kafka, pyarrow, deltalake"),
        median(theirs),
        "rows/s",
        None,
    );
    report.add(
        format!("{what}: Bilten ÷ Python, run by run"),
        median(ratios),
        "×",
        None,
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
