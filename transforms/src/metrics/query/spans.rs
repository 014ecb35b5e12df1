//! One metric in several spans of time that don't overlap, such as the last hour and the same hour of the weeks before:
//! one pass over the mart.

use super::{MetricQuery, QueryError, quoted, wrong};
use crate::metrics::Time;
use chrono::{DateTime, Utc};

/// From, and up to but without. Of a metric that is counted a day, days as if they were UTC's.
pub type Span = (DateTime<Utc>, DateTime<Utc>);

impl MetricQuery {
    /// The statement that answers for the one metric of this query, with its filters. Columns: `span`, the span's place in
    /// the list, and `value`; a span without rows has none. Amounts in other currencies than `currency` are left out.
    pub fn spans_sql(&self, spans: &[Span], currency: Option<&str>) -> Result<String, QueryError> {
        let metrics = self.checked()?;
        let ([metric], Some(first), Some(last)) = (&metrics[..], spans.first(), spans.last()) else {
            return wrong("/metrics", "spans are of one metric, and at least one");
        };
        let Some(column) = metric.time.column() else {
            return wrong("/metrics/0", "this metric is of all time, and not of a span");
        };
        let bound = |at: &DateTime<Utc>| match metric.time {
            Time::Day(_) => format!("date '{}'", at.date_naive()),
            _ => instant(at),
        };
        let inside = |(from, to): &Span| format!("m.{column} >= {} and m.{column} < {}", bound(from), bound(to));
        let cases = spans.iter().enumerate();
        let cases: Vec<String> = cases
            .map(|(place, span)| format!("when {} then {place}", inside(span)))
            .collect();
        // The newest comes first. The whole from end to end lets files be left out; what lies between spans goes after.
        let mut conditions = vec![inside(&(last.0.min(first.0), first.1.max(last.1)))];
        conditions.extend(self.conditions(&Time::Whole, None, None));
        if let Some(currency) = currency.filter(|_| metric.by_currency) {
            conditions.push(format!("m.currency = {}", quoted(currency)));
        }
        Ok(format!(
            "select span, value from (select case {} end as span, cast({} as double) as value from marts.{} m{} \
             where {} group by 1) spans where span is not null order by span",
            cases.join(" "),
            metric.about.expression,
            metric.mart,
            self.joins(&[], false),
            conditions.join(" and "),
        ))
    }
}

fn instant(at: &DateTime<Utc>) -> String {
    let text = at.format("%Y-%m-%dT%H:%M:%S%.6fZ");
    format!("arrow_cast('{text}', 'Timestamp(Microsecond, Some(\"UTC\"))')")
}
