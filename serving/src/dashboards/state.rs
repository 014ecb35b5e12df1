//! What a page's address says beside its name. It is the whole state of the page, so a link shows what its sender saw.

use super::{
    page::{Of, Page, filter},
    range::{Comparison, Range},
};
use crate::problem::{Problem, Result};
use domain::OrganizerId;
use std::collections::BTreeMap;
use transforms::metrics::Filter;
use url::form_urlencoded;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub range: Range,
    pub compare: Comparison,
    /// None among the values: rows without one.
    pub filters: BTreeMap<String, Vec<Option<String>>>,
    pub organizer: Option<OrganizerId>,
}

/// What a form's list sends for "all of them".
pub(super) const ALL: &str = "*";
/// What an address may say beside the state.
const BESIDE: [&str; 2] = ["format", "embed"];
const MOST_VALUES: usize = 100;

impl State {
    /// What a page shows if nothing is said.
    pub fn of(page: &Page) -> Self {
        Self {
            range: page.range,
            compare: page.compare,
            filters: BTreeMap::new(),
            organizer: None,
        }
    }

    pub fn parse(page: &Page, query: &str) -> Result<Self> {
        let mut state = Self::of(page);
        let (mut named, mut from, mut to) = (None, None, None);
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let wrong = |detail: String| Problem::new("invalid_parameter", detail).at(format!("/{key}"));
            let day = |text: &str| match text {
                "" => Ok(None),
                text => text
                    .parse()
                    .map(Some)
                    .map_err(|_| wrong(format!("{text:?} is no day such as 2026-05-01"))),
            };
            match key.as_ref() {
                "range" if value.is_empty() => {}
                "range" => named = Some(value.to_string()),
                "from" => from = day(&value)?,
                "to" => to = day(&value)?,
                "compare" => state.compare = value.parse().map_err(wrong)?,
                "organizer_id" if value.is_empty() => {}
                "organizer_id" => {
                    let id = value
                        .parse()
                        .map_err(|error: domain::Invalid| wrong(error.to_string()))?;
                    state.organizer = Some(id);
                }
                key if BESIDE.contains(&key) => {}
                key => state.take_filter(page, key, &value).map_err(wrong)?,
            }
        }
        let wrong = |detail: String| Problem::new("invalid_parameter", detail).at("/range");
        match named.as_deref() {
            Some("custom") => state.range = Range::between(from, to).map_err(wrong)?,
            Some(name) => state.range = name.parse().map_err(wrong)?,
            None if from.is_some() || to.is_some() => state.range = Range::between(from, to).map_err(wrong)?,
            None => {}
        }
        Ok(state)
    }

    fn take_filter(&mut self, page: &Page, key: &str, value: &str) -> Result<(), String> {
        let Some(dimension) = key.strip_prefix("filter.") else {
            return Err(format!(
                "{key} is nothing that a page's address says: there are range, from, to, compare, filter.… and organizer_id"
            ));
        };
        if !page.knows(dimension) {
            return Err(format!("nothing on this page can be asked by {dimension}"));
        }
        if value == ALL {
            return Ok(());
        }
        let values = self.filters.entry(dimension.to_owned()).or_default();
        let value = Some(value.to_owned()).filter(|value| !value.is_empty());
        if values.len() >= MOST_VALUES {
            return Err(format!("a filter has at most {MOST_VALUES} values"));
        }
        if !values.contains(&value) {
            values.push(value);
        }
        Ok(())
    }

    /// The same as an address says it. Two states that mean the same are written the same.
    pub fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        match self.range {
            Range::Between(from, to) => {
                for (key, day) in [("from", from), ("to", to)] {
                    if let Some(day) = day {
                        query.append_pair(key, &day.to_string());
                    }
                }
            }
            range => drop(query.append_pair("range", &range.to_string())),
        }
        query.append_pair("compare", self.compare.name());
        for (dimension, values) in &self.filters {
            let mut values: Vec<&str> = values
                .iter()
                .map(|value| value.as_deref().unwrap_or_default())
                .collect();
            values.sort_unstable();
            for value in values {
                query.append_pair(&format!("filter.{dimension}"), value);
            }
        }
        if let Some(organizer) = self.organizer {
            query.append_pair("organizer_id", &organizer.to_string());
        }
        query.finish()
    }

    /// With one filter more, or in place of the values that it has.
    pub fn with(&self, dimension: &str, value: Option<String>) -> Self {
        let mut state = self.clone();
        state.filters.insert(dimension.to_owned(), vec![value]);
        state
    }

    pub fn without(&self, dimension: &str) -> Self {
        let mut state = self.clone();
        state.filters.remove(dimension);
        state
    }

    /// What another page shows of it too: what was chosen and not merely this page's own, as far as the other has it.
    pub fn carried(&self, from: &Page, to: &Page) -> Self {
        let mut state = Self::of(to);
        state.organizer = self.organizer;
        if self.range != from.range {
            state.range = self.range;
        }
        if self.compare != from.compare {
            state.compare = self.compare;
        }
        // The one event that a page is about is no filter of the others.
        let of_event = |dimension: &str| dimension == "event_id" && from.of == Some(Of::Event);
        let offered = self
            .filters
            .iter()
            .filter(|(dimension, _)| to.filters.contains(dimension) && !of_event(dimension));
        state.filters = offered.map(|(name, values)| (name.clone(), values.clone())).collect();
        state
    }

    pub fn filters(&self) -> impl Iterator<Item = Filter> {
        self.filters.iter().map(filter)
    }

    /// The event that the page is about; a page of something else has none.
    pub fn event<'s>(&'s self, page: &Page) -> Option<&'s str> {
        let of_event = page.of == Some(Of::Event);
        let values = self.filters.get("event_id").filter(|_| of_event)?;
        values.iter().flatten().next().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let text = "title: T\nrange: 30d\ncompare: previous\npanels:\n  \
                    - { id: sales, title: Sales, kind: line, metrics: [net_sales], grain: auto }";
        Page::read("mine", "mine.yml", text).unwrap()
    }

    #[test]
    fn an_address_is_read_as_it_is_written() {
        let page = page();
        let said = "range=7d&compare=year&filter.channel=&filter.title=A+%26+B&filter.title=Z%22%3C%2Fscript%3E";
        let state = State::parse(&page, said).unwrap();
        assert_eq!(state.query(), said);
        assert_eq!(state.filters["title"].len(), 2);
        assert_eq!(state.filters["channel"], [None], "an empty value is a row without one");
        assert_eq!(State::parse(&page, "").unwrap().query(), "range=30d&compare=previous");
        assert_eq!(
            State::parse(&page, &state.without("title").query()).unwrap(),
            state.without("title")
        );
    }

    #[test]
    fn what_a_form_leaves_open_says_nothing() {
        let page = page();
        let form = "range=custom&from=2026-05-01&to=2026-06-01&compare=none&filter.title=*&organizer_id=";
        let state = State::parse(&page, form).unwrap();
        assert_eq!(state.query(), "from=2026-05-01&to=2026-06-01&compare=none");
        let named = State::parse(&page, "range=7d&from=2026-05-01&to=2026-06-01").unwrap();
        assert_eq!(named.range, Range::Days(7), "a range by name counts before days");
    }

    #[test]
    fn another_page_shows_what_was_chosen_as_far_as_it_has_it() {
        let read = |head: &str| {
            let panels = "panels: [{ id: a, title: A, kind: figures, metrics: [net_sales] }]";
            Page::read("other", "other.yml", &format!("title: T\n{head}\n{panels}")).unwrap()
        };
        let from = read("range: 30d\ncompare: previous\nfilters: [channel, category, event_id]");
        let to = read("range: today\nfilters: [category, event_id]");
        let carried = |from: &Page, said: &str| State::parse(from, said).unwrap().carried(from, &to).query();
        let chosen = "range=90d&compare=year&filter.category=comedy&filter.channel=online&filter.event_id=e";
        let kept = "range=90d&compare=year&filter.category=comedy&filter.event_id=e";
        assert_eq!(carried(&from, chosen), kept);
        assert_eq!(
            carried(&from, ""),
            "range=today&compare=none",
            "a page's own range is its own"
        );
        let of_event = read("of: event\nrange: all");
        assert_eq!(carried(&of_event, "filter.event_id=e"), "range=today&compare=none");
    }

    #[test]
    fn an_address_that_is_wrong_says_where() {
        let page = page();
        for (query, pointer) in [
            ("range=soon", "/range"),
            ("from=yesterday", "/from"),
            ("compare=never", "/compare"),
            ("filter.gate=North", "/filter.gate"),
            ("filter.title%22%3B--=x", "/filter.title\";--"),
            ("colour=red", "/colour"),
            ("organizer_id=x", "/organizer_id"),
        ] {
            let problem = State::parse(&page, query).unwrap_err();
            assert_eq!(
                (problem.code.as_ref(), problem.pointer.as_deref()),
                ("invalid_parameter", Some(pointer))
            );
        }
    }
}
