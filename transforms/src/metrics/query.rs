//! From what is asked to SQL. Each mart answers in a part of its own, once for the range and once more for what it is
//! compared to; the parts are put one below the other and joined by what they are grouped by.

mod spans;

pub use spans::Span;

use super::{Metric, Time, metric};
use crate::answer::quoted;
use chrono::{Datelike, Days, NaiveDate, NaiveTime, TimeDelta};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Figures, by what, of when.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricQuery {
    pub metrics: Vec<String>,
    #[serde(default)]
    pub dimensions: Vec<String>,
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// The first day. None: from the beginning.
    pub from: Option<NaiveDate>,
    /// The day after the last one. None: to the end.
    pub to: Option<NaiveDate>,
    /// None: one figure for the whole range.
    pub grain: Option<Grain>,
    /// Asks for `{metric}_before` too.
    pub compare_to: Option<Compare>,
    /// A metric or a dimension, with `-` before it for the largest first. None: by time, then by dimensions.
    pub order_by: Option<String>,
    pub limit: Option<usize>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    pub dimension: String,
    /// Rows with one of these values; null is a row without one.
    #[serde(rename = "in")]
    pub values: Vec<Option<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grain {
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// As many days before.
    Previous,
    /// 52 weeks before, so that weekdays meet.
    Year,
}

/// What can't be asked, and where it was asked (a JSON pointer).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    pub pointer: String,
    pub message: String,
}

const MOST_METRICS: usize = 20;
const MOST_DIMENSIONS: usize = 6;
const MOST_VALUES: usize = 200;
pub(super) const USUAL_ROWS: usize = 1_000;
const MOST_ROWS: usize = 50_000;

/// A table that has names for what a mart has ids of.
struct Names {
    /// As the statement calls it.
    alias: &'static str,
    table: &'static str,
    key: &'static str,
    /// The mart's column that has the key.
    column: &'static str,
    /// Dimensions, and the table's columns that they are.
    shown: &'static [(&'static str, &'static str)],
}

const NAMES: [Names; 5] = [
    Names {
        alias: EVENTS,
        table: "staging.stg_events",
        key: "event_id",
        column: "event_id",
        shown: &[("title", "title"), ("category", "category")],
    },
    Names {
        alias: "ticket_types",
        table: "staging.stg_ticket_types",
        key: "ticket_type_id",
        column: "ticket_type_id",
        shown: &[("ticket_type", "name")],
    },
    Names {
        alias: "promo_codes",
        table: "staging.stg_promo_codes",
        key: "promo_code_id",
        column: "promo_code_id",
        shown: &[("promo_code", "code")],
    },
    Names {
        alias: "check_in_lists",
        table: "lake.check_in_lists",
        key: "check_in_list_id",
        column: "check_in_list_id",
        shown: &[("check_in_list", "name")],
    },
    Names {
        alias: "organizers",
        table: "lake.organizers",
        key: "id",
        column: "organizer_id",
        shown: &[("organizer", "name")],
    },
];

const EVENTS: &str = "events";

/// Clocks are at most so far behind UTC, and so far ahead of it.
const MOST_BEHIND: TimeDelta = TimeDelta::hours(12);
const MOST_AHEAD: TimeDelta = TimeDelta::hours(14);

/// Whether a day's year is 1 to 9999. Others can't be written in SQL, and next to the last ones there is no clock.
pub fn is_in_calendar(day: NaiveDate) -> bool {
    (1..=9999).contains(&day.year())
}

/// Where the names of a dimension stand, and in which column; None if the mart's own column is what is shown.
fn names_of(dimension: &str) -> Option<(&'static Names, &'static str)> {
    NAMES.iter().find_map(|names| {
        let shown = names.shown.iter().find(|(name, _)| *name == dimension);
        shown.map(|(_, column)| (names, *column))
    })
}

/// The mart's column that a dimension follows from.
pub(super) fn column_of(dimension: &str) -> &str {
    names_of(dimension).map_or(dimension, |(names, _)| names.column)
}

fn wrong<T>(pointer: impl Into<String>, message: impl Into<String>) -> Result<T, QueryError> {
    Err(QueryError {
        pointer: pointer.into(),
        message: message.into(),
    })
}

impl MetricQuery {
    /// The one statement that answers it. Columns: `at` (if there is a grain; local time without a zone), the dimensions,
    /// `currency` (if one of the metrics is money), and the metrics.
    pub fn sql(&self) -> Result<String, QueryError> {
        let metrics = self.checked()?;
        let mut keys: Vec<&str> = self.dimensions.iter().map(String::as_str).collect();
        if metrics.iter().any(|metric| metric.by_currency) && !keys.contains(&"currency") {
            keys.push("currency");
        }
        let mut marts: BTreeMap<&str, Vec<&Metric>> = BTreeMap::new();
        for metric in &metrics {
            marts.entry(metric.source(self.grain).0).or_default().push(metric);
        }
        let mut parts = Vec::new();
        for of_mart in marts.values() {
            parts.push(self.part(of_mart, &metrics, &keys, None));
            if let Some(days) = self.days_before()? {
                parts.push(self.part(of_mart, &metrics, &keys, Some(days)));
            }
        }
        let mut grouped: Vec<String> = self.grain.map(|_| "at".to_owned()).into_iter().collect();
        grouped.extend(keys.iter().map(|key| quoted_name(key)));
        let figures = metrics.iter().flat_map(|metric| self.columns(metric));
        let figures = figures.map(|name| format!("max({name}) as {name}"));
        let selected: Vec<String> = grouped.iter().cloned().chain(figures).collect();
        let mut sql = format!(
            "select {} from (\n{}\n) parts",
            selected.join(", "),
            parts.join("\nunion all\n")
        );
        if !grouped.is_empty() {
            sql += &format!(" group by {}", grouped.join(", "));
        }
        let limit = self.limit.unwrap_or(USUAL_ROWS);
        sql += &match self.order(&metrics, &keys)? {
            Some(order) => format!(" order by {order}"),
            None if grouped.is_empty() => String::new(),
            None => format!(" order by {}", grouped.join(", ")),
        };
        Ok(format!("{sql} limit {limit}"))
    }

    fn checked(&self) -> Result<Vec<&'static Metric>, QueryError> {
        if self.metrics.is_empty() || self.metrics.len() > MOST_METRICS {
            return wrong("/metrics", format!("ask for 1 to {MOST_METRICS} metrics"));
        }
        if self.dimensions.len() > MOST_DIMENSIONS {
            return wrong("/dimensions", format!("ask by at most {MOST_DIMENSIONS} dimensions"));
        }
        if self.limit.is_some_and(|limit| !(1..=MOST_ROWS).contains(&limit)) {
            return wrong("/limit", format!("a limit is 1 to {MOST_ROWS}"));
        }
        for (pointer, day) in [("/from", self.from), ("/to", self.to)] {
            if day.is_some_and(|day| !is_in_calendar(day)) {
                return wrong(pointer, "a day is of the years 1 to 9999");
            }
        }
        if self.from.zip(self.to).is_some_and(|(from, to)| to <= from) {
            return wrong("/to", "the range ends after it begins");
        }
        let mut metrics = Vec::new();
        for (place, name) in self.metrics.iter().enumerate() {
            let pointer = format!("/metrics/{place}");
            let Some(found) = metric(name) else {
                return wrong(pointer, "there is no such metric; GET /v1/metrics lists them");
            };
            if metrics.contains(&found) {
                return wrong(pointer, "this metric is asked for twice");
            }
            self.check_time(found)?;
            metrics.push(found);
        }
        let filtered = self.filters.iter().enumerate();
        let filtered = filtered.map(|(place, filter)| (format!("/filters/{place}/dimension"), &filter.dimension));
        let grouped = self.dimensions.iter().enumerate();
        let grouped = grouped.map(|(place, name)| (format!("/dimensions/{place}"), name));
        for (pointer, name) in grouped.chain(filtered) {
            let lacking = |metric: &&&'static Metric| !metric.may_be_asked_by(name);
            if let Some(metric) = metrics.iter().find(lacking) {
                return wrong(pointer, format!("{} can't be asked by {name}", metric.name));
            }
        }
        for (place, name) in self.dimensions.iter().enumerate() {
            if self.dimensions[..place].contains(name) {
                return wrong(format!("/dimensions/{place}"), "this dimension is asked for twice");
            }
        }
        for (place, filter) in self.filters.iter().enumerate() {
            if filter.values.is_empty() || filter.values.len() > MOST_VALUES {
                let message = format!("a filter has 1 to {MOST_VALUES} values");
                return wrong(format!("/filters/{place}/in"), message);
            }
        }
        Ok(metrics)
    }

    fn check_time(&self, metric: &Metric) -> Result<(), QueryError> {
        let name = &metric.name;
        match metric.time {
            Time::Day(_) if self.grain.is_some_and(|grain| grain < Grain::Day) => {
                wrong("/grain", format!("{name} is counted a day, and not finer"))
            }
            Time::Whole => {
                let asked = [
                    ("/grain", self.grain.is_some()),
                    ("/from", self.from.is_some()),
                    ("/to", self.to.is_some()),
                    ("/compare_to", self.compare_to.is_some()),
                ];
                match asked.into_iter().find(|(_, asked)| *asked) {
                    Some((pointer, _)) => wrong(pointer, format!("{name} is of all time, and knows no days")),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// How many days lie between the range and what it is compared to.
    fn days_before(&self) -> Result<Option<u64>, QueryError> {
        let Some(compare) = self.compare_to else {
            return Ok(None);
        };
        let Some(days) = compare.days_back(self.from, self.to) else {
            return wrong("/compare_to", "what came before a range needs its first and last day");
        };
        let before = |day: NaiveDate| day.checked_sub_days(Days::new(days)).is_some_and(is_in_calendar);
        match [self.from, self.to].into_iter().flatten().all(before) {
            true => Ok(Some(days)),
            false => wrong("/compare_to", "nothing came before the year 1"),
        }
    }

    fn columns(&self, metric: &Metric) -> Vec<String> {
        let before = self.compare_to.map(|_| format!("{}_before", metric.name));
        [metric.name.clone()].into_iter().chain(before).collect()
    }

    /// What one mart knows of its metrics, with nulls in the places of the others'.
    fn part(&self, own: &[&Metric], all: &[&Metric], keys: &[&str], days_before: Option<u64>) -> String {
        let (mart, time) = own[0].source(self.grain);
        let mut zoned = self.grain.is_some() || self.from.is_some() || self.to.is_some();
        let at = match &time {
            Time::Day(column) => Some(format!("cast(m.{column} as timestamp)")),
            Time::Instant(column) if own[0].is_about_events() => {
                Some(format!("local_time(m.{column}, coalesce({EVENTS}.timezone, 'UTC'))"))
            }
            Time::Instant(column) => Some(format!("local_time(m.{column}, 'UTC')")),
            Time::Whole => None,
        };
        zoned &= at.as_deref().is_some_and(|at| at.contains(EVENTS));
        let mut selected = Vec::new();
        if let Some((grain, at)) = self.grain.zip(at.as_deref()) {
            let moved = days_before.map_or(String::new(), |days| format!(" + interval '{days} days'"));
            selected.push(format!("date_trunc('{}', {at}{moved}) as at", grain.name()));
        }
        for key in keys {
            let value = match *key {
                // What is no money is of no currency.
                "currency" if !own.iter().any(|metric| metric.may_be_asked_by("currency")) => {
                    "cast(null as varchar)".to_owned()
                }
                key => expression(key),
            };
            selected.push(format!("{value} as {}", quoted_name(key)));
        }
        let grouped: Vec<String> = (1..=selected.len()).map(|place| place.to_string()).collect();
        for metric in all {
            // The first column is of the range itself, the second of what it is compared to.
            for (before, column) in [false, true].into_iter().zip(self.columns(metric)) {
                let value = match own.contains(metric) && before == days_before.is_some() {
                    true => metric.about.expression.as_str(),
                    false => "null",
                };
                // Said in every part, since a union has the types of its first one.
                let kind = if is_quotient(metric) { "double" } else { "bigint" };
                selected.push(format!("cast({value} as {kind}) as {column}"));
            }
        }
        let joins = self.joins(keys, zoned);
        let conditions = self.conditions(&time, at.as_deref(), days_before);
        let mut sql = format!("select {} from marts.{mart} m{joins}", selected.join(", "));
        if !conditions.is_empty() {
            sql += &format!(" where {}", conditions.join(" and "));
        }
        if !grouped.is_empty() {
            sql += &format!(" group by {}", grouped.join(", "));
        }
        sql
    }

    fn joins(&self, keys: &[&str], zoned: bool) -> String {
        let used = |name: &str| keys.contains(&name) || self.filters.iter().any(|filter| filter.dimension == name);
        let mut joins = String::new();
        for Names {
            alias,
            table,
            key,
            column,
            shown,
        } in &NAMES
        {
            let shown = shown.iter().filter(|(name, _)| used(name)).map(|(_, column)| *column);
            let zone = (zoned && *alias == EVENTS).then_some("timezone");
            let columns: Vec<&str> = shown.chain(zone).collect();
            if !columns.is_empty() {
                let columns = columns.join(", ");
                let names = format!("select {key} as {alias}_key, {columns} from {table}");
                joins += &format!(" left join ({names}) {alias} on {alias}.{alias}_key = m.{column}");
            }
        }
        joins
    }

    fn conditions(&self, time: &Time, at: Option<&str>, days_before: Option<u64>) -> Vec<String> {
        let day = |day: NaiveDate| day.checked_sub_days(Days::new(days_before.unwrap_or(0))).unwrap_or(day);
        let mut conditions = Vec::new();
        for (comparison, bound, slack) in [(">=", self.from, -MOST_AHEAD), ("<", self.to, MOST_BEHIND)] {
            let Some((bound, at)) = bound.zip(at) else { continue };
            let bound = day(bound);
            match time {
                Time::Day(column) => conditions.push(format!("m.{column} {comparison} date '{bound}'")),
                Time::Instant(column) => {
                    // Roughly first, by what is stored: so files are left out, and few rows ask for their clocks.
                    let rough = bound.and_time(NaiveTime::MIN) + slack;
                    let rough = format!("arrow_cast('{rough:?}Z', 'Timestamp(Microsecond, Some(\"UTC\"))')");
                    conditions.push(format!("m.{column} {comparison} {rough}"));
                    // A literal would be in nanoseconds, which end in the year 2262.
                    let exact = format!("arrow_cast('{bound}T00:00:00', 'Timestamp(Microsecond, None)')");
                    conditions.push(format!("{at} {comparison} {exact}"));
                }
                Time::Whole => {}
            }
        }
        for filter in &self.filters {
            let column = format!("cast({} as varchar)", expression(&filter.dimension));
            let values: Vec<String> = filter.values.iter().flatten().map(|value| quoted(value)).collect();
            let mut either = Vec::new();
            if !values.is_empty() {
                either.push(format!("{column} in ({})", values.join(", ")));
            }
            if filter.values.contains(&None) {
                either.push(format!("{column} is null"));
            }
            conditions.push(format!("({})", either.join(" or ")));
        }
        conditions
    }

    fn order(&self, metrics: &[&Metric], keys: &[&str]) -> Result<Option<String>, QueryError> {
        let Some(order_by) = &self.order_by else {
            return Ok(None);
        };
        let (name, direction) = match order_by.strip_prefix('-') {
            Some(name) => (name, "desc nulls last"),
            None => (order_by.as_str(), "asc nulls last"),
        };
        let known = keys.contains(&name)
            || (name == "at" && self.grain.is_some())
            || metrics
                .iter()
                .any(|metric| self.columns(metric).iter().any(|column| column == name));
        if !known {
            return wrong("/order_by", "order by a metric or dimension that is asked for");
        }
        let rest: Vec<String> = keys.iter().map(|key| quoted_name(key)).collect();
        let rest = self.grain.map(|_| "at".to_owned()).into_iter().chain(rest);
        let all: Vec<String> = [format!("{} {direction}", quoted_name(name))]
            .into_iter()
            .chain(rest)
            .collect();
        Ok(Some(all.join(", ")))
    }
}

impl Grain {
    pub fn name(self) -> &'static str {
        match self {
            Grain::Minute => "minute",
            Grain::Hour => "hour",
            Grain::Day => "day",
            Grain::Week => "week",
            Grain::Month => "month",
        }
    }
}

impl Compare {
    /// How many days back it looks from a range; none, if it needs both ends and one is open.
    pub fn days_back(self, from: Option<NaiveDate>, to: Option<NaiveDate>) -> Option<u64> {
        match self {
            Compare::Year => Some(52 * 7),
            Compare::Previous => Some((to? - from?).num_days().unsigned_abs()),
        }
    }
}

/// Counts and sums are whole, what is divided is not.
fn is_quotient(metric: &Metric) -> bool {
    let expression = &metric.about.expression;
    expression.contains(" / ") || expression.contains("avg(")
}

fn expression(dimension: &str) -> String {
    match names_of(dimension) {
        Some((names, column)) => format!("{}.{column}", names.alias),
        None => format!("m.{dimension}"),
    }
}

fn quoted_name(name: &str) -> String {
    format!("\"{name}\"")
}
