//! A panel as a template draws it: figures with their changes, the steps of a funnel, rows of a table.

use super::{
    columns::{CURRENCY, Column, Format, PanelData, Role, Row},
    page::{Kind, Panel, Width},
    render::json_block,
    state::State,
    text::{NOTHING, change, shown},
};
use crate::problem::Result;
use serde::Serialize;
use serde_json::Value;

#[derive(Serialize)]
pub struct PanelView {
    pub id: String,
    pub title: String,
    pub kind: Kind,
    pub width: Width,
    pub live: bool,
    /// What an alert on this panel would begin with.
    pub metric: Option<String>,
    pub description: String,
    pub error: Option<String>,
    pub empty: Option<String>,
    pub notes: Vec<String>,
    pub figures: Vec<Figure>,
    pub head: Vec<Head>,
    pub rows: Vec<Vec<Cell>>,
    /// Rows that are not in the table.
    pub more: usize,
    /// The data, to stand in a script element.
    pub json: minijinja::Value,
}

#[derive(Serialize)]
pub struct Figure {
    pub metric: String,
    pub label: String,
    pub values: Vec<FigureValue>,
}

#[derive(Serialize)]
pub struct FigureValue {
    pub currency: Option<String>,
    pub text: String,
    pub change: Option<String>,
    /// `good`, `bad` or `same`
    pub mood: &'static str,
    /// What it was, in words.
    pub before: Option<String>,
}

#[derive(Serialize)]
pub struct Head {
    pub label: String,
    pub number: bool,
}

#[derive(Serialize)]
pub struct Cell {
    pub text: String,
    pub number: bool,
    pub href: Option<String>,
}

/// A page holds so many rows of a panel as text; the rest is in its data and its files.
const MOST_ROWS: usize = 200;

impl PanelView {
    pub fn new(panel: &Panel, data: &PanelData, state: &State) -> Result<Self> {
        let (head, rows) = match panel.kind {
            Kind::Figures => (Vec::new(), Vec::new()),
            Kind::Funnel => steps(data),
            _ => table(data, state),
        };
        Ok(Self {
            id: data.id.clone(),
            title: data.title.clone(),
            kind: data.kind,
            width: panel.width(),
            live: panel.live,
            metric: panel.metrics.first().cloned(),
            description: data.description.clone(),
            error: data.error.clone(),
            empty: data.empty.clone(),
            notes: data.notes.clone(),
            figures: figures(data),
            more: data.rows.len().saturating_sub(MOST_ROWS),
            head,
            rows,
            json: json_block(data)?,
        })
    }
}

fn figures(data: &PanelData) -> Vec<Figure> {
    if data.kind != Kind::Figures || data.error.is_some() {
        return Vec::new();
    }
    let figure = |column: &Column| {
        let is_money = column.format == Format::Money;
        let value = |row: &Row| {
            let currency = currency_of(row);
            let now = row.get(&column.name).unwrap_or(&Value::Null);
            if now.is_null() || currency.is_some() != is_money {
                return None;
            }
            let before = column.before.as_ref().and_then(|name| row.get(name));
            let change = before.and_then(|before| change(now, before, column));
            Some(FigureValue {
                currency: currency.map(str::to_owned),
                text: shown(now, column.format, currency, data.zone),
                mood: change.as_ref().map_or("same", |(_, mood)| *mood),
                change: change.map(|(text, _)| text),
                before: before
                    .filter(|value| !value.is_null())
                    .map(|value| shown(value, column.format, currency, data.zone)),
            })
        };
        let mut values: Vec<FigureValue> = data.rows.iter().filter_map(value).collect();
        if values.is_empty() {
            values.push(FigureValue {
                currency: None,
                text: NOTHING.to_owned(),
                change: None,
                mood: "same",
                before: None,
            });
        }
        Figure {
            metric: column.name.clone(),
            label: column.label.clone(),
            values,
        }
    };
    data.of_role(Role::Metric).map(figure).collect()
}

/// Of each step, how many there were, as a part of the step before and of the first one.
fn steps(data: &PanelData) -> (Vec<Head>, Vec<Vec<Cell>>) {
    let head = |label: &str, number| Head {
        label: label.to_owned(),
        number,
    };
    let heads = vec![
        head("Step", false),
        head("Count", true),
        head("Of the step before", true),
        head("Of all", true),
    ];
    let Some(row) = data.rows.first() else {
        return (heads, Vec::new());
    };
    let steps: Vec<(&Column, f64)> = data
        .of_role(Role::Metric)
        .map(|column| (column, row.get(&column.name).and_then(Value::as_f64).unwrap_or(0.0)))
        .collect();
    let part = |count: f64, of: Option<f64>| match of.filter(|of| *of > 0.0) {
        Some(of) => shown(&Value::from(count / of), Format::Percent, None, data.zone),
        None => NOTHING.to_owned(),
    };
    let cell = |text: String, number| Cell {
        text,
        number,
        href: None,
    };
    let rows = steps.iter().enumerate().map(|(place, (column, count))| {
        let before = place.checked_sub(1).map(|before| steps[before].1);
        vec![
            cell(column.label.clone(), false),
            cell(shown(&Value::from(*count), column.format, None, data.zone), true),
            cell(part(*count, before), true),
            cell(part(*count, steps.first().map(|(_, first)| *first)), true),
        ]
    });
    (heads, rows.collect())
}

fn table(data: &PanelData, state: &State) -> (Vec<Head>, Vec<Vec<Cell>>) {
    let named: Vec<&str> = data.columns.iter().map(|column| column.name.as_str()).collect();
    // An id tells a reader nothing where the name stands beside it.
    let is_told = |column: &&Column| {
        let name = column.name.trim_end_matches("_id");
        let told = if name == "event" { "title" } else { name };
        !column.name.ends_with("_id") || !named.contains(&told)
    };
    let columns: Vec<&Column> = data.columns.iter().filter(is_told).collect();
    let is_number = |column: &Column| column.role == Role::Metric;
    let mut heads = Vec::new();
    for column in &columns {
        let number = is_number(column);
        heads.push(Head {
            label: column.label.clone(),
            number,
        });
        if column.before.is_some() {
            let label = format!("{} before", column.label);
            heads.push(Head { label, number });
        }
    }
    let rows = data.rows.iter().take(MOST_ROWS).map(|row| {
        let mut href = drilled(data, row, state);
        let mut cells = Vec::new();
        for column in &columns {
            for name in [Some(&column.name), column.before.as_ref()].into_iter().flatten() {
                let value = row.get(name).unwrap_or(&Value::Null);
                let number = is_number(column);
                cells.push(Cell {
                    text: shown(value, column.format, currency_of(row), data.zone),
                    href: href.take_if(|_| column.role == Role::Dimension),
                    number,
                });
            }
        }
        cells
    });
    (heads, rows.collect())
}

/// Where a row leads.
fn drilled(data: &PanelData, row: &Row, state: &State) -> Option<String> {
    let drill = data.drill.as_ref()?;
    let value = match row.get(&drill.by)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let Some(page) = &drill.page else {
        return Some(format!("?{}", state.with(&drill.by, value).query()));
    };
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair(&format!("filter.{}", drill.by), &value.unwrap_or_default());
    if let Some(organizer) = state.organizer {
        query.append_pair("organizer_id", &organizer.to_string());
    }
    Some(format!("/dashboards/{page}?{}", query.finish()))
}

fn currency_of(row: &Row) -> Option<&str> {
    row.get(CURRENCY).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboards::{columns::of_metrics, page::Page};
    use serde_json::json;
    use transforms::metrics::metric;

    fn data(kind: &str, metrics: &[&str], dimensions: &[&str], rows: Value) -> (Page, PanelData) {
        let (names, by) = (metrics.join(", "), dimensions.join(", "));
        let drill = dimensions
            .first()
            .map_or(String::new(), |name| format!(", drill: {{ page: event, by: {name} }}"));
        let panel = format!("{{ id: a, title: A, kind: {kind}, metrics: [{names}], dimensions: [{by}]{drill} }}");
        let page = Page::read("p", "p.yml", &format!("title: T\npanels: [{panel}]")).unwrap();
        let mut data = PanelData::of(&page.panels[0]);
        let metrics: Vec<_> = metrics.iter().map(|name| metric(name).unwrap()).collect();
        data.columns = of_metrics(&metrics, &page.panels[0].dimensions, None, kind == "figures");
        data.rows = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row.as_object().unwrap().clone())
            .collect();
        (page, data)
    }

    #[test]
    fn a_figure_has_a_line_a_currency_and_says_how_it_changed() {
        let (_, data) = data(
            "figures",
            &["net_sales", "tickets_sold"],
            &[],
            json!([
                { "currency": "EUR", "net_sales": 125_000, "net_sales_before": 90_000 },
                { "currency": "JPY", "net_sales": 500, "net_sales_before": null },
                { "currency": null, "tickets_sold": 7, "tickets_sold_before": 14 },
            ]),
        );
        let figures = figures(&data);
        let told = |place: usize| {
            let values = figures[place].values.iter();
            values
                .map(|value| (value.text.as_str(), value.change.as_deref(), value.mood))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            told(0),
            [("€1,250.00", Some("+38.9 %"), "good"), ("¥500", None, "same")]
        );
        assert_eq!(told(1), [("7", Some("−50.0 %"), "bad")]);
    }

    #[test]
    fn a_funnel_tells_what_is_left_after_each_step() {
        let metrics = ["event_visits", "holds", "checkouts"];
        let rows = json!([{ "event_visits": 200, "holds": 50, "checkouts": 0 }]);
        let (_, data) = data("funnel", &metrics, &[], rows);
        let (_, rows) = steps(&data);
        let cells = |row: &Vec<Cell>| row.iter().map(|cell| cell.text.clone()).collect::<Vec<_>>();
        assert_eq!(cells(&rows[0]), ["Visits", "200", "–", "100.0 %"]);
        assert_eq!(cells(&rows[1]), ["Holds", "50", "25.0 %", "25.0 %"]);
        assert_eq!(cells(&rows[2]), ["Checkouts", "0", "0.0 %", "0.0 %"]);
    }

    #[test]
    fn a_row_leads_to_another_page_by_its_id_and_shows_the_name() {
        let rows = json!([{ "event_id": "e 1", "title": "<b>", "currency": "EUR", "net_sales": 100 }]);
        let (page, data) = data("table", &["net_sales"], &["event_id", "title"], rows);
        let (heads, rows) = table(&data, &State::of(&page));
        assert_eq!(
            heads.iter().map(|head| head.label.as_str()).collect::<Vec<_>>(),
            ["Event", "Currency", "Net sales"]
        );
        assert_eq!(rows[0][0].text, "<b>");
        assert_eq!(
            rows[0][0].href.as_deref(),
            Some("/dashboards/event?filter.event_id=e+1")
        );
        assert_eq!((rows[0][1].href.as_deref(), rows[0][2].text.as_str()), (None, "€1.00"));
    }
}
