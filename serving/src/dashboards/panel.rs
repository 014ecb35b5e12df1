//! A panel and a page's state become one query, and its rows what the panel shows. Every answer goes through
//! `MetricQuery`, as `/v1/metrics/query` does, in the session of whoever looks.

use super::{
    columns::{self, CURRENCY, Column, Format, PanelData, Role, Row},
    gaps, notes,
    page::{Kind, Page, Panel, filter},
    range::Range,
    state::State,
};
use crate::{
    problem::{Problem, Result},
    rows,
};
use chrono::{NaiveDate, Utc};
use chrono_tz::Tz;
use futures::future::join_all;
use lakehouse::{Lake, Principal, QueryStream};
use serde_json::Value;
use std::sync::Arc;
use transforms::metrics::{self, Filter, Metric, MetricQuery, Time};

/// Who looks, at what.
#[derive(Clone)]
pub struct Asking {
    pub lake: Lake,
    pub principal: Principal,
    pub page: Arc<Page>,
    pub state: State,
    /// Whose today it is.
    pub zone: Tz,
    /// There is an event that something could have happened at.
    pub has_events: bool,
    /// Rows lead elsewhere; not for who may see this page alone.
    pub drills: bool,
}

/// A chart has more points than a table has lines that anybody reads,
pub(super) const CHART_ROWS: usize = 5_000;
const TABLE_ROWS: usize = 200;
/// …and a file is not for reading: as many as metrics are asked for.
pub(super) const FILE_ROWS: usize = 50_000;

impl Asking {
    pub fn today(&self) -> NaiveDate {
        Utc::now().with_timezone(&self.zone).date_naive()
    }

    /// Every panel, all at once.
    pub async fn all(&self) -> Vec<PanelData> {
        let mut panels = join_all(self.page.panels.iter().map(|panel| self.rows_of(panel))).await;
        self.name_events(&mut panels).await;
        panels
    }

    /// What a panel shows. What goes wrong is part of it.
    pub async fn answer(&self, panel: &Panel) -> PanelData {
        let mut data = self.rows_of(panel).await;
        self.name_events(std::slice::from_mut(&mut data)).await;
        data
    }

    async fn rows_of(&self, panel: &Panel) -> PanelData {
        let mut data = PanelData::of(panel);
        data.zone = self.zone;
        data.drill = data.drill.filter(|_| self.drills);
        if let Err(problem) = self.fill(panel, &mut data).await {
            data.rows.clear();
            data.passing = ["busy", "unavailable", "timeout"].contains(&problem.code.as_ref());
            data.error = Some(notes::what_to_do(&problem));
        } else if !data.says_something() || names_nothing(panel, &data.rows) {
            data.rows.clear();
            data.empty = Some(self.why_empty(panel));
        } else {
            gaps::fill(panel, &mut data, self.range(panel).days(self.today()), self.today());
            data.notes
                .extend(panel.note.clone().or_else(|| self.note(panel).map(str::to_owned)));
        }
        data
    }

    async fn fill(&self, panel: &Panel, data: &mut PanelData) -> Result<()> {
        let mut most = None;
        let rows = match &panel.question {
            Some(name) => {
                let rows = self.session_sql(&question_sql(name)?).await?;
                data.columns = columns::of_schema(&rows.schema());
                rows
            }
            None => {
                let limit = *most.insert(panel.limit.unwrap_or(match panel.kind {
                    Kind::Table => TABLE_ROWS,
                    _ => CHART_ROWS,
                }));
                // One more tells that there are more.
                let asked = self.asked(panel, (limit + 1).min(FILE_ROWS), &mut data.notes).await?;
                data.columns = asked.columns;
                data.grain = asked.grain;
                self.session_sql(&asked.sql).await?
            }
        };
        data.position = rows.watermark();
        data.rows = objects(rows).await?;
        cut(panel, data, most);
        tidy(panel, data);
        Ok(())
    }

    /// The statement whose rows are the panel's, for files to take away.
    pub async fn sql(&self, panel: &Panel) -> Result<(String, Vec<Column>)> {
        match &panel.question {
            Some(name) => Ok((question_sql(name)?, Vec::new())),
            None => {
                let asked = self.asked(panel, FILE_ROWS, &mut Vec::new()).await?;
                Ok((asked.sql, asked.columns))
            }
        }
    }

    pub async fn session_sql(&self, sql: &str) -> Result<QueryStream> {
        Ok(self.lake.session(&self.principal).sql(sql).await?)
    }

    /// The first `most` rows.
    async fn asked(&self, panel: &Panel, most: usize, notes: &mut Vec<String>) -> Result<Asked> {
        let mut filters: Vec<Filter> = panel.only.iter().map(filter).collect();
        let followed = self
            .state
            .filters()
            .filter(|filter| !panel.without.contains(&filter.dimension));
        filters.extend(followed);
        let metrics = answerable(panel, &filters, notes)?;
        let range = panel.range.unwrap_or(self.state.range);
        if let Some(top) = &panel.top {
            let mut values = self.largest(metrics[0], range, &top.of, top.count, &filters).await?;
            if values.is_empty() {
                values.push(None);
            }
            filters.push(filter((&top.of, &values)));
        }
        let today = self.today();
        let grain = panel.grain(range, today);
        let days = range.days(today);
        let compared = self.state.compare.of(days).filter(|_| is_compared(panel));
        let columns = columns::of_metrics(&metrics, &panel.dimensions, grain, compared.is_some());
        let query = |metrics: &[&Metric]| {
            let knows_days = metrics.iter().all(|metric| metric.time != Time::Whole);
            let (from, to) = if knows_days { days } else { (None, None) };
            MetricQuery {
                metrics: metrics.iter().map(|metric| metric.name.clone()).collect(),
                dimensions: panel.dimensions.clone(),
                filters: filters.clone(),
                from,
                to,
                grain,
                compare_to: compared.filter(|_| knows_days),
                order_by: panel.order_by.clone(),
                limit: Some(most),
            }
        };
        let sql = match panel.kind {
            Kind::Figures => side_by_side(&metrics, &columns, query)?,
            _ => written(&query(&metrics))?,
        };
        let grain = grain.map(|grain| grain.name());
        Ok(Asked { sql, columns, grain })
    }

    /// The values of a dimension with the largest figures, the largest first.
    pub(super) async fn largest(
        &self,
        metric: &Metric,
        range: Range,
        dimension: &str,
        count: usize,
        filters: &[Filter],
    ) -> Result<Vec<Option<String>>> {
        let (from, to) = match metric.time {
            Time::Whole => (None, None),
            _ => range.days(self.today()),
        };
        let query = MetricQuery {
            metrics: vec![metric.name.clone()],
            dimensions: vec![dimension.to_owned()],
            filters: filters.to_vec(),
            from,
            to,
            order_by: Some(format!("-{}", metric.name)),
            limit: Some(count),
            ..MetricQuery::default()
        };
        let rows = objects(self.session_sql(&written(&query)?).await?).await?;
        let value = |row: &Row| row.get(dimension).and_then(Value::as_str).map(str::to_owned);
        Ok(rows.iter().map(value).collect())
    }

    pub(super) fn range(&self, panel: &Panel) -> Range {
        panel.range.unwrap_or(self.state.range)
    }
}

/// Rows by what none of them has, of a panel that says what that means.
fn names_nothing(panel: &Panel, rows: &[Row]) -> bool {
    let nameless = |row: &Row| {
        let values = panel.dimensions.iter().map(|name| row.get(name));
        values.into_iter().all(|value| value.is_none_or(Value::is_null))
    };
    let is_list = panel.grain.is_none() && !panel.dimensions.is_empty() && panel.empty.is_some();
    is_list && rows.iter().all(nameless)
}

struct Asked {
    sql: String,
    columns: Vec<Column>,
    grain: Option<&'static str>,
}

/// The metrics that can be asked by all filters. The others are left out: a figure of everything beside figures of a part
/// would mislead.
fn answerable(panel: &Panel, filters: &[Filter], notes: &mut Vec<String>) -> Result<Vec<&'static Metric>> {
    let mut left = Vec::new();
    for metric in panel.metrics.iter().filter_map(|name| metrics::metric(name)) {
        let lacking = filters.iter().find(|filter| !metric.may_be_asked_by(&filter.dimension));
        match lacking {
            None => left.push(metric),
            Some(filter) => notes.push(format!(
                "{} can't be told by {}, and is left out.",
                metric.about.label,
                columns::label(&filter.dimension).to_lowercase()
            )),
        }
    }
    match left.is_empty() {
        true => Err(Problem::invalid(
            "/filters",
            format!("{} Clear that filter to see this.", std::mem::take(notes).join(" ")),
        )),
        false => Ok(left),
    }
}

/// Charts by a dimension have no room for what was before.
fn is_compared(panel: &Panel) -> bool {
    match panel.kind {
        Kind::Figures | Kind::Funnel | Kind::Table => true,
        Kind::Line | Kind::Area => panel.dimensions.is_empty(),
        Kind::Bar | Kind::Heatmap | Kind::Pivot => false,
    }
}

/// Figures that are no money have one value and not one a currency, and some know no days: so they are asked apart, in
/// one statement.
fn side_by_side(metrics: &[&Metric], columns: &[Column], query: impl Fn(&[&Metric]) -> MetricQuery) -> Result<String> {
    let mut parts = Vec::new();
    for (money, whole) in [(true, false), (true, true), (false, false), (false, true)] {
        let alike = |metric: &&&Metric| metric.by_currency == money && (metric.time == Time::Whole) == whole;
        let group: Vec<&Metric> = metrics.iter().filter(alike).copied().collect();
        if !group.is_empty() {
            let query = query(&group);
            parts.push((group, query.compare_to.is_some(), written(&query)?));
        }
    }
    if let [(_, _, sql)] = parts.as_slice() {
        return Ok(sql.clone());
    }
    let selects = parts.iter().map(|(group, compared, sql)| {
        let cells = columns.iter().flat_map(|column| {
            let metric = group.iter().find(|metric| metric.name == column.name);
            let own = match column.name.as_str() {
                CURRENCY => group[0].by_currency,
                _ => metric.is_some(),
            };
            let before = column.before.as_ref().map(|name| (name, own && *compared));
            [(&column.name, own)].into_iter().chain(before)
        });
        let cells: Vec<String> = cells
            .map(|(name, own)| format!("{} as {name}", if own { name } else { "null" }))
            .collect();
        format!("select {} from ({sql})", cells.join(", "))
    });
    Ok(selects.collect::<Vec<_>>().join("\nunion all\n"))
}

fn written(query: &MetricQuery) -> Result<String> {
    query
        .sql()
        .map_err(|error| Problem::invalid(&error.pointer, &error.message))
}

fn question_sql(name: &str) -> Result<String> {
    let question = transforms::question(name).ok_or_else(|| Problem::not_found("question"))?;
    Ok(question.sql.clone())
}

pub(super) async fn objects(rows: QueryStream) -> Result<Vec<Row>> {
    let values = rows::values(rows).await?.into_iter();
    let object = |value| match value {
        Value::Object(row) => Some(row),
        _ => None,
    };
    Ok(values.filter_map(object).collect())
}

/// What there is no room for, and says so. Bars of so many are meant to be the largest.
fn cut(panel: &Panel, data: &mut PanelData, most: Option<usize>) {
    if let Some(most) = most.filter(|most| data.rows.len() > *most) {
        data.rows.truncate(most);
        if panel.kind != Kind::Bar || panel.limit.is_none() {
            let note =
                format!("These are the first {most} rows. The files have all; so has a shorter range or a filter.");
            data.notes.push(note);
        }
    }
}

/// Local times without a zone, counts that are nothing as 0, and the decimals of each currency.
fn tidy(panel: &Panel, data: &mut PanelData) {
    let counts: Vec<String> = match panel.kind {
        Kind::Figures | Kind::Funnel => {
            let whole = data
                .of_role(Role::Metric)
                .filter(|column| column.counted && column.format == Format::Integer);
            whole.map(|column| column.name.clone()).collect()
        }
        _ => Vec::new(),
    };
    for name in counts {
        let is_told = |row: &Row| row.get(&name).is_some_and(|value| !value.is_null());
        let is_of_money = |row: &Row| row.get(CURRENCY).is_some_and(|currency| !currency.is_null());
        if !data.rows.iter().any(is_told) {
            // Amounts stand on rows of their own.
            let place = data.rows.iter().position(|row| !is_of_money(row)).unwrap_or(0);
            if let Some(row) = data.rows.get_mut(place) {
                row.insert(name, Value::from(0));
            }
        }
    }
    for row in &mut data.rows {
        if let Some(Value::String(at)) = row.get_mut("at").filter(|_| data.grain.is_some()) {
            at.truncate("2026-05-01T00:00:00".len());
        }
        let currency = row.get(CURRENCY).and_then(Value::as_str);
        if let Some(known) = currency.and_then(|code| code.parse::<domain::Currency>().ok()) {
            data.decimals.insert(known.as_str().to_owned(), known.decimals());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(text: &str) -> Panel {
        let page = format!("title: T\npanels:\n  - {text}\n");
        Page::read("p", "p.yml", &page).unwrap().panels.remove(0)
    }

    #[test]
    fn a_metric_that_a_filter_does_not_know_is_left_out_and_says_so() {
        let figures = panel("{ id: a, kind: figures, metrics: [net_sales, event_visits] }");
        let by = |dimension: &str| Filter {
            dimension: dimension.to_owned(),
            values: vec![Some("x".to_owned())],
        };
        let mut notes = Vec::new();
        let left = answerable(&figures, &[by("channel")], &mut notes).unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(notes, ["Visits can't be told by channel, and is left out."]);
        let problem = answerable(&figures, &[by("gate")], &mut Vec::new()).unwrap_err();
        assert!(problem.detail.ends_with("Clear that filter to see this."), "{problem}");
    }

    #[test]
    fn what_is_cut_says_so() {
        let figures = panel("{ id: a, kind: figures, metrics: [net_sales] }");
        let mut data = PanelData::of(&figures);
        data.rows = vec![Row::new(); 3];
        for whole in [None, Some(3)] {
            cut(&figures, &mut data, whole);
            assert_eq!((data.rows.len(), data.notes.len()), (3, 0));
        }
        cut(&figures, &mut data, Some(2));
        assert_eq!(data.rows.len(), 2);
        assert!(
            data.notes[0].starts_with("These are the first 2 rows."),
            "{:?}",
            data.notes
        );
    }

    #[test]
    fn a_count_that_nothing_says_is_0_once_and_a_limit_is_none() {
        let figures = panel("{ id: a, kind: figures, metrics: [net_sales, tickets_sold, arrived, capacity] }");
        let metrics: Vec<&Metric> = figures
            .metrics
            .iter()
            .filter_map(|name| metrics::metric(name))
            .collect();
        let mut data = PanelData::of(&figures);
        data.columns = columns::of_metrics(&metrics, &[], None, false);
        let rows = serde_json::json!([
            { "currency": "EUR", "net_sales": 700, "tickets_sold": null, "arrived": null, "capacity": null },
            { "currency": null, "net_sales": null, "tickets_sold": 3, "arrived": null, "capacity": null },
            { "currency": null, "net_sales": null, "tickets_sold": null, "arrived": null, "capacity": null },
        ]);
        data.rows = serde_json::from_value(rows).unwrap();
        tidy(&figures, &mut data);
        let told = |name: &str| -> Vec<&Value> {
            data.rows
                .iter()
                .map(|row| &row[name])
                .filter(|v| !v.is_null())
                .collect()
        };
        assert_eq!(told("tickets_sold"), [3]);
        assert_eq!(told("arrived"), [0]);
        assert!(told("capacity").is_empty());
    }

    #[test]
    fn a_list_of_what_has_no_name_is_empty_where_the_page_says_why() {
        let rows = |value: serde_json::Value| -> Vec<Row> { serde_json::from_value(value).unwrap() };
        let none = rows(serde_json::json!([{ "source": null, "medium": null, "sessions": 7 }]));
        let some = rows(serde_json::json!([{ "source": null }, { "source": null, "medium": "mail" }]));
        let list = "id: a, title: A, kind: table, metrics: [sessions], dimensions: [source, medium]";
        let told = panel(&format!("{{ {list}, empty: Nobody has a source. }}"));
        assert!(names_nothing(&told, &none) && !names_nothing(&told, &some));
        assert!(!names_nothing(&panel(&format!("{{ {list} }}")), &none));
    }

    #[test]
    fn money_and_counts_are_asked_apart_in_one_statement() {
        let names = ["net_sales", "tickets_sold", "owed"];
        let metrics: Vec<&Metric> = names.iter().map(|name| metrics::metric(name).unwrap()).collect();
        let columns = columns::of_metrics(&metrics, &[], None, false);
        let query = |metrics: &[&Metric]| MetricQuery {
            metrics: metrics.iter().map(|metric| metric.name.clone()).collect(),
            ..MetricQuery::default()
        };
        let sql = side_by_side(&metrics, &columns, query).unwrap();
        assert!(sql.starts_with("select currency as currency, net_sales as net_sales, null as tickets_sold, null as"));
        assert_eq!(sql.matches("\nunion all\nselect ").count(), 2, "{sql}");
        assert!(sql.contains("select null as currency, null as net_sales, tickets_sold as tickets_sold, null as owed"));
    }
}
