//! When something is to be done again and again, by the clocks of a time zone.

use crate::{Invalid, Timestamp, record::states, time};
use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime};
use chrono_tz::Tz;

states! {
    Every {
        Day = "day",
        Week = "week",
        Month = "month",
    }
    Weekday {
        Monday = "monday",
        Tuesday = "tuesday",
        Wednesday = "wednesday",
        Thursday = "thursday",
        Friday = "friday",
        Saturday = "saturday",
        Sunday = "sunday",
    }
}

/// On which days, and at which time of day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    days: OnDays,
    at: NaiveTime,
    zone: Tz,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum OnDays {
    All,
    Weekday(Weekday),
    /// 1 to 31; the last one of a month that is shorter.
    OfMonth(u32),
}

/// How a person says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleInput {
    pub every: Every,
    pub weekday: Option<Weekday>,
    pub month_day: Option<i64>,
    pub hour: i64,
    pub minute: i64,
    pub timezone: String,
}

/// A range of whole days: the first one, and the day after the last.
pub type DayRange = (NaiveDate, NaiveDate);

impl Schedule {
    /// What is wrong comes with the name of its field.
    pub fn new(input: &ScheduleInput) -> Result<Self, (&'static str, Invalid)> {
        let wrong = |field, message: &str| Err((field, Invalid::new(message)));
        let days = match (input.every, input.weekday, input.month_day) {
            (Every::Day, None, None) => OnDays::All,
            (Every::Week, Some(weekday), None) => OnDays::Weekday(weekday),
            (Every::Month, None, Some(day)) => match u32::try_from(day) {
                Ok(day @ 1..=31) => OnDays::OfMonth(day),
                _ => return wrong("month_day", "a day of the month is 1 to 31"),
            },
            (Every::Week, None, _) => return wrong("weekday", "what is done every week has a weekday"),
            (Every::Month, _, None) => return wrong("month_day", "what is done every month has a day of the month"),
            (_, Some(_), _) => return wrong("weekday", "only what is done every week has a weekday"),
            (_, _, Some(_)) => return wrong("month_day", "only what is done every month has a day of the month"),
        };
        let part = |value| u32::try_from(value).unwrap_or(u32::MAX);
        let Some(at) = NaiveTime::from_hms_opt(part(input.hour), part(input.minute), 0) else {
            return wrong("at", "a time of day is 00:00 to 23:59");
        };
        let zone = time::zone(&input.timezone).map_err(|invalid| ("timezone", invalid))?;
        Ok(Self { days, at, zone })
    }

    /// The first time after a moment. A time that clocks jump over is the end of the jump, and one that they show twice
    /// is the first of the two.
    pub fn next_after(&self, moment: Timestamp) -> Timestamp {
        let today = self.today(moment);
        // From yesterday on: across a change of clocks yesterday's time may be today's. A month has 31 days at most.
        let days = (0..=70).filter_map(|days| today.pred_opt()?.checked_add_days(Days::new(days)));
        let times = days
            .filter(|day| self.is_on(*day))
            .map(|day| Timestamp::of_local(self.zone, day.and_time(self.at)));
        times.filter(|time| *time > moment).min().unwrap_or(moment)
    }

    /// The day of a moment, by its own clocks.
    pub fn today(&self, moment: Timestamp) -> NaiveDate {
        moment.date_in(self.zone)
    }

    /// The whole days that a report of this moment is about: the day, the seven days or the month before today.
    pub fn period_before(&self, moment: Timestamp) -> DayRange {
        let today = self.today(moment);
        let back = |days| today.checked_sub_days(Days::new(days)).unwrap_or(today);
        match self.days {
            OnDays::All => (back(1), today),
            OnDays::Weekday(_) => (back(7), today),
            OnDays::OfMonth(_) => {
                let first = today.with_day(1).unwrap_or(today);
                (first.checked_sub_months(Months::new(1)).unwrap_or(first), first)
            }
        }
    }

    fn is_on(&self, day: NaiveDate) -> bool {
        match self.days {
            OnDays::All => true,
            OnDays::Weekday(weekday) => {
                let place = Weekday::ALL.iter().position(|known| *known == weekday);
                place == Some(day.weekday().num_days_from_monday() as usize)
            }
            OnDays::OfMonth(wanted) => {
                let is_last = day.succ_opt().is_none_or(|next| next.day() == 1);
                day.day() == wanted || (is_last && day.day() < wanted)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(
        every: Every,
        weekday: Option<Weekday>,
        month_day: Option<i64>,
        at: (i64, i64),
        zone: &str,
    ) -> Schedule {
        let (hour, minute) = at;
        let timezone = zone.to_owned();
        let input = ScheduleInput {
            every,
            weekday,
            month_day,
            hour,
            minute,
            timezone,
        };
        Schedule::new(&input).unwrap()
    }

    /// The next times after a moment, as clocks of UTC show them.
    fn times(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
        let mut moment: Timestamp = after.parse().unwrap();
        let mut next = || {
            moment = schedule.next_after(moment);
            moment.to_string().replace(":00.000000Z", "Z")
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn a_daily_time_stays_on_the_clock_when_clocks_change() {
        let daily = schedule(Every::Day, None, None, (8, 0), "Europe/Vienna");
        assert_eq!(
            times(&daily, "2026-03-28T00:00:00Z", 3),
            ["2026-03-28T07:00Z", "2026-03-29T06:00Z", "2026-03-30T06:00Z"]
        );
        assert_eq!(
            times(&daily, "2026-10-24T06:00:00Z", 2),
            ["2026-10-25T07:00Z", "2026-10-26T07:00Z"],
            "the moment itself is not after it"
        );
    }

    #[test]
    fn a_time_that_clocks_jump_over_is_the_end_of_the_jump_and_one_that_comes_twice_counts_once() {
        let in_gap = schedule(Every::Day, None, None, (2, 30), "Europe/Vienna");
        assert_eq!(
            times(&in_gap, "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T01:00Z", "2026-03-30T00:30Z"]
        );
        assert_eq!(
            times(&in_gap, "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]
        );
        let new_york = schedule(Every::Week, Some(Weekday::Sunday), None, (1, 15), "America/New_York");
        assert_eq!(
            times(&new_york, "2026-10-26T00:00:00Z", 2),
            ["2026-11-01T05:15Z", "2026-11-08T06:15Z"]
        );
        // Clocks there jumped from midnight to one o'clock, so that this day had no midnight.
        let midnight = schedule(Every::Day, None, None, (0, 0), "Africa/Cairo");
        assert_eq!(
            times(&midnight, "2026-04-23T00:00:00Z", 2),
            ["2026-04-23T22:00Z", "2026-04-24T21:00Z"]
        );
        // A whole day was left out when Samoa moved over the date line.
        let samoa = schedule(Every::Day, None, None, (8, 0), "Pacific/Apia");
        assert_eq!(
            times(&samoa, "2011-12-29T00:00:00Z", 3),
            ["2011-12-29T18:00Z", "2011-12-30T10:00Z", "2011-12-30T18:00Z"]
        );
    }

    #[test]
    fn a_weekly_time_has_its_weekday_and_a_monthly_one_the_last_day_of_a_short_month() {
        let weekly = schedule(Every::Week, Some(Weekday::Monday), None, (9, 0), "UTC");
        assert_eq!(
            times(&weekly, "2026-11-27T00:00:00Z", 2),
            ["2026-11-30T09:00Z", "2026-12-07T09:00Z"]
        );
        let monthly = schedule(Every::Month, None, Some(31), (9, 0), "UTC");
        assert_eq!(
            times(&monthly, "2027-01-30T00:00:00Z", 4),
            [
                "2027-01-31T09:00Z",
                "2027-02-28T09:00Z",
                "2027-03-31T09:00Z",
                "2027-04-30T09:00Z"
            ]
        );
        let leap = schedule(Every::Month, None, Some(30), (9, 0), "UTC");
        assert_eq!(times(&leap, "2028-02-01T00:00:00Z", 1), ["2028-02-29T09:00Z"]);
    }

    #[test]
    fn a_report_is_about_the_last_whole_days_of_its_own_clocks() {
        let of = |every, weekday, month_day, at: &str| {
            let schedule = schedule(every, weekday, month_day, (8, 0), "Asia/Tokyo");
            let (from, to) = schedule.period_before(at.parse().unwrap());
            format!("{from} {to}")
        };
        // In Tokyo it is the second of March already.
        let at = "2026-03-01T23:00:00Z";
        assert_eq!(of(Every::Day, None, None, at), "2026-03-01 2026-03-02");
        assert_eq!(
            of(Every::Week, Some(Weekday::Monday), None, at),
            "2026-02-23 2026-03-02"
        );
        assert_eq!(of(Every::Month, None, Some(2), at), "2026-02-01 2026-03-01");
    }

    #[test]
    fn a_schedule_that_says_too_much_or_too_little_names_the_field() {
        let field = |every, weekday, month_day, hour, timezone: &str| {
            let input = ScheduleInput {
                every,
                weekday,
                month_day,
                hour,
                minute: 0,
                timezone: timezone.to_owned(),
            };
            Schedule::new(&input).map_err(|(field, _)| field)
        };
        assert_eq!(field(Every::Week, None, None, 8, "UTC"), Err("weekday"));
        assert_eq!(field(Every::Day, Some(Weekday::Monday), None, 8, "UTC"), Err("weekday"));
        assert_eq!(field(Every::Month, None, None, 8, "UTC"), Err("month_day"));
        assert_eq!(field(Every::Month, None, Some(32), 8, "UTC"), Err("month_day"));
        assert_eq!(field(Every::Day, None, Some(1), 8, "UTC"), Err("month_day"));
        assert_eq!(field(Every::Day, None, None, 24, "UTC"), Err("at"));
        assert_eq!(field(Every::Day, None, None, -1, "UTC"), Err("at"));
        assert_eq!(field(Every::Day, None, None, 8, "Mars/Olympus"), Err("timezone"));
    }
}
