//! Metrics: figures with a name that can be asked by any of their dimensions, over any range, at any grain. A file a mart
//! in `transforms/metrics/`; the API, the dashboards and whatever else shows figures ask for them by name, and one
//! pipeline, [`MetricQuery::sql`], makes SQL of what is asked.
//!
//! To add a metric: write it into the file of its mart, or a new file.

mod query;

pub use query::{Compare, Filter, Grain, MetricQuery, QueryError};

use crate::Project;
use rust_embed::RustEmbed;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    pub name: String,
    pub about: AboutMetric,
    /// What it can be asked by.
    pub dimensions: Vec<String>,
    pub time: Time,
    pub mart: String,
    /// Amounts of different currencies don't add up: it is always by currency too.
    pub by_currency: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AboutMetric {
    pub label: String,
    pub description: String,
    /// SQL that makes one figure of many of the mart's rows.
    pub expression: String,
    /// What it counts: `minor` (minor units of a currency), `tickets`, `ratio`, `seconds`, …
    pub unit: String,
    pub format: Format,
    pub good: Good,
}

/// How it is written for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Integer,
    /// Minor units, written with the currency's decimals.
    Money,
    /// A ratio of 0.25 is 25 %.
    Percent,
    /// Seconds.
    Duration,
}

/// Which change of it is good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Good {
    Up,
    Down,
    None,
}

/// The mart's column that says when.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Time {
    /// A moment in UTC. Its days are those of the event's time zone, if the mart is about events, and else of UTC.
    Instant(String),
    /// A day already.
    Day(String),
}

/// What a file may say; anything else in it is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    mart: String,
    time: Time,
    dimensions: Vec<String>,
    metrics: BTreeMap<String, AboutMetric>,
}

#[derive(RustEmbed)]
#[folder = "metrics/"]
struct Files;

/// All metrics, by name.
pub fn metrics() -> &'static [Metric] {
    &METRICS
}

pub fn metric(name: &str) -> Option<&'static Metric> {
    metrics().iter().find(|metric| metric.name == name)
}

static METRICS: LazyLock<Vec<Metric>> = LazyLock::new(|| match load() {
    Ok(metrics) => metrics,
    // The files are part of the binary, and a test reads every one: no binary that passed it comes here.
    Err(error) => unreachable!("{error}"),
});

fn load() -> Result<Vec<Metric>, String> {
    let project = Project::load().map_err(|error| error.to_string())?;
    let mut metrics = Vec::new();
    for path in Files::iter() {
        let text = Files::get(&path).map(|file| file.data).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let read = serde_saphyr::from_str(&text).map_err(|error| error.to_string());
        let found = read.and_then(|file| of_file(&project, file));
        metrics.extend(found.map_err(|error| format!("transforms/metrics/{path}: {error}"))?);
    }
    metrics.sort_by(|a, b| a.name.cmp(&b.name));
    match metrics.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(twice) => Err(format!("transforms/metrics: two metrics are called {}", twice[0].name)),
        None => Ok(metrics),
    }
}

fn of_file(project: &Project, file: File) -> Result<Vec<Metric>, String> {
    let mart = project.transform(&file.mart).filter(|mart| mart.layer == "marts");
    let mart = mart.ok_or_else(|| format!("there is no mart {}", file.mart))?;
    let columns: BTreeSet<&str> = mart.columns().collect();
    let (Time::Instant(time) | Time::Day(time)) = &file.time;
    let needed = file
        .dimensions
        .iter()
        .map(|name| query::column_of(name))
        .chain([time.as_str()]);
    if let Some(column) = needed.into_iter().find(|column| !columns.contains(column)) {
        return Err(format!("the mart {} has no column {column}", file.mart));
    }
    let metric = |(name, about): (String, AboutMetric)| {
        let by_currency = about.unit == "minor";
        if by_currency && !columns.contains("currency") {
            return Err(format!("{name} is money, and the mart has no column currency"));
        }
        Ok(Metric {
            name,
            about,
            dimensions: file.dimensions.clone(),
            time: file.time.clone(),
            mart: file.mart.clone(),
            by_currency,
        })
    };
    file.metrics.into_iter().map(metric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_says_what_it_is_and_is_lower_case_sql() {
        let metrics = load().unwrap();
        assert!(metrics.len() > 20);
        for Metric { name, about, .. } in &metrics {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert!(about.description.ends_with('.') && !about.label.is_empty(), "{name}");
            assert_eq!(about.expression, about.expression.to_lowercase(), "{name}");
            let fits = match about.format {
                Format::Money => about.unit == "minor",
                Format::Percent => about.unit == "ratio",
                Format::Duration => about.unit == "seconds",
                Format::Integer => !["minor", "ratio", "seconds"].contains(&about.unit.as_str()),
            };
            assert!(fits, "{name}: {} is no unit of its format", about.unit);
        }
    }

    #[test]
    fn a_file_that_is_wrong_says_what_is() {
        let read = |text: &str| {
            let file: File = serde_saphyr::from_str(text).unwrap();
            of_file(&Project::load().unwrap(), file).unwrap_err()
        };
        let file = |mart: &str, dimension: &str| {
            format!("mart: {mart}\ntime: {{ instant: minute_at }}\ndimensions: [{dimension}]\nmetrics: {{}}\n")
        };
        assert_eq!(read(&file("nothing", "phase")), "there is no mart nothing");
        assert_eq!(read(&file("sales", "colour")), "the mart sales has no column colour");
    }
}
