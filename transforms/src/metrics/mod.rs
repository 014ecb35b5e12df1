//! Metrics: figures with a name that can be asked by any of their dimensions, over any range, at any grain. A file a mart
//! in `transforms/metrics/`; the API, the dashboards and whatever else shows figures ask for them by name, and one
//! pipeline, [`MetricQuery::sql`], makes SQL of what is asked.
//!
//! To add a metric: write it into the file of its mart, or a new file.

mod query;

pub use query::{Compare, Filter, Grain, MetricQuery, QueryError, Span, is_in_calendar};

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
    /// The same figures, added up by day: smaller, and asked wherever days are fine enough.
    pub by_day: Option<ByDay>,
    /// Amounts of different currencies don't add up: it is always by currency too.
    pub by_currency: bool,
}

impl Metric {
    pub fn may_be_asked_by(&self, dimension: &str) -> bool {
        match dimension {
            "organizer_id" | "organizer" => true,
            "currency" if self.by_currency => true,
            name => self.dimensions.iter().any(|dimension| dimension == name),
        }
    }

    /// Its days are those of each event's time zone; of what is about no event, such as a visit, they are UTC's.
    pub fn is_about_events(&self) -> bool {
        self.dimensions.iter().any(|dimension| dimension == "event_id")
    }

    /// The mart that answers at a grain (or for a whole range), and its time.
    pub(crate) fn source(&self, grain: Option<Grain>) -> (&str, Time) {
        match &self.by_day {
            Some(by_day) if grain.is_none_or(|grain| grain >= Grain::Day) => {
                (&by_day.mart, Time::Day(by_day.day.clone()))
            }
            _ => (&self.mart, self.time.clone()),
        }
    }
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
    /// It is nothing, and not 0, where there are no rows: what is divided, and what is not always known.
    #[serde(default)]
    pub nullable: bool,
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
    /// A number with some decimals, such as an average of counts.
    Decimal,
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
    /// None: its rows are of all time.
    Whole,
}

impl Time {
    fn column(&self) -> Option<&str> {
        match self {
            Time::Instant(column) | Time::Day(column) => Some(column),
            Time::Whole => None,
        }
    }
}

/// A mart with the same columns, and its column that says on which day.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByDay {
    pub mart: String,
    pub day: String,
}

/// What a file may say; anything else in it is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    mart: String,
    time: Time,
    #[serde(default)]
    by_day: Option<ByDay>,
    dimensions: Vec<String>,
    /// Its figures are of one currency each, also those that are no money themselves.
    #[serde(default)]
    by_currency: bool,
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
    let columns = columns_of(project, &file.mart, file.time.column(), &file.dimensions)?;
    if let Some(by_day) = &file.by_day {
        columns_of(project, &by_day.mart, Some(&by_day.day), &file.dimensions)?;
    }
    let metric = |(name, about): (String, AboutMetric)| {
        let by_currency = file.by_currency || about.unit == "minor";
        if by_currency && !columns.contains("currency") {
            return Err(format!("{name} is by currency, and the mart has no column currency"));
        }
        Ok(Metric {
            name,
            about,
            dimensions: file.dimensions.clone(),
            time: file.time.clone(),
            mart: file.mart.clone(),
            by_day: file.by_day.clone(),
            by_currency,
        })
    };
    file.metrics.into_iter().map(metric).collect()
}

/// A mart's columns, which have to be those that are asked by.
fn columns_of<'a>(
    project: &'a Project,
    name: &str,
    time: Option<&str>,
    dimensions: &[String],
) -> Result<BTreeSet<&'a str>, String> {
    let mart = project.transform(name).filter(|mart| mart.layer == "marts");
    let mart = mart.ok_or_else(|| format!("there is no mart {name}"))?;
    let columns: BTreeSet<&str> = mart.columns().collect();
    let needed = dimensions.iter().map(|name| query::column_of(name)).chain(time);
    match needed.into_iter().find(|column| !columns.contains(column)) {
        Some(column) => Err(format!("the mart {name} has no column {column}")),
        None => Ok(columns),
    }
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
                Format::Integer | Format::Decimal => !["minor", "ratio", "seconds"].contains(&about.unit.as_str()),
            };
            assert!(fits, "{name}: {} is no unit of its format", about.unit);
            let divides = about.expression.contains(" / ") || about.expression.contains("avg(");
            let depends = about.expression.starts_with("case ");
            assert!(
                about.nullable || !divides && !depends,
                "{name} is not 0 where there is nothing"
            );
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
