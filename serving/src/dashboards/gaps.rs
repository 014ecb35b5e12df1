//! Days of a chart on which nothing was counted: they are 0, also before the first row and after the last one, so that one
//! sale in a month is seen as one day of it.

use super::{
    columns::{PanelData, Role, Row},
    page::{Kind, Panel},
    panel::CHART_ROWS,
};
use chrono::{Datelike, Days, Months, NaiveDate};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// The first day of the range and the one after its last; what is still to come is left open.
type Range = (Option<NaiveDate>, Option<NaiveDate>);

pub(super) fn fill(panel: &Panel, data: &mut PanelData, (from, to): Range, today: NaiveDate) {
    let drawn = matches!(panel.kind, Kind::Line | Kind::Area) && panel.limit.is_none();
    // What was cut has gaps that are none.
    if !drawn || data.rows.len() >= CHART_ROWS {
        return;
    }
    let counted = counted(data);
    let days: Vec<NaiveDate> = data.rows.iter().filter_map(day_of).collect();
    let (Some(grain), Some(first), Some(last)) = (data.grain, days.iter().min(), days.iter().max()) else {
        return;
    };
    let tomorrow = today + Days::new(1);
    let end = (*last + Days::new(1)).max(to.map_or(tomorrow, |to| to.min(tomorrow)));
    let Some(mut step) = start(from.unwrap_or(*first).min(*first), grain).filter(|_| !counted.is_empty()) else {
        return;
    };
    for row in data
        .rows
        .iter_mut()
        .filter(|row| day_of(row).is_some_and(|day| day < tomorrow))
    {
        none_is_0(row, &counted);
    }
    let series = series(data);
    let known: HashSet<(NaiveDate, String)> = data
        .rows
        .iter()
        .filter_map(|row| Some((day_of(row)?, key(data, row))))
        .collect();
    let mut missing = Vec::new();
    while step < end && (missing.len() + known.len()) < CHART_ROWS {
        for (key, alike) in &series {
            if !known.contains(&(step, key.clone())) {
                let mut row = alike.clone();
                row.insert("at".to_owned(), format!("{step}T00:00:00").into());
                none_is_0(&mut row, &counted);
                missing.push(row);
            }
        }
        let Some(next) = next(step, grain) else { break };
        step = next;
    }
    data.rows.append(&mut missing);
    data.rows
        .sort_by(|one, other| at(one).unwrap_or_default().cmp(at(other).unwrap_or_default()));
}

/// The columns in which nothing is 0. What was before counts if anything was.
fn counted(data: &PanelData) -> Vec<String> {
    let told = |name: &String| {
        let value = |row: &Row| row.get(name).is_some_and(|value| !value.is_null());
        data.rows.iter().any(value)
    };
    let columns = data.of_role(Role::Metric).filter(|column| column.counted);
    let names = columns.flat_map(|column| [Some(column.name.clone()), column.before.clone().filter(told)]);
    names.flatten().collect()
}

fn none_is_0(row: &mut Row, counted: &[String]) {
    for name in counted {
        let value = row.entry(name.clone()).or_insert(Value::Null);
        if value.is_null() {
            *value = Value::from(0);
        }
    }
}

/// What each line is of, as a row that has nothing else.
fn series(data: &PanelData) -> BTreeMap<String, Row> {
    let of = |row: &Row| {
        let names = data.of_role(Role::Dimension).map(|column| &column.name);
        names
            .filter_map(|name| Some((name.clone(), row.get(name)?.clone())))
            .collect()
    };
    data.rows.iter().map(|row| (key(data, row), of(row))).collect()
}

fn key(data: &PanelData, row: &Row) -> String {
    let values = data.of_role(Role::Dimension).map(|column| row.get(&column.name));
    values
        .map(|value| value.map_or(String::new(), Value::to_string) + "\n")
        .collect()
}

fn at(row: &Row) -> Option<&str> {
    row.get("at").and_then(Value::as_str)
}

fn day_of(row: &Row) -> Option<NaiveDate> {
    at(row)?.get(..10)?.parse().ok()
}

/// The first day of the span that a day is in. Spans within a day are not filled.
fn start(day: NaiveDate, grain: &str) -> Option<NaiveDate> {
    match grain {
        "day" => Some(day),
        "week" => Some(day - Days::new(u64::from(day.weekday().num_days_from_monday()))),
        "month" => day.with_day(1),
        _ => None,
    }
}

fn next(day: NaiveDate, grain: &str) -> Option<NaiveDate> {
    match grain {
        "day" => day.succ_opt(),
        "week" => day.checked_add_days(Days::new(7)),
        _ => day.checked_add_months(Months::new(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboards::{columns::of_metrics, page::Page};
    use serde_json::json;
    use transforms::metrics::{Grain, metric};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn filled(kind: &str, name: &str, grain: Grain, range: Range, rows: Value) -> Vec<Value> {
        let word = grain.name();
        let panel = format!("{{ id: a, title: A, kind: {kind}, metrics: [{name}], grain: {word} }}");
        let page = Page::read("p", "p.yml", &format!("title: T\npanels: [{panel}]")).unwrap();
        let mut data = PanelData::of(&page.panels[0]);
        data.columns = of_metrics(&[metric(name).unwrap()], &["channel".to_owned()], Some(grain), true);
        data.grain = Some(grain.name());
        data.rows = serde_json::from_value(rows).unwrap();
        fill(&page.panels[0], &mut data, range, day("2026-03-04"));
        data.rows.into_iter().map(Value::Object).collect()
    }

    #[test]
    fn a_day_without_a_row_is_a_day_with_nothing_until_today() {
        let range = (Some(day("2026-03-01")), Some(day("2026-03-09")));
        let row =
            json!({ "at": "2026-03-02T00:00:00", "channel": "online", "tickets_sold": null, "tickets_sold_before": 7 });
        let rows = filled("line", "tickets_sold", Grain::Day, range, json!([row]));
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row["at"].as_str().unwrap().get(8..10).unwrap(), &row["tickets_sold"]))
            .collect();
        let zero = json!(0);
        assert_eq!(
            told,
            ["01", "02", "03", "04"].map(|day| (day, &zero)),
            "tomorrow is open"
        );
        assert_eq!(
            (&rows[0]["tickets_sold_before"], &rows[0]["channel"]),
            (&zero, &json!("online"))
        );
        assert_eq!(rows[1]["tickets_sold_before"], 7);
    }

    #[test]
    fn each_line_has_its_weeks_and_the_first_may_have_begun_before() {
        let range = (Some(day("2026-02-18")), Some(day("2026-03-05")));
        let rows = json!([
            { "at": "2026-02-23T00:00:00", "channel": "online", "tickets_sold": 1 },
            { "at": "2026-03-02T00:00:00", "channel": null, "tickets_sold": 2 },
        ]);
        let rows = filled("area", "tickets_sold", Grain::Week, range, rows);
        let told: Vec<_> = rows
            .iter()
            .map(|row| row["at"].as_str().unwrap().get(..10).unwrap())
            .collect();
        assert_eq!(
            told,
            [
                "2026-02-16",
                "2026-02-16",
                "2026-02-23",
                "2026-02-23",
                "2026-03-02",
                "2026-03-02"
            ]
        );
        assert!(rows[0].get("tickets_sold_before").is_none(), "nothing was before");
    }

    #[test]
    fn what_is_divided_has_no_value_where_nothing_is_and_nothing_stays_nothing() {
        let range = (Some(day("2026-03-01")), Some(day("2026-03-05")));
        let rate = json!([{ "at": "2026-03-02T00:00:00", "average_ticket": 5 }]);
        assert_eq!(filled("line", "average_ticket", Grain::Day, range, rate).len(), 1);
        assert_eq!(filled("line", "tickets_sold", Grain::Day, range, json!([])).len(), 0);
    }
}
