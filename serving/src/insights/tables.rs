//! A dashboard's panels as tables of a mail: figures, and the first rows of what is a list. What is drawn over time is left
//! to the page.

use super::words;
use crate::dashboards::{Column, Format, Kind, PanelData, Role, shown};
use domain::{Currency, message::Language};
use serde_json::{Map, Value};
use transactional::mail::Table;
use transforms::metrics::{self, Format as MetricFormat, Time};

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
        title: titled(panel, language),
        head: words::head(language, compared),
        rows,
    }
}

/// What is of all time says so, whatever days the report is of.
fn titled(panel: &PanelData, language: Language) -> String {
    let metrics = panel.of_role(Role::Metric).map(|column| metrics::metric(&column.name));
    let is_of_all_time = panel.columns.iter().any(|column| column.role == Role::Metric)
        && metrics
            .into_iter()
            .all(|metric| metric.is_some_and(|metric| metric.time == Time::Whole));
    match (is_of_all_time, panel.title.as_str()) {
        (false, title) => title.to_owned(),
        (true, "") => words::all_time(language).to_owned(),
        (true, title) => format!("{title} ({})", words::all_time(language)),
    }
}

fn figure(column: &Column, row: &Row, compared: bool, language: Language) -> Vec<String> {
    let nothing = column.counted.then_some(0.0);
    let value = |name: &str| row_value(row, name).as_f64().or(nothing);
    let say = |value: Option<f64>| value.map_or(NOTHING.to_owned(), |value| say(value, column, row, language));
    let (now, before) = (value(&column.name), column.before.as_deref().and_then(value));
    let mut cells = vec![column.label.clone(), say(now)];
    if compared {
        let change = now
            .zip(before)
            .map(|(now, before)| words::change(now, before, format(column), language));
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
        let name = |column: &&Column| match row_value(row, &column.name) {
            Value::Null => None,
            value => Some(shown(value, column.format, None, panel.zone)),
        };
        let mut names: Vec<String> = of.iter().filter_map(name).collect();
        if names.is_empty() {
            names.push(NOTHING.to_owned());
        }
        let figures = figures
            .iter()
            .map(|column| match row_value(row, &column.name).as_f64() {
                Some(value) => say(value, column, row, language),
                None => NOTHING.to_owned(),
            });
        [names.join(" · ")].into_iter().chain(figures).collect()
    };
    let labels: Vec<&str> = of.iter().map(|column| column.label.as_str()).collect();
    let mut head = vec![labels.join(" · ")];
    head.extend(figures.iter().map(|column| column.label.clone()));
    Table {
        title: titled(panel, language),
        head,
        rows: panel.rows.iter().take(MOST_ROWS).map(row).collect(),
    }
}

fn say(value: f64, column: &Column, row: &Row, language: Language) -> String {
    let currency = row_value(row, "currency").as_str().and_then(|code| code.parse().ok());
    words::figure(value, format(column), currency, language)
}

fn format(column: &Column) -> MetricFormat {
    match column.format {
        Format::Money => MetricFormat::Money,
        Format::Percent => MetricFormat::Percent,
        Format::Duration => MetricFormat::Duration,
        _ => MetricFormat::Decimal,
    }
}

fn row_value<'r>(row: &'r Row, name: &str) -> &'r Value {
    row.get(name).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn column(name: &str, role: Role, format: Format, before: bool) -> Column {
        Column {
            label: format!("The {name}"),
            counted: metrics::metric(name).is_some_and(|metric| !metric.about.nullable),
            before: before.then(|| format!("{name}_before")),
            ..Column::plain(name, role, format)
        }
    }

    fn panel(kind: &str, columns: Vec<Column>, rows: Value) -> PanelData {
        let page = format!("title: T\npanels:\n  - {{ id: p, title: P, kind: {kind}, metrics: [net_sales] }}\n");
        let page = crate::dashboards::Page::read("p", "p.yml", &page).unwrap();
        let mut data = PanelData::of(&page.panels[0]);
        data.columns = columns;
        data.rows = serde_json::from_value(rows).unwrap();
        data
    }

    fn table(panel: &PanelData) -> Option<Vec<Vec<String>>> {
        of_panel(panel, "EUR".parse().unwrap(), Language::German).map(|table| table.rows)
    }

    #[test]
    fn money_has_a_line_a_currency_and_what_nobody_bought_is_0() {
        let columns = || {
            vec![
                column("currency", Role::Dimension, Format::Text, false),
                column("net_sales", Role::Metric, Format::Money, true),
                column("tickets_sold", Role::Metric, Format::Integer, true),
                column("average_ticket", Role::Metric, Format::Money, true),
            ]
        };
        let rows = json!([
            { "currency": "EUR", "net_sales": 150_000, "net_sales_before": 100_000, "tickets_sold": null },
            { "currency": "JPY", "net_sales": 7, "net_sales_before": null, "tickets_sold": null },
            { "currency": null, "net_sales": null, "tickets_sold": 3, "tickets_sold_before": 4 },
        ]);
        let rows = table(&panel("figures", columns(), rows)).unwrap();
        assert_eq!(rows[0], ["The net_sales", "1.500,00 EUR", "1.000,00 EUR", "+50,0 %"]);
        assert_eq!(rows[1], ["The net_sales", "7 JPY", "0 JPY", ""]);
        assert_eq!(rows[2], ["The tickets_sold", "3", "4", "-25,0 %"]);
        assert_eq!(rows[3], ["The average_ticket", "–", "–", ""]);
        let nothing = table(&panel("figures", columns(), json!([]))).unwrap();
        assert_eq!(nothing[0][1], "0,00 EUR");
    }

    #[test]
    fn a_list_says_what_its_rows_are_of_and_what_is_of_all_time_says_so() {
        let columns = vec![
            column("ticket_type", Role::Dimension, Format::Text, false),
            column("phase", Role::Dimension, Format::Text, false),
            column("placed_at", Role::Dimension, Format::Moment, false),
            column("owed", Role::Metric, Format::Money, false),
        ];
        let rows = json!([
            { "ticket_type": "General", "phase": null, "placed_at": "2026-07-01T20:00:00Z", "currency": "EUR", "owed": 5 },
            { "ticket_type": null, "currency": "EUR", "owed": 7 },
        ]);
        let mut panel = panel("bar", columns, rows);
        panel.zone = chrono_tz::Tz::Europe__Berlin;
        let table = of_panel(&panel, "EUR".parse().unwrap(), Language::English).unwrap();
        assert_eq!(table.title, format!("P ({})", words::all_time(Language::English)));
        assert_eq!(table.head, ["The ticket_type · The phase · The placed_at", "The owed"]);
        assert_eq!(table.rows[0], ["General · 1 Jul 2026 22:00", "0.05 EUR"]);
        assert_eq!(table.rows[1], ["–", "0.07 EUR"]);
    }

    #[test]
    fn a_list_is_cut_and_has_no_ids_and_what_is_drawn_is_left_out() {
        let columns = || {
            vec![
                column("title", Role::Dimension, Format::Text, false),
                column("event_id", Role::Dimension, Format::Text, false),
                column("net_sales", Role::Metric, Format::Money, false),
            ]
        };
        let row = |n: i32| json!({ "title": format!("E{n}"), "event_id": "0190", "currency": "EUR", "net_sales": n });
        let rows: Vec<Value> = (0..20).map(row).collect();
        let shown = table(&panel("bar", columns(), rows.clone().into())).unwrap();
        assert_eq!((shown.len(), shown[1].join("|").as_str()), (10, "E1|0,01 EUR"));
        assert_eq!(table(&panel("line, grain: day", columns(), rows.into())), None);
        assert_eq!(table(&panel("bar", columns(), json!([]))), None);
    }
}
