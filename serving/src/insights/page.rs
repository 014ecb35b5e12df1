//! A dashboard's figures for a mail: what sold, beside the time before, and the events that sold most.

use super::words;
use crate::{
    problem::{Problem, Result},
    rows,
    wiring::App,
};
use chrono::{Days, Months, NaiveDate};
use domain::{Currency, message::Language, schedule::DayRange};
use lakehouse::Principal;
use serde_json::Value;
use transactional::{mail::Table, organizers};
use transforms::metrics::{self, Compare, Filter, Format, Metric, MetricQuery};

pub(super) struct Shown {
    /// None: all time.
    pub(super) days: Option<DayRange>,
    pub(super) tables: Vec<Table>,
}

const HEADLINE: [&str; 4] = ["net_sales", "tickets_sold", "orders_paid", "event_visits"];
const MOST_EVENTS: usize = 10;

/// What a page shows at its state, for whoever the principal is.
pub(super) async fn show(
    app: &App,
    principal: &Principal,
    page: &str,
    state: &[(String, String)],
    today: NaiveDate,
    language: Language,
) -> Result<Shown> {
    let days = days(state, today)?;
    let compare_to = compare(state).filter(|_| days.is_some());
    let asked = MetricQuery {
        filters: filters(state),
        from: days.map(|(from, _)| from),
        to: days.map(|(_, to)| to),
        compare_to,
        ..MetricQuery::default()
    };
    let home = match principal.organizer {
        Some(id) => Some(organizers::get(&mut app.store.read().await?, id).await?.currency),
        None => None,
    };
    let headline = headline(app, principal, &asked, home, language).await?;
    if headline.is_empty() {
        return Err(Problem::invalid(
            "/state",
            format!("nothing on {page} can be asked by these filters"),
        ));
    }
    let title = metrics::metric("tickets_sold").map_or("", |metric| &metric.about.label);
    let events = events(app, principal, asked, language).await?;
    let mut tables = vec![Table {
        title: String::new(),
        head: words::head(language, compare_to.is_some()),
        rows: headline,
    }];
    if !events.is_empty() {
        tables.push(Table {
            title: title.to_owned(),
            head: Vec::new(),
            rows: events,
        });
    }
    Ok(Shown { days, tables })
}

async fn headline(
    app: &App,
    principal: &Principal,
    asked: &MetricQuery,
    home: Option<Currency>,
    language: Language,
) -> Result<Vec<Vec<String>>> {
    let mut lines = Vec::new();
    for metric in HEADLINE.iter().filter_map(|name| metrics::metric(name)) {
        let by = |filter: &Filter| metric.dimensions.contains(&filter.dimension);
        if !asked.filters.iter().all(by) {
            continue;
        }
        let query = MetricQuery {
            metrics: vec![metric.name.clone()],
            ..asked.clone()
        };
        let found = ask(app, principal, &query).await?;
        let nothing = [serde_json::json!({ "currency": home })];
        for row in if found.is_empty() { &nothing[..] } else { &found[..] } {
            lines.push(line(metric, row, asked.compare_to.is_some(), language));
        }
    }
    Ok(lines)
}

/// What it is, its figure, the one before, and how far they are apart.
fn line(metric: &Metric, row: &Value, compared: bool, language: Language) -> Vec<String> {
    let currency = row["currency"].as_str().and_then(|code| code.parse().ok());
    let value = |name: &str| row[name].as_f64().or(metric.is_counted().then_some(0.0));
    let shown = |value: Option<f64>| {
        value.map_or("–".to_owned(), |value| {
            words::figure(value, metric.about.format, currency, language)
        })
    };
    let (now, before) = (value(&metric.name), value(&format!("{}_before", metric.name)));
    let mut cells = vec![metric.about.label.clone(), shown(now)];
    if compared {
        let change = now
            .zip(before)
            .map(|(now, before)| words::change(now, before, language));
        cells.extend([shown(before), change.unwrap_or_default()]);
    }
    cells
}

/// Title, tickets and sales of the events that sold most.
async fn events(app: &App, principal: &Principal, asked: MetricQuery, language: Language) -> Result<Vec<Vec<String>>> {
    let query = MetricQuery {
        metrics: vec!["tickets_sold".into(), "net_sales".into()],
        dimensions: vec!["title".into()],
        compare_to: None,
        order_by: Some("-tickets_sold".into()),
        limit: Some(MOST_EVENTS),
        ..asked
    };
    let events = ask(app, principal, &query).await?;
    let cells = |row: &Value| {
        let currency = row["currency"].as_str().and_then(|code| code.parse().ok());
        let figure = |name: &str, format, currency| {
            let value = row[name].as_f64();
            value.map_or(String::new(), |value| words::figure(value, format, currency, language))
        };
        vec![
            row["title"].as_str().unwrap_or("–").to_owned(),
            figure("tickets_sold", Format::Integer, None),
            figure("net_sales", Format::Money, currency),
        ]
    };
    Ok(events.iter().map(cells).collect())
}

async fn ask(app: &App, principal: &Principal, query: &MetricQuery) -> Result<Vec<Value>> {
    let sql = query
        .sql()
        .map_err(|error| Problem::invalid(&error.pointer, &error.message))?;
    rows::values(app.queries()?.session(principal).sql(&sql).await?).await
}

fn of<'s>(state: &'s [(String, String)], name: &str) -> Option<&'s str> {
    state
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

fn days(state: &[(String, String)], today: NaiveDate) -> Result<Option<DayRange>> {
    let wrong = || Problem::invalid("/state", "a range is today, 7d, 30d, 90d, 12m, all, or from and to");
    let tomorrow = today + Days::new(1);
    if let Some(range) = of(state, "range").filter(|range| !["", "custom"].contains(range)) {
        let number = |unit| range.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok());
        return match (range, number('d'), number('m')) {
            ("today", ..) => Ok(Some((today, tomorrow))),
            ("all", ..) => Ok(None),
            (_, Some(days @ 1..=3_660), _) => Ok(Some((tomorrow - Days::new(days.into()), tomorrow))),
            (_, _, Some(months @ 1..=120)) => Ok(Some((tomorrow - Months::new(months), tomorrow))),
            _ => Err(wrong()),
        };
    }
    let day = |name| {
        of(state, name)
            .unwrap_or_default()
            .parse::<NaiveDate>()
            .map_err(|_| wrong())
    };
    let (from, to) = (day("from")?, day("to")?);
    if from < to { Ok(Some((from, to))) } else { Err(wrong()) }
}

fn compare(state: &[(String, String)]) -> Option<Compare> {
    match of(state, "compare") {
        Some("previous") => Some(Compare::Previous),
        Some("year") => Some(Compare::Year),
        _ => None,
    }
}

fn filters(state: &[(String, String)]) -> Vec<Filter> {
    let mut filters: Vec<Filter> = Vec::new();
    for (name, value) in state {
        let Some(dimension) = name.strip_prefix("filter.") else {
            continue;
        };
        let value = Some(value.clone()).filter(|value| !value.is_empty());
        match filters.iter_mut().find(|filter| filter.dimension == dimension) {
            Some(filter) => filter.values.push(value),
            None => filters.push(Filter {
                dimension: dimension.to_owned(),
                values: vec![value],
            }),
        }
    }
    filters
}
