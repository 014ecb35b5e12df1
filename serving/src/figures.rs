//! Figures for Prometheus: what was answered, and how far each stage of the way has come.

use crate::wiring::App;
use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Upper bounds of the latency buckets, in milliseconds.
const BOUNDS_MS: [u64; 10] = [1, 2, 5, 10, 25, 50, 100, 250, 1_000, 5_000];

#[derive(Default)]
pub struct Figures {
    /// By the first digit of the status.
    answers: [AtomicU64; 6],
    buckets: [AtomicU64; BOUNDS_MS.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

impl Figures {
    pub fn answered(&self, status: u16, took: Duration) {
        let class = usize::from(status / 100).min(5);
        self.answers[class].fetch_add(1, Ordering::Relaxed);
        let ms = took.as_millis() as u64;
        if let Some(bucket) = BOUNDS_MS.iter().position(|bound| ms <= *bound) {
            self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }

    pub async fn text(&self, app: &App) -> String {
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = self.write(&mut text);
        let _ = write_positions(&mut text, app).await;
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        head(
            out,
            "bilten_http_requests_total",
            "counter",
            "Answered requests, by class of status.",
        )?;
        for (class, count) in self.answers.iter().enumerate().skip(1) {
            let count = count.load(Ordering::Relaxed);
            writeln!(out, "bilten_http_requests_total{{status=\"{class}xx\"}} {count}")?;
        }
        head(
            out,
            "bilten_http_request_duration_seconds",
            "histogram",
            "Time to answer.",
        )?;
        let mut below = 0;
        for (bound, bucket) in BOUNDS_MS.iter().zip(&self.buckets) {
            below += bucket.load(Ordering::Relaxed);
            let seconds = *bound as f64 / 1_000.0;
            writeln!(
                out,
                "bilten_http_request_duration_seconds_bucket{{le=\"{seconds}\"}} {below}"
            )?;
        }
        let count = self.count.load(Ordering::Relaxed);
        writeln!(
            out,
            "bilten_http_request_duration_seconds_bucket{{le=\"+Inf\"}} {count}"
        )?;
        let sum = self.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        writeln!(out, "bilten_http_request_duration_seconds_sum {sum}")?;
        writeln!(out, "bilten_http_request_duration_seconds_count {count}")
    }
}

async fn write_positions(out: &mut String, app: &App) -> std::fmt::Result {
    head(
        out,
        "bilten_core_committed_seq",
        "gauge",
        "The last change that the core has committed.",
    )?;
    writeln!(out, "bilten_core_committed_seq {}", *app.store.committed_seq().borrow())?;
    head(
        out,
        "bilten_lake_visible_seq",
        "gauge",
        "The last change that queries see.",
    )?;
    if let Ok(lake) = app.queries() {
        writeln!(out, "bilten_lake_visible_seq {}", lake.watermark())?;
    }
    head(
        out,
        "bilten_log_end_offset",
        "gauge",
        "The offset after the last record of a partition.",
    )?;
    for topic in [ingest::CHANGES, ingest::INTERACTIONS] {
        for partition in 0..app.log.partitions(topic).unwrap_or(0) {
            if let Ok(end) = app.log.end_offset(topic, partition).await {
                writeln!(
                    out,
                    "bilten_log_end_offset{{topic=\"{topic}\",partition=\"{partition}\"}} {end}"
                )?;
            }
            let Some(lake) = &app.lake else { continue };
            let committed = lake.committed(topic, partition);
            writeln!(
                out,
                "bilten_lake_committed_offset{{topic=\"{topic}\",partition=\"{partition}\"}} {committed}"
            )?;
        }
    }
    Ok(())
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}
