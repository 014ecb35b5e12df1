//! The SQL project: every figure that the program shows is a `.sql` file with a `.yml` beside it that says what one row
//! is. So far it holds metrics; a metric is known by its file's name.
//!
//! To add a metric: write `metrics/<name>.sql` and `metrics/<name>.yml`. The folder is walked when this crate is
//! compiled, and the files travel in the binary.

use rust_embed::RustEmbed;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::LazyLock};

/// A named question to the lake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Metric {
    pub name: String,
    pub description: String,
    /// What one row of the answer stands for.
    pub grain: String,
    /// What its main figure counts: `minor`, `tickets`, `ms`, …
    pub unit: String,
    pub sql: String,
}

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

#[derive(RustEmbed)]
#[folder = "metrics/"]
struct Files;

/// What a `.yml` may say; anything else in it is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    description: String,
    grain: String,
    unit: String,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("transforms/metrics/{0} is missing")]
    Missing(String),
    #[error("transforms/metrics/{0}: {1}")]
    Unreadable(String, String),
}

fn load() -> Result<Vec<Metric>, Error> {
    let mut metrics = Vec::new();
    for path in Files::iter() {
        match path.rsplit_once('.') {
            Some((name, "sql")) => metrics.push(read(name)?),
            Some((name, "yml")) => drop(text(&format!("{name}.sql"))?),
            _ => return Err(Error::Unreadable(path.into(), "neither .sql nor .yml".into())),
        }
    }
    metrics.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(metrics)
}

fn read(name: &str) -> Result<Metric, Error> {
    let file = format!("{name}.yml");
    let about: About =
        serde_saphyr::from_str(&text(&file)?).map_err(|error| Error::Unreadable(file, error.to_string()))?;
    Ok(Metric {
        name: name.to_owned(),
        description: about.description,
        grain: about.grain,
        unit: about.unit,
        sql: text(&format!("{name}.sql"))?,
    })
}

fn text(file: &str) -> Result<String, Error> {
    let Some(found) = Files::get(file) else {
        return Err(Error::Missing(file.to_owned()));
    };
    let data: Cow<[u8]> = found.data;
    String::from_utf8(data.into_owned()).map_err(|error| Error::Unreadable(file.to_owned(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    #[test]
    fn every_metric_says_its_grain_and_is_short_lower_case_sql() {
        let metrics = load().unwrap();
        for Metric {
            name,
            description,
            grain,
            unit,
            sql,
        } in &metrics
        {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert!(description.ends_with('.') && !unit.is_empty(), "{name}");
            assert!(grain.starts_with("one row"), "{name}: {grain}");
            assert!(sql.lines().count() <= 120, "{name}: more than 120 lines");
            assert_eq!(*sql, sql.to_lowercase(), "{name}: keywords are lower-case");
            assert!(sql.starts_with("with ") || sql.starts_with("select"), "{name}");
            assert!(!sql.contains(';') && sql.ends_with('\n'), "{name}");
        }
    }

    #[test]
    fn the_binary_holds_every_file_of_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("metrics");
        let there: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let here: BTreeSet<String> = load()
            .unwrap()
            .into_iter()
            .flat_map(|metric| [format!("{}.sql", metric.name), format!("{}.yml", metric.name)])
            .collect();
        assert_eq!(there, here);
    }

    #[test]
    fn a_metric_is_found_by_its_name() {
        let found = metric("sales_per_minute").unwrap();
        assert_eq!(found.grain, "one row a minute and currency");
        assert!(metric("sales_per_minute.sql").is_none());
    }
}
