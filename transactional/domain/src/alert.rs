//! When a metric is worth a mail: which times are looked at, what is usual, and when an alert begins and is over.

use crate::{Invalid, Timestamp, record::states, time};
use chrono::{NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use std::time::Duration;

states! {
    /// Which part of the time up to now a rule looks at.
    TimeWindow {
        Hour = "last_hour",
        Today = "today",
        Day = "last_24_hours",
        Week = "last_7_days",
    }
    Condition {
        Above = "above",
        Below = "below",
        /// More than so many percent off the usual.
        Unusual = "unusual",
        UnusuallyHigh = "unusually_high",
        UnusuallyLow = "unusually_low",
    }
}

/// The usual is what this many weeks before have at the same weekday and time of day.
pub const WEEKS: usize = 8;
/// With fewer nobody can say what is usual.
const LEAST_WEEKS: usize = 4;

/// From, and up to but without.
pub type Span = (Timestamp, Timestamp);

impl Condition {
    pub fn is_against_usual(self) -> bool {
        !matches!(self, Condition::Above | Condition::Below)
    }

    /// Whether it holds. Against a usual of 0 there is no percentage, so nothing is off it.
    pub fn holds(self, threshold: f64, value: f64, usual: Option<f64>) -> bool {
        let change = usual.filter(|usual| *usual != 0.0);
        let change = change.map_or(0.0, |usual| (value - usual) / usual.abs() * 100.0);
        match self {
            Condition::Above => value > threshold,
            Condition::Below => value < threshold,
            Condition::Unusual => change.abs() > threshold,
            Condition::UnusuallyHigh => change > threshold,
            Condition::UnusuallyLow => -change > threshold,
        }
    }
}

impl TimeWindow {
    /// The span up to now, and those of the weeks before it, the newest first: on the same weekday at the same time of
    /// day, as clocks of the time zone show it.
    pub fn spans(self, now: Timestamp, timezone: &str) -> Result<Vec<Span>, Invalid> {
        let zone = time::zone(timezone)?;
        let (from, to) = self.local_span(minute_after(now.local(zone)));
        let moment = |local| Timestamp::of_local(zone, local);
        Ok(weeks_of(from, to)
            .map(|(from, to)| (moment(from), moment(to)))
            .collect())
    }

    /// The same for what is counted a day: today, or the seven days before it. Days are told as their first moment, as
    /// if it were UTC.
    pub fn spans_of_days(self, now: Timestamp, timezone: &str) -> Result<Vec<Span>, Invalid> {
        let today = now.date_in(time::zone(timezone)?).and_time(NaiveTime::MIN);
        let (from, to) = match self {
            TimeWindow::Today => (today, today + TimeDelta::days(1)),
            TimeWindow::Week => (today - TimeDelta::days(7), today),
            TimeWindow::Hour | TimeWindow::Day => {
                return Err(Invalid::new(
                    "this metric is counted a day: look at today or last_7_days",
                ));
            }
        };
        let moment = |day: NaiveDateTime| Timestamp::from_micros(day.and_utc().timestamp_micros());
        Ok(weeks_of(from, to)
            .map(|(from, to)| (moment(from), moment(to)))
            .collect())
    }

    fn local_span(self, end: NaiveDateTime) -> (NaiveDateTime, NaiveDateTime) {
        let from = match self {
            TimeWindow::Hour => end - TimeDelta::hours(1),
            TimeWindow::Day => end - TimeDelta::days(1),
            TimeWindow::Week => end - TimeDelta::days(7),
            // At midnight the minute that begins belongs to the day that is over.
            TimeWindow::Today => (end - TimeDelta::minutes(1)).date().and_time(NaiveTime::MIN),
        };
        (from, end)
    }
}

/// What is counted is counted by the minute, and the one that runs belongs to now.
fn minute_after(local: NaiveDateTime) -> NaiveDateTime {
    let minute = local.with_second(0).and_then(|local| local.with_nanosecond(0));
    minute.unwrap_or(local) + TimeDelta::minutes(1)
}

fn weeks_of(from: NaiveDateTime, to: NaiveDateTime) -> impl Iterator<Item = (NaiveDateTime, NaiveDateTime)> {
    (0..=WEEKS as i64).map(move |weeks| (from - TimeDelta::weeks(weeks), to - TimeDelta::weeks(weeks)))
}

/// The median of the weeks before, the newest first. Of what is counted (`additive`), a week without anything is a 0,
/// unless nothing was ever before it: then it is none of the history. None: there is not enough history yet.
pub fn usual(weeks: &[Option<f64>], additive: bool) -> Option<f64> {
    let reach = weeks.iter().rposition(Option::is_some)? + 1;
    let known = weeks[..reach].iter().filter_map(|week| match additive {
        true => Some(week.unwrap_or(0.0)),
        false => *week,
    });
    let mut known: Vec<f64> = known.collect();
    if known.len() < LEAST_WEEKS {
        return None;
    }
    known.sort_by(f64::total_cmp);
    let middle = known.len() / 2;
    Some(match known.len() % 2 {
        0 => (known[middle - 1] + known[middle]) / 2.0,
        _ => known[middle],
    })
}

/// How a rule stands between two looks at its metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub firing_since: Option<Timestamp>,
    /// Since when its condition has not held while it fires.
    pub calm_since: Option<Timestamp>,
}

/// What people are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Fired,
    Settled,
}

impl Standing {
    /// A rule fires as soon as its condition holds, and stops when it has not held for `quiet` without a break: what goes
    /// to and fro in between is one alert.
    pub fn after(self, holds: bool, quiet: Duration, at: Timestamp) -> (Self, Option<Turn>) {
        match (self.firing_since, holds) {
            (None, false) => (Self::default(), None),
            (None, true) => {
                let fired = Self {
                    firing_since: Some(at),
                    calm_since: None,
                };
                (fired, Some(Turn::Fired))
            }
            (Some(_), true) => (
                Self {
                    calm_since: None,
                    ..self
                },
                None,
            ),
            (Some(_), false) => {
                let calm_since = self.calm_since.unwrap_or(at);
                match at.since(calm_since) >= quiet {
                    true => (Self::default(), Some(Turn::Settled)),
                    false => (
                        Self {
                            calm_since: Some(calm_since),
                            ..self
                        },
                        None,
                    ),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(window: TimeWindow, now: &str) -> Vec<String> {
        let spans = window.spans(now.parse().unwrap(), "Europe/Vienna").unwrap();
        let text = |at: Timestamp| at.to_string().replace(":00.000000Z", "");
        spans
            .into_iter()
            .map(|(from, to)| format!("{} {}", text(from), text(to)))
            .collect()
    }

    #[test]
    fn the_weeks_before_are_at_the_same_time_on_the_clock() {
        let hour = spans(TimeWindow::Hour, "2026-11-02T18:30:40Z");
        assert_eq!(hour.len(), 1 + WEEKS);
        assert_eq!(hour[0], "2026-11-02T17:31 2026-11-02T18:31");
        assert_eq!(hour[1], "2026-10-26T17:31 2026-10-26T18:31");
        // Before the 25th of October clocks were an hour ahead.
        assert_eq!(hour[2], "2026-10-19T16:31 2026-10-19T17:31");
        let today = spans(TimeWindow::Today, "2026-10-25T12:00:00Z");
        assert_eq!(today[0], "2026-10-24T22:00 2026-10-25T12:01", "this day has 25 hours");
        assert_eq!(today[1], "2026-10-17T22:00 2026-10-18T11:01");
        let midnight = spans(TimeWindow::Today, "2026-11-02T22:59:59Z");
        assert_eq!(midnight[0], "2026-11-01T23:00 2026-11-02T23:00");
        let week = spans(TimeWindow::Week, "2026-11-27T10:00:00Z");
        for pair in week.windows(2) {
            assert_eq!(
                pair[1].split(' ').next_back(),
                pair[0].split(' ').next(),
                "weeks don't overlap"
            );
        }
    }

    #[test]
    fn what_is_counted_a_day_is_looked_at_by_whole_days() {
        let now = "2026-11-27T23:30:00Z".parse().unwrap();
        let spans = TimeWindow::Week.spans_of_days(now, "Europe/Vienna").unwrap();
        let day = |text: &str| format!("{text}T00:00:00Z").parse::<Timestamp>().unwrap();
        assert_eq!(spans[0], (day("2026-11-21"), day("2026-11-28")));
        assert_eq!(spans[1], (day("2026-11-14"), day("2026-11-21")));
        assert!(TimeWindow::Hour.spans_of_days(now, "Europe/Vienna").is_err());
    }

    #[test]
    fn the_usual_is_the_median_of_what_there_is_history_of() {
        let weeks = |values: &[i32]| {
            values
                .iter()
                .map(|value| (*value >= 0).then_some(f64::from(*value)))
                .collect::<Vec<_>>()
        };
        assert_eq!(usual(&weeks(&[1, 9, 2, 100, 3, 4, 5, 6]), true), Some(4.5));
        assert_eq!(
            usual(&weeks(&[5, 1, 9, -1, -1, -1, -1, -1]), true),
            None,
            "three weeks are too few"
        );
        assert_eq!(
            usual(&weeks(&[5, -1, 9, 7, -1, -1, -1, -1]), true),
            Some(6.0),
            "a week without sales has sold 0"
        );
        assert_eq!(
            usual(&weeks(&[5, -1, 9, 7, 1, -1, -1, -1]), false),
            Some(6.0),
            "an average of nothing is none"
        );
        assert_eq!(usual(&weeks(&[5, -1, 9, 7]), false), None);
        assert_eq!(usual(&[None; WEEKS], true), None);
        assert_eq!(usual(&[], true), None);
    }

    #[test]
    fn a_condition_holds_beyond_its_threshold_and_never_at_it() {
        use Condition as C;
        assert!(C::Above.holds(10.0, 10.5, None) && !C::Above.holds(10.0, 10.0, None));
        assert!(C::Below.holds(10.0, 9.0, None) && !C::Below.holds(10.0, 10.0, None));
        let against = |condition: C, value| condition.holds(50.0, value, Some(100.0));
        assert!(!against(C::Unusual, 150.0) && against(C::Unusual, 151.0) && against(C::Unusual, 49.0));
        assert!(against(C::UnusuallyHigh, 151.0) && !against(C::UnusuallyHigh, 0.0));
        assert!(against(C::UnusuallyLow, 0.0) && !against(C::UnusuallyLow, 1000.0));
        assert!(!C::Unusual.holds(50.0, 7.0, Some(0.0)), "nothing is a percentage of 0");
        assert!(
            C::UnusuallyHigh.holds(50.0, 10.0, Some(-100.0)),
            "a usual below 0 has its own direction"
        );
    }

    #[test]
    fn what_goes_to_and_fro_is_one_alert() {
        let quiet = Duration::from_secs(600);
        let start: Timestamp = "2026-11-27T10:00:00Z".parse().unwrap();
        let (mut standing, mut told) = (Standing::default(), Vec::new());
        for minute in 0..60 {
            let holds = minute < 30 && minute % 3 == 1;
            let at = start + Duration::from_secs(minute * 60);
            let (next, turn) = standing.after(holds, quiet, at);
            standing = next;
            told.extend(turn.map(|turn| (minute, turn)));
        }
        assert_eq!(told, [(1, Turn::Fired), (39, Turn::Settled)]);
        assert_eq!(standing, Standing::default());
    }
}
