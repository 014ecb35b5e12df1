//! A dashboard is a file that names metrics and how to draw them. Whatever is wrong in it is said with its place, before
//! anybody looks at the page.

use super::range::{Comparison, Range};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, OnceLock},
};
use transforms::metrics::{self, Filter, Grain, Metric, MetricQuery, Time};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The file's, and what the address ends with.
    #[serde(skip)]
    pub name: String,
    pub title: String,
    #[serde(default)]
    pub about: String,
    /// In the navigation; the smallest first.
    #[serde(default = "last")]
    pub order: i64,
    #[serde(default, rename = "for")]
    pub audience: Audience,
    /// It is about one event, and lets one be chosen first.
    #[serde(default)]
    pub of: Option<Of>,
    #[serde(default)]
    pub range: Range,
    #[serde(default)]
    pub compare: Comparison,
    /// Dimensions of the filter bar.
    #[serde(default)]
    pub filters: Vec<String>,
    pub panels: Vec<Panel>,
    #[serde(skip)]
    public: OnceLock<Arc<Page>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    #[default]
    Organizer,
    /// Whoever runs the program.
    Platform,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    Event,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    pub id: String,
    #[serde(default)]
    pub title: String,
    /// A sentence for who wonders what it shows.
    #[serde(default)]
    pub about: String,
    pub kind: Kind,
    #[serde(default)]
    pub metrics: Vec<String>,
    /// A named question, in place of metrics.
    #[serde(default)]
    pub question: Option<String>,
    #[serde(default)]
    pub dimensions: Vec<String>,
    #[serde(default)]
    pub grain: Option<PanelGrain>,
    #[serde(default)]
    pub width: Option<Width>,
    /// Pushed as soon as it changes.
    #[serde(default)]
    pub live: bool,
    #[serde(default)]
    pub order_by: Option<String>,
    #[serde(default)]
    pub limit: Option<usize>,
    /// Its own range, whatever the page's is.
    #[serde(default)]
    pub range: Option<Range>,
    /// Only rows with these values; null is a row without one.
    #[serde(default)]
    pub only: BTreeMap<String, Vec<Option<String>>>,
    /// For members on the page alone: neither who has a link nor a mail shows it.
    #[serde(default)]
    pub private: bool,
    /// A sentence that stands above it, for what would be misunderstood without.
    #[serde(default)]
    pub note: Option<String>,
    /// Filters of the page that it does not follow.
    #[serde(default)]
    pub without: Vec<String>,
    /// Of this dimension, so many values with the largest figures, where all would be too many to draw.
    #[serde(default)]
    pub top: Option<Top>,
    /// Where a click on a row leads.
    #[serde(default)]
    pub drill: Option<Drill>,
    /// What stands there as long as there is nothing to show.
    #[serde(default)]
    pub empty: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Figures,
    Line,
    Area,
    Bar,
    Heatmap,
    /// Its metrics are the steps, in their order.
    Funnel,
    Table,
    Pivot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Width {
    Full,
    Wide,
    Half,
    Third,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PanelGrain {
    /// By the length of the range.
    Auto,
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Top {
    pub of: String,
    pub count: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// None: this page, with the filter.
    #[serde(default)]
    pub page: Option<String>,
    pub by: String,
}

/// What is wrong in a page's file, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PageError {
    pub file: String,
    pub message: String,
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.message)
    }
}

/// Behind all that say where they stand.
fn last() -> i64 {
    1_000
}

/// Addresses that are not pages'.
const RESERVED: [&str; 3] = ["assets", "manage", "sql"];
const MOST_PANELS: usize = 30;

impl Page {
    pub fn read(name: &str, file: &str, text: &str) -> Result<Self, PageError> {
        let wrong = |message: String| PageError {
            file: file.to_owned(),
            message,
        };
        let mut page: Self = serde_saphyr::from_str(text).map_err(|error| {
            let line = error.location().map(|location| format!("line {}: ", location.line()));
            wrong(format!("{}{}", line.unwrap_or_default(), error.without_snippet()))
        })?;
        page.name = name.to_owned();
        page.check().map_err(wrong)?;
        Ok(page)
    }

    /// The page as it goes out, without panels for members alone. Always the same one, as feeds know pages by where they are.
    pub fn public(self: &Arc<Self>) -> Arc<Self> {
        if self.panels.iter().all(|panel| !panel.private) {
            return Arc::clone(self);
        }
        let without = || {
            let mut page = Self::clone(self);
            page.panels.retain(|panel| !panel.private);
            Arc::new(page)
        };
        Arc::clone(self.public.get_or_init(without))
    }

    pub fn panel(&self, id: &str) -> Option<&Panel> {
        self.panels.iter().find(|panel| panel.id == id)
    }

    /// The metrics of all its panels.
    pub fn metrics(&self) -> impl Iterator<Item = &'static Metric> {
        let names = self.panels.iter().flat_map(|panel| &panel.metrics);
        names.filter_map(|name| metrics::metric(name))
    }

    /// Whether a filter on this dimension can mean something here.
    pub fn knows(&self, dimension: &str) -> bool {
        self.metrics().any(|metric| metric.may_be_asked_by(dimension))
    }

    fn check(&self) -> Result<(), String> {
        if !is_name(&self.name) || RESERVED.contains(&self.name.as_str()) {
            let taken = RESERVED.join(", ");
            return Err(format!(
                "a page's file is named by lower-case letters, digits and -, and not {taken}"
            ));
        }
        if self.panels.is_empty() || self.panels.len() > MOST_PANELS {
            return Err(format!("panels: a page has 1 to {MOST_PANELS}"));
        }
        let mut ids = BTreeSet::new();
        for (place, panel) in self.panels.iter().enumerate() {
            let at = |message: String| format!("panels[{place}] ({}): {message}", panel.id);
            if !is_name(&panel.id) || !ids.insert(&panel.id) {
                return Err(at(
                    "id: lower-case letters, digits and -, and different for each panel".to_owned()
                ));
            }
            panel.check().map_err(at)?;
        }
        for dimension in &self.filters {
            if !self.knows(dimension) {
                return Err(format!(
                    "filters: none of the page's metrics can be asked by {dimension}"
                ));
            }
        }
        Ok(())
    }
}

impl Panel {
    pub fn width(&self) -> Width {
        self.width.unwrap_or(match self.kind {
            Kind::Figures => Width::Full,
            _ => Width::Half,
        })
    }

    pub fn grain(&self, range: Range, today: chrono::NaiveDate) -> Option<Grain> {
        let counted_a_day = || {
            let metrics = self.metrics.iter().filter_map(|name| metrics::metric(name));
            metrics.into_iter().any(|metric| matches!(metric.time, Time::Day(_)))
        };
        Some(match self.grain? {
            PanelGrain::Auto => match range.grain(today) {
                Grain::Hour if counted_a_day() => Grain::Day,
                grain => grain,
            },
            PanelGrain::Minute => Grain::Minute,
            PanelGrain::Hour => Grain::Hour,
            PanelGrain::Day => Grain::Day,
            PanelGrain::Week => Grain::Week,
            PanelGrain::Month => Grain::Month,
        })
    }

    fn check(&self) -> Result<(), String> {
        if self.title.is_empty() && self.kind != Kind::Figures {
            return Err("title: only figures do without one".to_owned());
        }
        match &self.question {
            Some(name) if transforms::question(name).is_none() => {
                return Err(format!(
                    "question: there is no question {name}; GET /v1/questions lists them"
                ));
            }
            Some(_) if !self.metrics.is_empty() => return Err("metrics: a question stands in their place".to_owned()),
            Some(_) => return Ok(()),
            None => {}
        }
        let mut times = BTreeSet::new();
        for name in &self.metrics {
            let known = metrics::metric(name);
            let known = known.ok_or_else(|| format!("metrics: there is no {name}; GET /v1/metrics lists them"))?;
            times.insert(known.time == Time::Whole);
        }
        if times.len() == 2 && self.kind != Kind::Figures {
            return Err("metrics: some know days and some are of all time, which only figures can show".to_owned());
        }
        let asked = MetricQuery {
            metrics: self.metrics.clone(),
            dimensions: self.dimensions.clone(),
            filters: self.only.iter().map(filter).collect(),
            grain: match self.grain {
                Some(PanelGrain::Auto) => Some(Grain::Day),
                _ => self.grain(Range::All, chrono::NaiveDate::MIN),
            },
            order_by: self.order_by.clone(),
            limit: self.limit,
            ..MetricQuery::default()
        };
        if self.kind != Kind::Figures {
            asked
                .sql()
                .map_err(|error| format!("{}: {error}", error.pointer.trim_start_matches('/')))?;
        }
        self.check_shape()
    }

    fn check_shape(&self) -> Result<(), String> {
        let (time, dimensions) = (usize::from(self.grain.is_some()), self.dimensions.len());
        let fits = match self.kind {
            Kind::Figures | Kind::Funnel => time + dimensions == 0 && !self.metrics.is_empty(),
            Kind::Line | Kind::Area | Kind::Heatmap => time + dimensions > 0,
            Kind::Bar | Kind::Table | Kind::Pivot => true,
        };
        if !fits {
            return Err(
                "dimensions: figures and funnels have none and no grain; lines and heatmaps need one".to_owned(),
            );
        }
        let named = self
            .drill
            .iter()
            .map(|drill| &drill.by)
            .chain(self.top.iter().map(|top| &top.of));
        match named.into_iter().find(|name| !self.dimensions.contains(name)) {
            Some(name) => Err(format!("drill and top: {name} is none of the panel's dimensions")),
            None => Ok(()),
        }
    }
}

/// As a query takes it.
pub(super) fn filter((dimension, values): (&String, &Vec<Option<String>>)) -> Filter {
    Filter {
        dimension: dimension.clone(),
        values: values.clone(),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 60
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(panels: &str) -> Result<Page, String> {
        let text = format!("title: T\nrange: 30d\npanels:\n{panels}");
        Page::read("mine", "mine.yml", &text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_page_says_what_it_shows_in_few_words() {
        let page = page("  - { id: sales, title: Sales, kind: line, metrics: [net_sales], grain: auto }\n").unwrap();
        assert_eq!((page.range, page.compare), (Range::Days(30), Comparison::None));
        assert!(page.knows("title") && page.knows("channel") && !page.knows("gate"));
        assert_eq!(page.panels[0].width(), Width::Half);
    }

    #[test]
    fn a_page_goes_out_without_what_is_for_members_alone() {
        let panel = |id: &str, more: &str| format!("  - {{ id: {id}, kind: figures, metrics: [net_sales]{more} }}\n");
        let open = Arc::new(page(&panel("a", "")).unwrap());
        assert!(Arc::ptr_eq(&open, &open.public()));
        let both = Arc::new(page(&(panel("a", "") + &panel("b", ", private: true"))).unwrap());
        let public = both.public();
        assert!(public.panel("a").is_some() && public.panel("b").is_none());
        assert!(Arc::ptr_eq(&public, &both.public()));
    }

    #[test]
    fn what_is_wrong_in_a_page_is_said_with_its_place() {
        for (panel, said) in [
            (
                "{ id: a, title: A, kind: line, metrics: [happiness], grain: day }",
                "panels[0] (a): metrics: there is no",
            ),
            (
                "{ id: a, title: A, kind: bar, metrics: [net_sales], dimensions: [gate] }",
                "dimensions/0: net_sales can't",
            ),
            (
                "{ id: a, title: A, kind: bar, metrics: [net_sales], colour: red }",
                "line 4",
            ),
            (
                "{ id: a, title: A, kind: table, question: what }",
                "question: there is no question what",
            ),
            (
                "{ id: A b, title: A, kind: figures, metrics: [net_sales] }",
                "id: lower-case",
            ),
            (
                "{ id: a, title: A, kind: line, metrics: [net_sales] }",
                "lines and heatmaps need one",
            ),
            (
                "{ id: a, title: A, kind: line, metrics: [net_revenue], grain: minute }",
                "grain: net_revenue is counted",
            ),
            (
                "{ id: a, title: A, kind: bar, metrics: [entries], dimensions: [gate], drill: { by: title } }",
                "drill",
            ),
            ("{ id: a, kind: bar, metrics: [entries], dimensions: [gate] }", "title"),
        ] {
            let error = page(&format!("  - {panel}\n")).unwrap_err();
            assert!(
                error.starts_with("mine.yml: ") && error.contains(said),
                "{said:?} in {error:?}"
            );
        }
    }

    #[test]
    fn a_page_can_not_be_named_like_an_address_of_ours() {
        let panels = "title: T\npanels: [{ id: a, title: A, kind: figures, metrics: [net_sales] }]";
        for name in ["sql", "assets", "manage", "Überblick", "a/b", ""] {
            assert!(Page::read(name, "x.yml", panels).is_err(), "{name}");
        }
    }
}
