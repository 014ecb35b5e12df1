//! A large lake, and the questions that are asked of it: by dashboards from marts, by people from its tables.

mod chance;
mod compare;
mod fill;
pub(crate) mod layout;
mod questions;
mod sales;
mod season;
mod stage;
mod visits;

use crate::report::{Latencies, Report, at_least, at_most, say};
use compare::{Compared, Others, THREADS, ask_ours, compare};
use fill::Written;
use lakehouse::{Lake, LakeOptions, Principal, arrow::array::AsArray};
use questions::{Question, Subject};
use season::Season;
use std::{fs, path::PathBuf, sync::Arc};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use transforms::{Project, Runner};

/// Another number, another season.
const SEED: u64 = 1;

/// How often each dashboard question is asked for its percentiles.
const ASKED: usize = 40;

#[derive(Clone)]
pub(crate) struct Size {
    pub(crate) order_lines: u64,
    pub(crate) interactions: u64,
    /// Where the lake is kept; one that is there is used again.
    pub(crate) folder: Option<PathBuf>,
    /// Only questions whose name has this.
    pub(crate) question: String,
}

impl Size {
    fn report(&self, report: &mut Report) {
        report.size("order lines", self.order_lines as f64);
        report.size("interactions", self.interactions as f64);
    }
}

/// How a lake is asked: a query may take what the other engines' may, so far as it needs.
fn options() -> LakeOptions {
    LakeOptions {
        target_partitions: THREADS,
        query_memory_bytes: 4 << 30,
        ..LakeOptions::default()
    }
}

/// Who sees the whole lake.
fn admin() -> Principal {
    Principal {
        id: "bench".to_owned(),
        organizer: None,
        personal_data: false,
    }
}

pub(crate) fn measure(size: &Size, report: &mut Report) {
    let temporary = TempDir::with_prefix("bilten-bench-").unwrap();
    let folder = size.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    let made = folder.join("season");
    let name = format!("{SEED} {} {}", size.order_lines, size.interactions);
    let season = Season::new(SEED, size.order_lines);
    let url = format!("file://{}", folder.join("lake").display());
    let runtime = Runtime::new().unwrap();
    if fs::read_to_string(&made).is_ok_and(|made| made == name) {
        say(&format!("the lake in {} is used again", folder.display()));
    } else {
        let rate = runtime.block_on(fill::fill(&url, season, size.interactions, &Written::default()));
        report.add(
            "a season into a new lake, changes and interactions",
            rate,
            "rows/s",
            None,
        );
        fs::write(&made, name).unwrap();
    }
    size.report(report);
    runtime.block_on(async {
        let lake = Lake::open(&url, options()).await.unwrap();
        if "dashboard".contains(&size.question) || size.question.starts_with("dashboard") {
            keep_marts(&lake, report).await;
        }
        ask(&lake, &mut Others::start(&folder.join("lake")), size, report).await;
        lake.close().await.unwrap();
    });
}

/// Computes the marts that the lake doesn't have yet.
async fn keep_marts(lake: &Lake, report: &mut Report) {
    let runner = Runner::new(Arc::new(Project::load().unwrap()), lake.clone()).await;
    for transform in runner
        .project()
        .transforms()
        .iter()
        .filter(|transform| transform.is_kept())
    {
        let ran = runner.run_transform(transform, false).await;
        let ran = ran.unwrap_or_else(|error| panic!("{}: {error}", transform.name));
        let rows = ran.kept.map_or(0, |kept| kept.rows);
        report.add(
            format!("mart {} ({:?}, {rows} rows)", ran.transform, ran.how),
            ran.took.as_secs_f64(),
            "s",
            None,
        );
    }
}

async fn ask(lake: &Lake, others: &mut Others, size: &Size, report: &mut Report) {
    let admin = admin();
    let subject = subject(lake, size).await;
    let organizer = subject.principal();
    report.engines(&others.versions);
    let mut ratios = [Vec::new(), Vec::new()];
    let mut latencies = Vec::new();
    let questions = questions::all(&subject)
        .into_iter()
        .filter(|question| question.name.contains(&size.question));
    for question in questions {
        let principal = if question.of_organizer { &organizer } else { &admin };
        let Compared { ours, duckdb, chdb } = compare(lake, principal, others, &question).await;
        report.compared(&question.name, ours, duckdb, chdb);
        ratios[usize::from(question.is_dashboard)].push(match question.is_dashboard {
            true => duckdb / ours,
            false => ours / duckdb.min(chdb),
        });
        if question.is_dashboard {
            latencies.extend(again(lake, principal, &question).await);
        }
    }
    let [raw, dashboards] = ratios;
    for (what, ratios, budget) in [
        (
            "dashboards from marts, DuckDB on raw ÷ ours",
            dashboards,
            at_least(10.0),
        ),
        ("raw questions, ours ÷ the better of the two", raw, at_most(1.2)),
    ] {
        if !ratios.is_empty() {
            report.add(
                format!("{what}, geometric mean"),
                geometric_mean(&ratios),
                "×",
                Some(budget),
            );
        }
    }
    if latencies.is_empty() {
        return;
    }
    let latencies = Latencies::of(latencies);
    report.add("a dashboard's question, p50", latencies.percentile(50.0), "ms", None);
    report.add(
        "a dashboard's question, p99",
        latencies.percentile(99.0),
        "ms",
        Some(at_most(100.0)),
    );
}

/// The same for every engine and every lake of this size.
async fn subject(lake: &Lake, size: &Size) -> Subject {
    let order = "select order_id from order_changes where change_type = 'order.paid' order by seq desc";
    let visitor = "select person_id from interactions where person_id is not null and day = date '2026-10-30' order by _partition, _offset";
    let [order, person] = [text(lake, order).await, text(lake, visitor).await];
    Subject::of(&Season::new(SEED, size.order_lines), order, person)
}

async fn again(lake: &Lake, principal: &Principal, question: &Question) -> Vec<std::time::Duration> {
    let mut times = Vec::new();
    for _ in 0..ASKED {
        times.push(ask_ours(lake, principal, &question.ours).await.1);
    }
    times
}

async fn text(lake: &Lake, sql: &str) -> String {
    let (rows, _) = ask_ours(lake, &admin(), &format!("{sql} limit 1")).await;
    rows[0].column(0).as_string::<i32>().value(0).to_owned()
}

fn geometric_mean(values: &[f64]) -> f64 {
    (values.iter().map(|value| value.ln()).sum::<f64>() / values.len().max(1) as f64).exp()
}
