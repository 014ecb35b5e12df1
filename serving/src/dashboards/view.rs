//! What templates are given: everything is text already, or HTML that says so.

use super::{
    columns::{PanelData, label},
    drawn::PanelView,
    options::Choices,
    page::Of,
    panel::Asking,
    range::{COMPARISONS, OFFERED, Range},
    state::{ALL, State},
};
use crate::problem::Result;
use serde::Serialize;
use std::collections::BTreeMap;

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
    /// Who shares it, and until when.
    pub shared_by: String,
    pub shared_until: String,
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
    /// Those that they are compared with.
    pub beside: Option<String>,
    pub zone: String,
    pub ranges: Vec<Choice>,
    pub from: String,
    pub to: String,
    pub comparisons: Vec<Choice>,
    pub filters: Vec<FilterView>,
    /// Filters that are set, and the address without each.
    pub chips: Vec<Chip>,
    /// Filters that are set and that no field of the bar stands for, so that a form without scripts keeps them.
    pub kept: Vec<Kept>,
    /// What the event that it is about is called.
    pub event: Option<String>,
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
pub struct Kept {
    pub name: String,
    pub value: String,
}

#[derive(Serialize)]
pub struct Chip {
    pub label: String,
    pub value: String,
    pub without: String,
}

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
            Some(PanelView::new(panel, data, state))
        });
        Ok(Self {
            title: page.title.clone(),
            about: page.about.clone(),
            days: state.range.label(today),
            beside: state.compare.beside(state.range, today),
            zone: asking.zone.name().to_owned(),
            ranges: ranges(state.range),
            from: day(from),
            to: day(to),
            comparisons: chosen(&COMPARISONS, state.compare.name()),
            filters: choices.filters,
            chips: chips(state, &choices.names, frame),
            event: state.event(page).and_then(|id| choices.names.get(id).cloned()),
            kept: kept(state, &page.filters),
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

fn kept(state: &State, offered: &[String]) -> Vec<Kept> {
    let others = state
        .filters
        .iter()
        .filter(|(dimension, _)| !offered.contains(dimension));
    let fields = others.flat_map(|(dimension, values)| {
        values.iter().map(move |value| Kept {
            name: format!("filter.{dimension}"),
            value: value.clone().unwrap_or_default(),
        })
    });
    fields.collect()
}

/// The filters that are set; an event is called by its name.
fn chips(state: &State, names: &BTreeMap<String, String>, frame: &Frame) -> Vec<Chip> {
    let called = |dimension: &str, value: &Option<String>| match value {
        None => "none".to_owned(),
        Some(id) if dimension == "event_id" => names.get(id).unwrap_or(id).clone(),
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
