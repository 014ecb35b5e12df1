//! Which days a page shows, what they are compared to, and how finely.

use chrono::{Days, Months, NaiveDate};
use serde::Deserialize;
use std::{fmt, str::FromStr};
use transforms::metrics::{Compare, Grain, is_in_calendar};

/// In words, so that a link to "the last 30 days" shows other days tomorrow; or from one day to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum Range {
    Today,
    /// The last so many days, today among them.
    Days(u32),
    Months(u32),
    #[default]
    All,
    /// From today on.
    Upcoming,
    /// The last day is not part of it.
    Between(Option<NaiveDate>, Option<NaiveDate>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    #[default]
    None,
    Previous,
    Year,
}

/// Those that a page offers by name.
pub(super) const OFFERED: [(&str, &str); 7] = [
    ("today", "Today"),
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
    ("90d", "Last 90 days"),
    ("12m", "Last 12 months"),
    ("upcoming", "From today on"),
    ("all", "All time"),
];

pub(super) const COMPARISONS: [(&str, &str); 3] = [
    ("none", "Nothing"),
    ("previous", "The days before"),
    ("year", "A year ago"),
];

const MOST_DAYS: u32 = 3_660;
const MOST_MONTHS: u32 = 120;

impl Range {
    /// The first day, and the day after the last one.
    pub fn days(self, today: NaiveDate) -> (Option<NaiveDate>, Option<NaiveDate>) {
        let tomorrow = today + Days::new(1);
        match self {
            Range::Today => (Some(today), Some(tomorrow)),
            Range::Days(days) => (Some(tomorrow - Days::new(u64::from(days))), Some(tomorrow)),
            Range::Months(months) => (Some(tomorrow - Months::new(months)), Some(tomorrow)),
            Range::All => (None, None),
            Range::Upcoming => (Some(today), None),
            Range::Between(from, to) => (from, to),
        }
    }

    /// Fine enough to see something, and no finer than can be seen. What has no end has its data until today.
    pub fn grain(self, today: NaiveDate) -> Grain {
        let (from, to) = self.days(today);
        let to = to.or(from.map(|from| from.max(today) + Days::new(1)));
        match (from, to) {
            (Some(from), Some(to)) => match (to - from).num_days() {
                ..=2 => Grain::Hour,
                3..=92 => Grain::Day,
                93..=430 => Grain::Week,
                _ => Grain::Month,
            },
            _ => Grain::Month,
        }
    }

    /// In words, for people.
    pub fn label(self, today: NaiveDate) -> String {
        let name = self.to_string();
        if let Some((_, label)) = OFFERED.iter().find(|(offered, _)| *offered == name) {
            return (*label).to_owned();
        }
        let day = |day: NaiveDate| day.format("%-d %b %Y").to_string();
        match self.days(today) {
            (Some(from), Some(to)) if from + Days::new(1) == to => day(from),
            (Some(from), Some(to)) => format!("{} to {}", day(from), day(to - Days::new(1))),
            (Some(from), None) => format!("From {} on", day(from)),
            (None, Some(to)) => format!("Until {}", day(to - Days::new(1))),
            (None, None) => "All time".to_owned(),
        }
    }
}

impl Comparison {
    pub fn name(self) -> &'static str {
        match self {
            Comparison::None => "none",
            Comparison::Previous => "previous",
            Comparison::Year => "year",
        }
    }

    /// What a query compares to, if the range lets it.
    pub fn of(self, (from, to): (Option<NaiveDate>, Option<NaiveDate>)) -> Option<Compare> {
        from.zip(to)?;
        match self {
            Comparison::None => None,
            Comparison::Previous => Some(Compare::Previous),
            Comparison::Year => Some(Compare::Year),
        }
    }

    /// The days that it puts beside a range, in words.
    pub fn beside(self, range: Range, today: NaiveDate) -> Option<String> {
        let (from, to) = range.days(today);
        let back = Days::new(self.of((from, to))?.days_back(from, to)?);
        let [from, to] = [from?, to?].map(|day| day.checked_sub_days(back));
        let label = Range::Between(Some(from?), Some(to?)).label(today);
        Some(match range {
            Range::Today => format!("all of {label}"),
            _ => label,
        })
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no range: say today, 7d, 30d, 90d, 12m, upcoming, all, or 2026-05-01..2026-06-01");
        let number = |text: &str, most| text.parse::<u32>().ok().filter(|number| (1..=most).contains(number));
        let day = |text: &str| match text {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| wrong()),
        };
        match text {
            "today" => Ok(Range::Today),
            "all" => Ok(Range::All),
            "upcoming" => Ok(Range::Upcoming),
            text => {
                if let Some((from, to)) = text.split_once("..") {
                    return Range::between(day(from)?, day(to)?);
                }
                let days = text
                    .strip_suffix('d')
                    .and_then(|days| number(days, MOST_DAYS))
                    .map(Range::Days);
                let months = || text.strip_suffix('m').and_then(|months| number(months, MOST_MONTHS));
                days.or_else(|| months().map(Range::Months)).ok_or_else(wrong)
            }
        }
    }
}

impl Range {
    pub fn between(from: Option<NaiveDate>, to: Option<NaiveDate>) -> Result<Self, String> {
        match (from, to) {
            _ if [from, to].into_iter().flatten().any(|day| !is_in_calendar(day)) => {
                Err("a day is of the years 1 to 9999".to_owned())
            }
            // The wrong way round, the days are meant all the same. The last one is not part of it.
            (Some(from), Some(to)) if to <= from => Ok(Range::Between(
                Some(to.pred_opt().unwrap_or(to)),
                Some(from.succ_opt().unwrap_or(from)),
            )),
            (None, None) => Ok(Range::All),
            (from, to) => Ok(Range::Between(from, to)),
        }
    }
}

impl TryFrom<String> for Range {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Comparison {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Comparison::None, Comparison::Previous, Comparison::Year];
        let found = all.into_iter().find(|known| known.name() == text);
        found.ok_or_else(|| format!("{text:?} is nothing to compare to: say none, previous or year"))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Range::Today => f.write_str("today"),
            Range::Days(days) => write!(f, "{days}d"),
            Range::Months(months) => write!(f, "{months}m"),
            Range::All => f.write_str("all"),
            Range::Upcoming => f.write_str("upcoming"),
            Range::Between(from, to) => {
                let day = |day: &Option<NaiveDate>| day.map_or(String::new(), |day| day.to_string());
                write!(f, "{}..{}", day(from), day(to))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_in_words_ends_with_today() {
        let today = day("2026-03-31");
        let days = |text: &str| text.parse::<Range>().unwrap().days(today);
        let tomorrow = Some(day("2026-04-01"));
        assert_eq!(days("today"), (Some(today), tomorrow));
        assert_eq!(days("7d"), (Some(day("2026-03-25")), tomorrow));
        assert_eq!(days("12m"), (Some(day("2025-04-01")), tomorrow));
        assert_eq!(days("upcoming"), (Some(today), None));
        assert_eq!(
            days("2026-01-01..2026-02-01"),
            (Some(day("2026-01-01")), Some(day("2026-02-01")))
        );
    }

    #[test]
    fn ranges_are_read_as_they_are_written_and_others_are_refused() {
        for text in [
            "today",
            "30d",
            "12m",
            "all",
            "upcoming",
            "2026-01-01..2026-02-01",
            "2026-01-01..",
        ] {
            assert_eq!(text.parse::<Range>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "0d",
            "99999d",
            "yesterday",
            "2026-13-01..",
            "-262143-01-01..",
            "..+262142-12-31",
            "-3d",
        ] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_longer_range_is_shown_in_larger_steps() {
        let today = day("2026-03-31");
        let grain = |text: &str| text.parse::<Range>().unwrap().grain(today);
        let grains = ["today", "7d", "90d", "12m", "36m", "all"].map(grain);
        let wanted = [
            Grain::Hour,
            Grain::Day,
            Grain::Day,
            Grain::Week,
            Grain::Month,
            Grain::Month,
        ];
        assert_eq!(grains, wanted);
        let open = [
            "upcoming",
            "2026-03-20..",
            "2026-01-01..",
            "2027-01-01..",
            "..2026-03-01",
        ]
        .map(grain);
        let wanted = [Grain::Hour, Grain::Day, Grain::Day, Grain::Hour, Grain::Month];
        assert_eq!(open, wanted);
    }

    #[test]
    fn what_is_compared_says_with_which_days() {
        let today = day("2026-03-31");
        let beside = |compare: Comparison, range: &str| compare.beside(range.parse().unwrap(), today);
        let previous = |range| beside(Comparison::Previous, range).unwrap();
        assert_eq!(previous("7d"), "18 Mar 2026 to 24 Mar 2026");
        assert_eq!(previous("today"), "all of 30 Mar 2026");
        assert_eq!(
            beside(Comparison::Year, "2026-03-01..2026-03-02").unwrap(),
            "2 Mar 2025"
        );
        assert_eq!(beside(Comparison::Previous, "all"), None);
        assert_eq!(beside(Comparison::None, "7d"), None);
    }

    #[test]
    fn days_that_are_the_wrong_way_round_are_swapped() {
        let range = "2026-06-01..2026-05-01".parse::<Range>().unwrap();
        assert_eq!(
            range.to_string(),
            "2026-04-30..2026-06-02",
            "both days that were named are in it"
        );
        let empty = Range::between(Some(day("2026-05-01")), Some(day("2026-05-01"))).unwrap();
        assert_eq!(empty.to_string(), "2026-04-30..2026-05-02");
    }
}
