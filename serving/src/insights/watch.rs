//! What an alert rule sees when it looks at its metric.

use super::{called, guarded, principal, words};
use crate::{
    problem::{Problem, Result},
    rows,
    wiring::App,
};
use chrono::{DateTime, Utc};
use domain::{
    Currency, Timestamp,
    alert::{self, Condition, TimeWindow},
    changes::{AlertRule, RuleFilter},
};
use serde::Deserialize;
use transactional::{
    Stored,
    insights::alerts::{Look, Seen, Words},
    organizers,
};
use transforms::metrics::{self, Filter, Metric, MetricQuery, Span, Time};

/// One row of the answer: the span's place, and the metric there.
#[derive(Deserialize)]
struct Row {
    span: usize,
    value: Option<f64>,
}

/// Whether a rule can look at this metric in this way, and the currency that it then counts in.
pub fn check(
    metric: &str,
    filters: &[RuleFilter],
    window: TimeWindow,
    condition: Condition,
    currency: Option<Currency>,
    home: Currency,
) -> Result<Option<Currency>> {
    let query = query(metric, filters);
    if let Err(error) = query.sql() {
        let pointer = if error.pointer == "/metrics/0" {
            "/metric"
        } else {
            &error.pointer
        };
        return Err(Problem::invalid(pointer, &error.message));
    }
    let metric = metric_of(metric)?;
    if metric.time == Time::Whole {
        return Err(Problem::invalid(
            "/metric",
            "this metric is of all time, and has no last hour or day",
        ));
    }
    spans(metric, window, condition, Timestamp::from_micros(0), "UTC")?;
    match (metric.by_currency, currency) {
        (true, currency) => Ok(Some(currency.unwrap_or(home))),
        (false, None) => Ok(None),
        (false, Some(_)) => Err(Problem::invalid("/currency", format!("{} is no money", metric.name))),
    }
}

/// Looks now, and says what is seen in the words of the rule's language.
pub async fn look(app: &App, rule: &Stored<AlertRule>) -> (Look, Words) {
    let at = Timestamp::now();
    match guarded(see(app, rule, at)).await {
        Ok((seen, words)) => (Look { at, seen: Ok(seen) }, words),
        Err(problem) => {
            let seen = Err(problem.detail);
            (Look { at, seen }, Words::default())
        }
    }
}

async fn see(app: &App, rule: &Stored<AlertRule>, at: Timestamp) -> Result<(Seen, Words)> {
    let metric = metric_of(&rule.metric)?;
    let mut db = app.store.read().await?;
    let organizer = organizers::get(&mut db, rule.organizer_id).await?;
    let filters = rule.filters.iter();
    let values = filters.map(|filter| (filter.dimension.as_str(), filter.value.as_deref()));
    let only = called(&mut db, rule.organizer_id, values.collect()).await?;
    drop(db);
    let spans = spans(metric, rule.time_window, rule.condition, at, &organizer.timezone)?;
    let currency = rule.currency.as_ref().map(Currency::as_str);
    let sql = query(&rule.metric, &rule.filters).spans_sql(&spans, currency);
    let sql = sql.map_err(|error| Problem::invalid(&error.pointer, &error.message))?;
    let principal = principal("alert_rule", rule.alert_rule_id, rule.organizer_id);
    let answer = app.queries()?.session(&principal).sql(&sql).await?;
    let mut values = vec![None; spans.len()];
    for row in rows::values(answer).await? {
        let row: Row = serde_json::from_value(row).map_err(Problem::internal)?;
        if let Some(value) = values.get_mut(row.span) {
            *value = row.value;
        }
    }
    let seen = Seen {
        // What is counted is 0 where there is nothing.
        value: values[0].or((!metric.about.nullable).then_some(0.0)),
        usual: alert::usual(&values[1..], !metric.about.nullable),
    };
    let value = seen.value.map_or("–".to_owned(), |value| {
        words::figure(value, metric.about.format, rule.currency, rule.language)
    });
    let words = Words {
        what: words::what(metric, rule.time_window, rule.language) + &words::only(&only, rule.language),
        value,
        condition: words::condition(rule, metric, seen.usual),
    };
    Ok((seen, words))
}

fn metric_of(name: &str) -> Result<&'static Metric> {
    metrics::metric(name)
        .ok_or_else(|| Problem::invalid("/metric", "there is no such metric; GET /v1/metrics lists them"))
}

/// Filters as rules keep them, a value a row.
fn query(metric: &str, filters: &[RuleFilter]) -> MetricQuery {
    let mut query = MetricQuery {
        metrics: vec![metric.to_owned()],
        ..MetricQuery::default()
    };
    for RuleFilter { dimension, value } in filters {
        match query.filters.iter_mut().find(|filter| filter.dimension == *dimension) {
            Some(filter) => filter.values.push(value.clone()),
            None => query.filters.push(Filter {
                dimension: dimension.clone(),
                values: vec![value.clone()],
            }),
        }
    }
    query
}

/// What a rule looks at: the time up to now, and the same of the weeks before if it is about the usual.
fn spans(
    metric: &Metric,
    window: TimeWindow,
    condition: Condition,
    at: Timestamp,
    timezone: &str,
) -> Result<Vec<Span>> {
    let counted_a_day = !matches!(metric.time, Time::Instant(_));
    if counted_a_day && window == TimeWindow::Today && condition.is_against_usual() {
        // At midnight a day that has begun is far below all that are over.
        return Err(Problem::invalid(
            "/time_window",
            "this metric is counted a day, and a day that has begun is no match for whole ones: what is unusual is told \
             of last_7_days; or look at today with above or below",
        ));
    }
    let spans = match counted_a_day {
        true => window.spans_of_days(at, timezone),
        false => window.spans(at, timezone),
    };
    let mut spans = spans.map_err(|invalid| Problem::invalid("/time_window", invalid))?;
    if !condition.is_against_usual() {
        spans.truncate(1);
    }
    let utc = |at: Timestamp| DateTime::<Utc>::from_timestamp_micros(at.as_micros()).unwrap_or_default();
    Ok(spans.into_iter().map(|(from, to)| (utc(from), utc(to))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_can_not_look_names_the_field() {
        let home: Currency = "EUR".parse().unwrap();
        let filter = |dimension: &str| RuleFilter {
            dimension: dimension.into(),
            value: Some("online".into()),
        };
        let pointer = |metric, filters: &[RuleFilter], window, currency: Option<&str>| {
            let currency = currency.map(|code| code.parse().unwrap());
            check(metric, filters, window, Condition::Below, currency, home).map_err(|problem| problem.pointer.unwrap())
        };
        let hour = TimeWindow::Hour;
        assert_eq!(pointer("net_sales", &[filter("channel")], hour, None), Ok(Some(home)));
        assert_eq!(pointer("tickets_sold", &[], hour, None), Ok(None));
        assert_eq!(pointer("tickets_sold", &[], hour, Some("EUR")), Err("/currency".into()));
        assert_eq!(pointer("happiness", &[], hour, None), Err("/metric".into()));
        assert_eq!(
            pointer("net_sales", &[filter("gate")], hour, None),
            Err("/filters/0/dimension".into())
        );
        assert_eq!(pointer("buyers", &[], TimeWindow::Week, None), Err("/metric".into()));
        assert_eq!(pointer("net_revenue", &[], hour, None), Err("/time_window".into()));
        assert_eq!(pointer("net_revenue", &[], TimeWindow::Week, None), Ok(Some(home)));
    }

    #[test]
    fn a_day_that_has_begun_is_not_held_against_whole_ones() {
        let home: Currency = "EUR".parse().unwrap();
        let pointer = |metric, window, condition| {
            let checked = check(metric, &[], window, condition, None, home);
            checked.err().and_then(|problem| problem.pointer)
        };
        let (today, week) = (TimeWindow::Today, TimeWindow::Week);
        let refused = Some("/time_window".to_owned());
        assert_eq!(pointer("net_revenue", today, Condition::UnusuallyLow), refused);
        assert_eq!(pointer("net_revenue", today, Condition::Unusual), refused);
        assert_eq!(pointer("net_revenue", today, Condition::Below), None);
        assert_eq!(pointer("net_revenue", week, Condition::UnusuallyLow), None);
        assert_eq!(pointer("net_sales", today, Condition::UnusuallyLow), None);
    }
}
