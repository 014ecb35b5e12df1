//! Figures for Prometheus. Every crate counts through the facade `metrics`; what there is to count stands in one list
//! here, and a figure that is not on it has no help, no unit and no buckets, and fails a test.

use crate::wiring::App;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::{collections::HashSet, fmt::Write, sync::OnceLock, time::Duration};
use tokio_util::sync::CancellationToken;

/// One figure. Its name ends in its unit, and `_total` says that it only grows.
pub struct Figure {
    pub name: &'static str,
    pub kind: FigureKind,
    pub unit: Unit,
    pub help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FigureKind {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// From an answer out of memory to a request that nobody waits for any longer.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];
/// Commands that are committed together.
const COMMANDS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

const fn counter(name: &'static str, help: &'static str) -> Figure {
    Figure {
        name,
        kind: FigureKind::Counter,
        unit: Unit::Count,
        help,
    }
}

const fn position(name: &'static str, help: &'static str) -> Figure {
    Figure {
        name,
        kind: FigureKind::Gauge,
        unit: Unit::Count,
        help,
    }
}

const fn seconds(name: &'static str, help: &'static str) -> Figure {
    Figure {
        name,
        kind: FigureKind::Histogram(SECONDS),
        unit: Unit::Seconds,
        help,
    }
}

/// All figures, by the part of the program that they tell of; labels stand in braces at the end of the help.
pub const FIGURES: &[Figure] = &[
    counter(
        "bilten_http_requests_total",
        "Answered requests {method, route, status}",
    ),
    seconds(
        "bilten_http_request_duration_seconds",
        "Time from a request's head to its answer's {method, route}",
    ),
    position("bilten_http_requests_in_flight", "Requests that wait for their answer"),
    position(
        "bilten_core_committed_seq",
        "The last change that the core has committed",
    ),
    counter("bilten_store_commands_total", "Commands that ended {outcome}"),
    Figure {
        name: "bilten_store_batch_commands",
        kind: FigureKind::Histogram(COMMANDS),
        unit: Unit::Count,
        help: "Commands that were committed together",
    },
    seconds(
        "bilten_store_commit_seconds",
        "Time to make a batch of commands durable",
    ),
    counter(
        "bilten_store_reconnects_total",
        "Times that the writer had to connect to the database again",
    ),
    counter("bilten_relay_changes_total", "Changes moved from the outbox to the log"),
    counter(
        "bilten_log_appended_records_total",
        "Records appended to the log {topic}",
    ),
    seconds(
        "bilten_log_append_seconds",
        "Time until an append to the log is durable",
    ),
    counter("bilten_log_errors_total", "Failed calls of the log {kind}"),
    position(
        "bilten_log_end_offset",
        "The offset after the last record of a partition {topic, partition}",
    ),
    counter(
        "bilten_sink_rows_total",
        "Rows that were decoded and published to the lake",
    ),
    position(
        "bilten_lake_visible_seq",
        "The last change that queries of this process see",
    ),
    position(
        "bilten_lake_committed_offset",
        "The offset up to which the lake's files hold a partition {topic, partition}",
    ),
    counter("bilten_lake_commits_total", "Commits to the lake's tables"),
    seconds(
        "bilten_lake_commit_seconds",
        "Time to write and commit files of a table",
    ),
    counter(
        "bilten_lake_fenced_total",
        "Commits given up because another process had taken the partition over",
    ),
    counter(
        "bilten_lake_compactions_total",
        "Times that small files of a table were joined",
    ),
    counter(
        "bilten_lake_cache_hits_total",
        "Reads of files that were in the local cache",
    ),
    counter(
        "bilten_lake_cache_misses_total",
        "Reads of files that had to be fetched from where the lake is stored",
    ),
    counter(
        "bilten_transform_runs_total",
        "Runs that changed what a model keeps {transform}",
    ),
    seconds(
        "bilten_transform_run_seconds",
        "Time to compute what came and commit it {transform}",
    ),
    counter(
        "bilten_webhook_attempts_total",
        "Attempts to deliver a change to a webhook endpoint {outcome}",
    ),
    counter("bilten_mails_total", "Attempts to send a mail {outcome}"),
    counter("bilten_reports_total", "Reports of dashboards that were due {outcome}"),
    counter("bilten_alert_looks_total", "Looks of alert rules at metrics {outcome}"),
    seconds(
        "bilten_query_duration_seconds",
        "Time that a query took, from its start to its last row",
    ),
];

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts counting. What happened before is not counted, so this comes first; a second call changes nothing.
pub fn install() -> Result<(), BuildError> {
    if RECORDER.get().is_some() {
        return Ok(());
    }
    let mut builder = PrometheusBuilder::new();
    for figure in FIGURES {
        if let FigureKind::Histogram(bounds) = figure.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(figure.name.to_owned()), bounds)?;
        }
    }
    let handle = builder.install_recorder()?;
    for Figure { name, kind, unit, help } in FIGURES {
        match kind {
            FigureKind::Counter => describe_counter!(*name, *unit, *help),
            FigureKind::Gauge => describe_gauge!(*name, *unit, *help),
            FigureKind::Histogram(_) => describe_histogram!(*name, *unit, *help),
        }
    }
    let _ = RECORDER.set(handle);
    Ok(())
}

/// Sorts samples into buckets, which waiting for a scrape would leave to grow in memory.
pub async fn keep_up(stop: CancellationToken) {
    while let Some(recorder) = RECORDER.get() {
        recorder.run_upkeep();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// All figures in Prometheus' text format. One that nothing was counted for yet is named all the same, so that an alert
/// on it can be written before the first time.
pub async fn text(app: &App) -> String {
    measure_positions(app).await;
    let mut text = RECORDER.get().map(PrometheusHandle::render).unwrap_or_default();
    let told: HashSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let silent: Vec<&Figure> = FIGURES.iter().filter(|figure| !told.contains(figure.name)).collect();
    for Figure { name, kind, help, .. } in silent {
        let kind = match kind {
            FigureKind::Counter => "counter",
            FigureKind::Gauge => "gauge",
            FigureKind::Histogram(_) => "histogram",
        };
        // Writing to a string can't fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }
    text
}

/// How far each stage of the way has come, at the moment of asking.
async fn measure_positions(app: &App) {
    gauge!("bilten_core_committed_seq").set(*app.store.committed_seq().borrow() as f64);
    if let Ok(lake) = app.queries() {
        gauge!("bilten_lake_visible_seq").set(lake.watermark() as f64);
    }
    for topic in [ingest::CHANGES, ingest::INTERACTIONS] {
        for partition in 0..app.log.partitions(topic).unwrap_or(0) {
            let labels = [("topic", topic.to_owned()), ("partition", partition.to_string())];
            if let Ok(end) = app.log.end_offset(topic, partition).await {
                gauge!("bilten_log_end_offset", &labels).set(end as f64);
            }
            if let Some(lake) = &app.lake {
                gauge!("bilten_lake_committed_offset", &labels).set(lake.committed(topic, partition) as f64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_kind_and_its_unit() {
        for figure in FIGURES {
            let ends = |endings: &[&str]| endings.iter().any(|ending| figure.name.ends_with(ending));
            let fits = match (figure.kind, figure.unit) {
                (FigureKind::Counter, _) => ends(&["_total"]),
                (FigureKind::Gauge, _) => ends(&["_seq", "_offset", "_in_flight"]),
                (FigureKind::Histogram(_), Unit::Seconds) => ends(&["_seconds"]),
                (FigureKind::Histogram(_), _) => ends(&["_commands"]),
            };
            assert!(fits, "{}", figure.name);
            let plain = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(
                figure.name.starts_with("bilten_") && figure.name.chars().all(plain),
                "{}",
                figure.name
            );
            assert!(
                !figure.help.is_empty() && !figure.help.ends_with('.'),
                "{}",
                figure.name
            );
        }
        let names: HashSet<&str> = FIGURES.iter().map(|figure| figure.name).collect();
        assert_eq!(names.len(), FIGURES.len(), "a name stands for one figure");
    }
}
