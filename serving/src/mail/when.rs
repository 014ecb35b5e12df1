//! A moment as a mail says it: in words of its language, on the clocks of where the event is.

use anyhow::{Context, Result};
use chrono::{DateTime, Datelike, NaiveDate};
use chrono_tz::Tz;
use domain::{Timestamp, message::Language};

/// From Monday on.
type Days = [&'static str; 7];
type Months = [&'static str; 12];

const ENGLISH: (Days, Months) = (
    [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ],
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
);
const GERMAN: (Days, Months) = (
    [
        "Montag",
        "Dienstag",
        "Mittwoch",
        "Donnerstag",
        "Freitag",
        "Samstag",
        "Sonntag",
    ],
    [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
);
const ARABIC: (Days, Months) = (
    ["الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة", "السبت", "الأحد"],
    [
        "يناير",
        "فبراير",
        "مارس",
        "أبريل",
        "مايو",
        "يونيو",
        "يوليو",
        "أغسطس",
        "سبتمبر",
        "أكتوبر",
        "نوفمبر",
        "ديسمبر",
    ],
);

/// Such as `Friday 27 November 2026, 19:30 (CET)`.
pub(super) fn in_words(at: Timestamp, timezone: &str, language: Language) -> Result<String> {
    let zone: Tz = timezone
        .parse()
        .with_context(|| format!("there is no time zone {timezone}"))?;
    let utc = DateTime::from_timestamp_micros(at.as_micros()).context("a time beyond the calendar")?;
    let there = utc.with_timezone(&zone);
    let (days, months) = match language {
        Language::English => ENGLISH,
        Language::German => GERMAN,
        Language::Arabic => ARABIC,
    };
    let day = days[there.weekday().num_days_from_monday() as usize];
    let (number, month, year) = (there.day(), months[there.month0() as usize], there.year());
    let (clock, name) = (there.format("%H:%M"), zone_name(&there));
    Ok(match language {
        Language::English => format!("{day} {number} {month} {year}, {clock} ({name})"),
        Language::German => format!("{day}, {number}. {month} {year}, {clock} Uhr ({name})"),
        Language::Arabic => format!("{day} {number} {month} {year}، الساعة {clock} ({name})"),
    })
}

/// Whole days, the last of which is the one before `to`: such as `26 November 2026` or `20 November 2026 to 26 November
/// 2026`.
pub fn days_in_words(from: NaiveDate, to: NaiveDate, language: Language) -> String {
    let day = |day: NaiveDate| {
        let (number, month, year) = (day.day(), day.month0() as usize, day.year());
        match language {
            Language::English => format!("{number} {} {year}", ENGLISH.1[month]),
            Language::German => format!("{number}. {} {year}", GERMAN.1[month]),
            Language::Arabic => format!("{number} {} {year}", ARABIC.1[month]),
        }
    };
    let until = match language {
        Language::English => "to",
        Language::German => "bis",
        Language::Arabic => "إلى",
    };
    match to.pred_opt().filter(|last| *last > from) {
        Some(last) => format!("{} {until} {}", day(from), day(last)),
        None => day(from),
    }
}

/// What people there call it, or how far it is from UTC where they have no name for it.
fn zone_name(at: &DateTime<Tz>) -> String {
    let name = at.format("%Z").to_string();
    match name.starts_with(['+', '-']) {
        true => format!("UTC{name}"),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_on_the_events_clocks_and_in_the_mails_words() {
        let at: Timestamp = "2026-07-03T17:30:00Z".parse().unwrap();
        for (language, timezone, wanted) in [
            (Language::English, "Europe/Vienna", "Friday 3 July 2026, 19:30 (CEST)"),
            (
                Language::German,
                "Europe/Berlin",
                "Freitag, 3. Juli 2026, 19:30 Uhr (CEST)",
            ),
            (
                Language::Arabic,
                "Africa/Cairo",
                "الجمعة 3 يوليو 2026، الساعة 20:30 (EEST)",
            ),
            (Language::English, "Asia/Dubai", "Friday 3 July 2026, 21:30 (UTC+04)"),
        ] {
            assert_eq!(in_words(at, timezone, language).unwrap(), wanted);
        }
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let days = |to, language| days_in_words(day("2026-11-23"), day(to), language);
        assert_eq!(days("2026-11-24", Language::English), "23 November 2026");
        assert_eq!(
            days("2026-11-30", Language::German),
            "23. November 2026 bis 29. November 2026"
        );
        assert!(in_words(at, "Mars/Olympus", Language::English).is_err());
    }
}
