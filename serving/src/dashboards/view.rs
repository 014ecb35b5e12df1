//! What templates are given: everything is text already, or HTML that says so.

use super::{
    columns::{CURRENCY, Column, Format, PanelData, Role, Row, label},
    options::Choices,
    page::{Kind, Of, Panel, Width},
    panel::Asking,
    range::{COMPARISONS, OFFERED, Range},
    render::json_block,
    state::{ALL, State},
    text::{NOTHING, change, shown},
};
use crate::problem::Result;
use serde::Serialize;
use serde_json::Value;

/// What surrounds a page: where it is, and who looks.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Frame {
    pub title: String,
    /// The page's address without its state.
    pub base: String,
    pub query: String,
    /// The page's name.
    pub page: String,
    pub nav: Vec<Link>,
    /// Whose rows can be looked at, if there is a choice.
    pub organizers: Vec<Choice>,
    pub organizer_id: String,
    pub viewer: String,
    pub platform: bool,
    /// For who has a link and no account.
    pub shared: bool,
    /// Without a frame of its own.
    pub embed: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Link {
    pub title: String,
    pub href: String,
    pub current: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    pub value: String,
    pub label: String,
    pub selected: bool,
}

#[derive(Serialize)]
pub struct PageView {
    pub title: String,
    pub about: String,
    /// In words: which days.
    pub days: String,
    pub zone: String,
    pub ranges: Vec<Choice>,
    pub from: String,
    pub to: String,
    pub comparisons: Vec<Choice>,
    pub filters: Vec<FilterView>,
    /// Filters that are set, and the address without each.
    pub chips: Vec<Chip>,
    /// The page is about an event, and none is chosen.
    pub asks_for_event: bool,
    /// Links to the page of each event, of a page that is about one.
    pub events: Vec<Link>,
    pub has_events: bool,
    pub panels: Vec<PanelView>,
    pub position: i64,
}

#[derive(Serialize)]
pub struct FilterView {
    pub dimension: String,
    pub label: String,
    pub options: Vec<Choice>,
}

#[derive(Serialize)]
pub struct Chip {
    pub label: String,
    pub value: String,
    pub without: String,
}

#[derive(Serialize)]
pub struct PanelView {
    pub id: String,
    pub title: String,
    pub kind: Kind,
    pub width: Width,
    pub live: bool,
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

impl PageView {
    pub fn new(asking: &Asking, frame: &Frame, choices: Choices, answers: &[PanelData]) -> Result<Self> {
        let Asking { page, state, .. } = asking;
        let today = asking.today();
        let (from, to) = match state.range {
            Range::Between(from, to) => (from, to),
            range => range.days(today),
        };
        let day = |day: Option<chrono::NaiveDate>| day.map_or(String::new(), |day| day.to_string());
        let panels = page.panels.iter().filter_map(|panel| {
            let data = answers.iter().find(|data| data.id == panel.id)?;
            Some(PanelView::new(panel, data, frame, state))
        });
        Ok(Self {
            title: page.title.clone(),
            about: page.about.clone(),
            days: state.range.label(today),
            zone: asking.zone.name().to_owned(),
            ranges: ranges(state.range),
            from: day(from),
            to: day(to),
            comparisons: chosen(&COMPARISONS, state.compare.name()),
            filters: choices.filters,
            chips: chips(state, &choices.titles, frame),
            asks_for_event: page.of == Some(Of::Event) && state.event(page).is_none(),
            events: choices.events,
            has_events: asking.has_events,
            position: answers.iter().map(|data| data.position).max().unwrap_or(0),
            panels: panels.collect::<Result<_>>()?,
        })
    }
}

fn ranges(range: Range) -> Vec<Choice> {
    let name = range.to_string();
    let mut ranges = chosen(&OFFERED, &name);
    let known = ranges.iter().any(|choice| choice.selected);
    ranges.push(Choice {
        value: "custom".to_owned(),
        label: "From … to …".to_owned(),
        selected: !known,
    });
    ranges
}

fn chosen(offered: &[(&str, &str)], name: &str) -> Vec<Choice> {
    let choice = |(value, label): &(&str, &str)| Choice {
        value: (*value).to_owned(),
        label: (*label).to_owned(),
        selected: *value == name,
    };
    offered.iter().map(choice).collect()
}

/// The filters that are set; an event is called by its title.
fn chips(state: &State, titles: &[(String, String)], frame: &Frame) -> Vec<Chip> {
    let called = |dimension: &str, value: &Option<String>| match value {
        None => "none".to_owned(),
        Some(id) if dimension == "event_id" => {
            let title = titles.iter().find(|(known, _)| known == id);
            title.map_or(id.clone(), |(_, title)| title.clone())
        }
        Some(value) => value.clone(),
    };
    let chip = |(dimension, values): (&String, &Vec<Option<String>>)| {
        let values: Vec<String> = values.iter().map(|value| called(dimension, value)).collect();
        Chip {
            label: label(dimension),
            value: values.join(", "),
            without: format!("{}?{}", frame.base, state.without(dimension).query()),
        }
    };
    state.filters.iter().map(chip).collect()
}

impl PanelView {
    pub fn new(panel: &Panel, data: &PanelData, frame: &Frame, state: &State) -> Result<Self> {
        let data = &match frame.shared {
            true => PanelData {
                drill: None,
                ..data.clone()
            },
            false => data.clone(),
        };
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
            let change = before.and_then(|before| change(now, before, column.good));
            Some(FigureValue {
                currency: currency.map(str::to_owned),
                text: shown(now, column.format, currency),
                mood: change.as_ref().map_or("same", |(_, mood)| *mood),
                change: change.map(|(text, _)| text),
                before: before
                    .filter(|value| !value.is_null())
                    .map(|value| shown(value, column.format, currency)),
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
        Some(of) => shown(&Value::from(count / of), Format::Percent, None),
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
            cell(shown(&Value::from(*count), column.format, None), true),
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
                    text: shown(value, column.format, currency_of(row)),
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

impl FilterView {
    /// A list of values, of which none, one or several are chosen.
    pub fn new(dimension: &str, values: Vec<Option<String>>, state: &State) -> Self {
        let set = state.filters.get(dimension);
        let mut values = values;
        values.extend(set.into_iter().flatten().cloned());
        let mut options = vec![Choice {
            value: ALL.to_owned(),
            label: "All".to_owned(),
            selected: set.is_none(),
        }];
        for value in values {
            let text = value.clone().unwrap_or_default();
            if options.iter().all(|option| option.value != text) {
                options.push(Choice {
                    label: value.clone().unwrap_or_else(|| "none".to_owned()),
                    selected: set.is_some_and(|set| set.contains(&value)),
                    value: text,
                });
            }
        }
        Self {
            dimension: dimension.to_owned(),
            label: label(dimension),
            options,
        }
    }
}
