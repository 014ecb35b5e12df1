//! What a panel's columns mean, and how their values are written: of metrics by their files, of questions by the
//! names and types of their columns.

use super::page::{Drill, Kind, Panel};
use chrono_tz::Tz;
use lakehouse::{SchemaRef, arrow::datatypes::DataType};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use transforms::metrics::{Format as MetricFormat, Good, Grain, Metric, Time};

/// What a panel shows, for templates, for scripts, for mails.
#[derive(Clone, Debug, Serialize)]
pub struct PanelData {
    pub id: String,
    pub title: String,
    pub kind: Kind,
    /// For who can't see the drawing.
    pub description: String,
    pub columns: Vec<Column>,
    pub grain: Option<&'static str>,
    pub rows: Vec<Row>,
    /// On whose clocks moments are read; a page says so once.
    #[serde(skip)]
    pub zone: Tz,
    /// How many decimals an amount of each currency has.
    pub decimals: BTreeMap<String, usize>,
    pub drill: Option<Drill>,
    /// The change that it shows everything up to.
    pub position: i64,
    /// What is left out, and why.
    pub notes: Vec<String>,
    /// What stands there when there are no rows.
    pub empty: Option<String>,
    /// What to do, if it could not be computed.
    pub error: Option<String>,
    /// The error goes by itself: what was shown before is better.
    #[serde(skip)]
    pub passing: bool,
}

pub(super) type Row = Map<String, Value>;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    pub name: String,
    pub label: String,
    pub role: Role,
    pub format: Format,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good: Option<Good>,
    /// It is 0 where there is nothing; what is not counted or added up is not known there.
    pub counted: bool,
    /// The column with the value of what it is compared to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Time,
    Dimension,
    Metric,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Integer,
    Money,
    Percent,
    Duration,
    Decimal,
    Text,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Moment,
}

pub(super) const CURRENCY: &str = "currency";

const LABELS: [(&str, &str); 18] = [
    ("title", "Event"),
    ("event_id", "Event"),
    ("organizer_id", "Organizer"),
    ("ticket_type", "Ticket type"),
    ("ticket_type_id", "Ticket type"),
    ("check_in_list", "Check-in list"),
    ("days_to_event", "Days to the event"),
    ("months_later", "Months later"),
    ("first_source", "First source"),
    ("last_source", "Last source"),
    ("first_channel", "First channel"),
    ("frequency", "Orders"),
    ("recency", "Last order"),
    ("total_minor", "Total"),
    ("sales_minor", "Sales"),
    ("p50_ms", "Median, ms"),
    ("p99_ms", "99th percentile, ms"),
    ("max_ms", "Slowest, ms"),
];

impl PanelData {
    pub fn of(panel: &Panel) -> Self {
        let question = panel.question.as_deref().and_then(transforms::question);
        let mut about = vec![panel.about.clone()];
        about.extend(question.map(|question| question.description.clone()));
        if panel.about.is_empty() {
            let metrics = panel
                .metrics
                .iter()
                .filter_map(|name| transforms::metrics::metric(name));
            about.extend(metrics.map(|metric| format!("{}: {}", metric.about.label, metric.about.description)));
        }
        about.retain(|sentence| !sentence.is_empty());
        Self {
            id: panel.id.clone(),
            title: panel.title.clone(),
            kind: panel.kind,
            description: about.join(" "),
            columns: Vec::new(),
            grain: None,
            rows: Vec::new(),
            zone: Tz::UTC,
            decimals: BTreeMap::new(),
            drill: panel.drill.clone(),
            position: 0,
            notes: Vec::new(),
            empty: None,
            error: None,
            passing: false,
        }
    }

    /// Whether a row says anything.
    pub fn says_something(&self) -> bool {
        let metrics: Vec<&str> = self.of_role(Role::Metric).map(|column| column.name.as_str()).collect();
        self.rows.iter().any(|row| {
            metrics.is_empty()
                || metrics
                    .iter()
                    .any(|name| row.get(*name).is_some_and(|value| !value.is_null()))
        })
    }

    pub fn of_role(&self, role: Role) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(move |column| column.role == role)
    }
}

impl Column {
    /// What is not compared, and of which more is neither good nor bad news.
    pub(crate) fn plain(name: &str, role: Role, format: Format) -> Self {
        Self {
            name: name.to_owned(),
            label: label(name),
            role,
            format,
            good: None,
            counted: false,
            before: None,
        }
    }
}

/// The columns of a metric query.
pub(super) fn of_metrics(
    metrics: &[&Metric],
    dimensions: &[String],
    grain: Option<Grain>,
    compared: bool,
) -> Vec<Column> {
    let mut columns = Vec::new();
    if let Some(grain) = grain {
        let label = label(grain.name());
        columns.push(Column {
            label,
            ..Column::plain("at", Role::Time, of_grain(grain))
        });
    }
    columns.extend(
        dimensions
            .iter()
            .map(|name| Column::plain(name, Role::Dimension, of_dimension(name))),
    );
    if metrics.iter().any(|metric| metric.by_currency) && !dimensions.iter().any(|name| name == CURRENCY) {
        columns.push(Column::plain(CURRENCY, Role::Dimension, Format::Text));
    }
    columns.extend(metrics.iter().map(|metric| Column {
        label: metric.about.label.clone(),
        good: Some(metric.about.good),
        counted: !metric.about.nullable,
        // What is of all time has no days before.
        before: (compared && metric.time != Time::Whole).then(|| format!("{}_before", metric.name)),
        ..Column::plain(&metric.name, Role::Metric, of_metric(metric.about.format))
    }));
    columns
}

/// The columns of any query. Ids are for machines, and left out.
pub(super) fn of_schema(schema: &SchemaRef) -> Vec<Column> {
    let shown = schema.fields().iter().filter(|field| !field.name().ends_with("_id"));
    let column = |name: &String, kind: &DataType| {
        let (role, format) = match kind {
            _ if name.ends_with("_minor") => (Role::Metric, Format::Money),
            DataType::Timestamp(..) => (Role::Dimension, Format::Moment),
            DataType::Date32 => (Role::Dimension, Format::Day),
            kind if kind.is_floating() => (Role::Metric, Format::Decimal),
            kind if kind.is_integer() => (Role::Metric, Format::Integer),
            _ => (Role::Dimension, Format::Text),
        };
        Column::plain(name, role, format)
    };
    shown.map(|field| column(field.name(), field.data_type())).collect()
}

/// What a person calls a dimension or a column.
pub(super) fn label(name: &str) -> String {
    if let Some((_, label)) = LABELS.iter().find(|(known, _)| *known == name) {
        return (*label).to_owned();
    }
    let words = name.trim_start_matches('_').trim_end_matches("_at").replace('_', " ");
    let mut letters = words.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn of_dimension(name: &str) -> Format {
    match name {
        "days_to_event" | "months_later" => Format::Integer,
        _ => Format::Text,
    }
}

fn of_metric(format: MetricFormat) -> Format {
    match format {
        MetricFormat::Integer => Format::Integer,
        MetricFormat::Money => Format::Money,
        MetricFormat::Percent => Format::Percent,
        MetricFormat::Duration => Format::Duration,
        MetricFormat::Decimal => Format::Decimal,
    }
}

fn of_grain(grain: Grain) -> Format {
    match grain {
        Grain::Minute => Format::Minute,
        Grain::Hour => Format::Hour,
        Grain::Day => Format::Day,
        Grain::Week => Format::Week,
        Grain::Month => Format::Month,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lakehouse::arrow::datatypes::{Field, Schema, TimeUnit};
    use std::sync::Arc;

    #[test]
    fn what_is_of_all_time_is_compared_to_nothing() {
        let metrics = ["net_sales", "owed"].map(|name| transforms::metrics::metric(name).unwrap());
        let columns = of_metrics(&metrics, &[], None, true);
        let before: Vec<_> = columns.iter().filter_map(|column| column.before.as_deref()).collect();
        assert_eq!(before, ["net_sales_before"]);
    }

    #[test]
    fn a_questions_columns_are_known_by_name_and_type() {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let fields = [
            ("order_id", DataType::Utf8),
            ("placed_at", time),
            ("quantity", DataType::Int64),
            ("total_minor", DataType::Int64),
            ("currency", DataType::Utf8),
            ("p99_ms", DataType::Float64),
        ];
        let fields = fields.map(|(name, kind)| Field::new(name, kind, true));
        let columns = of_schema(&Arc::new(Schema::new(fields.to_vec())));
        let shown: Vec<_> = columns
            .iter()
            .map(|column| (column.label.as_str(), column.format))
            .collect();
        assert_eq!(
            shown,
            [
                ("Placed", Format::Moment),
                ("Quantity", Format::Integer),
                ("Total", Format::Money),
                ("Currency", Format::Text),
                ("99th percentile, ms", Format::Decimal),
            ]
        );
    }
}
