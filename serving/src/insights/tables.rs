//! A dashboard's panels as tables of a mail: figures, and the first rows of what is a list. What is drawn over time is left
//! to the page.

use super::words;
use crate::dashboards::{Column, Format, Kind, PanelData, Role, shown};
use domain::{Currency, message::Language};
use serde_json::{Map, Value};
use transactional::mail::Table;
use transforms::metrics::{self, Format as MetricFormat};

type Row = Map<String, Value>;

/// Nobody reads more in a mail.
const MOST_ROWS: usize = 10;
const NOTHING: &str = "–";

/// None: there is nothing of it for a mail. `home` is the currency of money that nobody has spent.
pub(super) fn of_panel(panel: &PanelData, home: Currency, language: Language) -> Option<Table> {
    let table = match panel.kind {
        Kind::Figures => figures(panel, home, language),
        Kind::Bar | Kind::Funnel | Kind::Table => list(panel, language),
        Kind::Line | Kind::Area | Kind::Heatmap | Kind::Pivot => return None,
    };
    Some(table).filter(|table| !table.rows.is_empty())
}

/// A line a figure, and of money a line a currency.
fn figures(panel: &PanelData, home: Currency, language: Language) -> Table {
    let compared = panel.columns.iter().any(|column| column.before.is_some());
    let mut rows = Vec::new();
    for column in panel.of_role(Role::Metric) {
        let known: Vec<&Row> = panel
            .rows
            .iter()
            .filter(|row| !row_value(row, &column.name).is_null())
            .collect();
        let nothing = Row::from_iter([("currency".to_owned(), home.as_str().into())]);
        for row in if known.is_empty() { vec![&nothing] } else { known } {
            rows.push(figure(column, row, compared, language));
        }
    }
    Table {
        title: panel.title.clone(),
        head: words::head(language, compared),
        rows,
    }
}

fn figure(column: &Column, row: &Row, compared: bool, language: Language) -> Vec<String> {
    // What is counted is 0 where there is nothing.
    let nothing = metrics::metric(&column.name)
        .filter(|metric| metric.is_counted())
        .map(|_| 0.0);
    let value = |name: &str| row_value(row, name).as_f64().or(nothing);
    let say = |value: Option<f64>| value.map_or(NOTHING.to_owned(), |value| say(value, column, row, language));
    let (now, before) = (value(&column.name), column.before.as_deref().and_then(value));
    let mut cells = vec![column.label.clone(), say(now)];
    if compared {
        let change = now
            .zip(before)
            .map(|(now, before)| words::change(now, before, language));
        cells.extend([say(before), change.unwrap_or_default()]);
    }
    cells
}

/// What a row is of, and then its figures.
fn list(panel: &PanelData, language: Language) -> Table {
    let named = |column: &&Column| !column.name.ends_with("_id") && column.name != "currency";
    let of: Vec<&Column> = panel
        .columns
        .iter()
        .filter(|column| column.role != Role::Metric)
        .filter(named)
        .collect();
    let figures: Vec<&Column> = panel.of_role(Role::Metric).collect();
    let row = |row: &Row| {
        let name = |column: &&Column| shown(row_value(row, &column.name), column.format, None);
        let names: Vec<String> = of.iter().map(name).collect();
        let figures = figures
            .iter()
            .map(|column| match row_value(row, &column.name).as_f64() {
                Some(value) => say(value, column, row, language),
                None => NOTHING.to_owned(),
            });
        [names.join(" · ")].into_iter().chain(figures).collect()
    };
    let mut head = vec![String::new()];
    head.extend(figures.iter().map(|column| column.label.clone()));
    Table {
        title: panel.title.clone(),
        head,
        rows: panel.rows.iter().take(MOST_ROWS).map(row).collect(),
    }
}

fn say(value: f64, column: &Column, row: &Row, language: Language) -> String {
    let format = match column.format {
        Format::Money => MetricFormat::Money,
        Format::Percent => MetricFormat::Percent,
        Format::Duration => MetricFormat::Duration,
        _ => MetricFormat::Decimal,
    };
    let currency = row_value(row, "currency").as_str().and_then(|code| code.parse().ok());
    words::figure(value, format, currency, language)
}

fn row_value<'r>(row: &'r Row, name: &str) -> &'r Value {
    row.get(name).unwrap_or(&Value::Null)
}
