//! A moment, in microseconds since 1970, UTC. As a number in changes and tables, as RFC 3339 text towards people.

use crate::{
    Invalid,
    record::{ColumnType, Kind},
};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::{fmt, ops, str::FromStr, time::Duration};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub fn now() -> Self {
        Self(Utc::now().timestamp_micros())
    }

    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    pub const fn as_micros(self) -> i64 {
        self.0
    }

    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).max(0) as u64)
    }

    /// The calendar's day at this moment in a time zone.
    pub(crate) fn date_in(self, zone: Tz) -> NaiveDate {
        self.as_datetime().with_timezone(&zone).date_naive()
    }

    /// What clocks of a time zone show at this moment, as if it were UTC; None if there is no such zone.
    pub fn local_micros(self, zone: &str) -> Option<i64> {
        let zone: chrono_tz::Tz = zone.parse().ok()?;
        Some(
            self.as_datetime()
                .with_timezone(&zone)
                .naive_local()
                .and_utc()
                .timestamp_micros(),
        )
    }

    /// What clocks of a time zone show at this moment.
    pub(crate) fn local(self, zone: Tz) -> NaiveDateTime {
        self.as_datetime().with_timezone(&zone).naive_local()
    }

    /// The moment at which clocks of a time zone show this: the first one if they show it twice, and the end of the gap
    /// if they jump over it.
    pub(crate) fn of_local(zone: Tz, local: NaiveDateTime) -> Self {
        // The longest gap was a day, when Samoa moved to the other side of the date line.
        let later = (0..=25 * 60).map(|minutes| local + TimeDelta::minutes(minutes));
        let moment = later
            .filter_map(|local| zone.from_local_datetime(&local).earliest())
            .next();
        Self(
            moment
                .map_or(local.and_utc(), |moment| moment.with_timezone(&Utc))
                .timestamp_micros(),
        )
    }

    fn as_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

impl ops::Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, duration: Duration) -> Timestamp {
        Timestamp(
            self.0
                .saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}

impl ops::Sub<Duration> for Timestamp {
    type Output = Timestamp;

    fn sub(self, duration: Duration) -> Timestamp {
        Timestamp(
            self.0
                .saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}

/// Whether a name is one of the IANA time zone database, such as `Europe/Vienna`.
pub fn check_timezone(name: &str) -> Result<(), Invalid> {
    zone(name).map(drop)
}

pub(crate) fn zone(name: &str) -> Result<Tz, Invalid> {
    name.parse()
        .map_err(|_| Invalid::new("a time zone is a name such as Europe/Vienna"))
}

impl FromStr for Timestamp {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parsed = DateTime::parse_from_rfc3339(text)
            .map_err(|_| Invalid::new("a time is RFC 3339 text with an offset, such as 2026-05-01T19:30:00Z"))?;
        if !(0..=9999).contains(&parsed.year()) {
            return Err(Invalid::new("a year has four digits"));
        }
        Ok(Self(parsed.timestamp_micros()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_datetime().to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ColumnType for Timestamp {
    const KIND: Kind = Kind::Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_microseconds_and_moves_to_utc() {
        let at: Timestamp = "2021-12-29T19:00:00.123456-05:00".parse().unwrap();
        assert_eq!(at.to_string(), "2021-12-30T00:00:00.123456Z");
        assert!("2021-12-29".parse::<Timestamp>().is_err());
    }
}
