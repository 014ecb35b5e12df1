//! Values as people read them, in English. Scripts write them anew in the reader's own language.

use super::columns::{Column, Format};
use chrono::{DateTime, NaiveDateTime};
use chrono_tz::Tz;
use domain::{Currency, Money};
use serde_json::Value;
use transforms::metrics::Good;

pub(super) const NOTHING: &str = "–";

const SYMBOLS: [(&str, &str); 5] = [("EUR", "€"), ("USD", "$"), ("GBP", "£"), ("JPY", "¥"), ("INR", "₹")];

/// A value in full; a moment as the clocks of the zone show it.
pub fn shown(value: &Value, format: Format, currency: Option<&str>, zone: Tz) -> String {
    match value {
        Value::Null => NOTHING.to_owned(),
        Value::String(text) => match format {
            Format::Minute | Format::Hour | Format::Day | Format::Week | Format::Month | Format::Moment => {
                time(text, format, zone)
            }
            _ => text.clone(),
        },
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            match format {
                Format::Money => money(number, currency),
                Format::Percent => format!("{:.1} %", number * 100.0),
                Format::Duration => duration(number),
                Format::Decimal => trimmed(&grouped(&format!("{number:.2}"))),
                _ => grouped(&format!("{number:.0}")),
            }
        }
        other => other.to_string(),
    }
}

/// `€1,250.00`. Averages have parts of minor units, which are rounded.
pub(super) fn money(minor: f64, currency: Option<&str>) -> String {
    let Some(known) = currency.and_then(|code| code.parse::<Currency>().ok()) else {
        return grouped(&format!("{minor:.0}"));
    };
    // Beyond what money can be, a float is cut to the nearest that it can.
    let amount = grouped(&Money::new(minor.round() as i64, known).decimal());
    let symbol = SYMBOLS.iter().find(|(code, _)| *code == known.as_str());
    match (symbol, amount.strip_prefix('-')) {
        (Some((_, symbol)), Some(amount)) => format!("−{symbol}{amount}"),
        (Some((_, symbol)), None) => format!("{symbol}{amount}"),
        (None, Some(amount)) => format!("−{amount} {known}"),
        (None, None) => format!("{amount} {known}"),
    }
}

/// `2 d 3 h`, `4 min 5 s`, `6.5 s`.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{} s", trimmed(&format!("{seconds:.1}")));
    }
    let whole = seconds.round() as u64;
    let parts = [
        (whole / 86_400, "d"),
        (whole / 3_600 % 24, "h"),
        (whole / 60 % 60, "min"),
        (whole % 60, "s"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    parts.join(" ")
}

/// How far a value is from what it was, as a part of that; of percentages, in points. And whether that is good news.
pub(super) fn change(now: &Value, before: &Value, column: &Column) -> Option<(String, &'static str)> {
    let (now, before) = (now.as_f64()?, before.as_f64()?);
    let (moved, unit) = match column.format {
        Format::Percent => ((now - before) * 100.0, "pp"),
        _ if before == 0.0 => return None,
        _ => ((now - before) / before.abs() * 100.0, "%"),
    };
    let text = match moved.abs() {
        size if size < 0.05 => format!("±0 {unit}"),
        size if size < 1_000.0 => format!("{moved:+.1} {unit}"),
        _ => format!("{} {unit}", grouped(&format!("{moved:+.0}"))),
    };
    let mood = match column.good {
        Some(Good::Up) if moved.abs() >= 0.05 => ["bad", "good"][usize::from(moved > 0.0)],
        Some(Good::Down) if moved.abs() >= 0.05 => ["bad", "good"][usize::from(moved < 0.0)],
        _ => "same",
    };
    Some((text.replace('-', "−"), mood))
}

fn time(text: &str, format: Format, zone: Tz) -> String {
    let read = NaiveDateTime::parse_from_str(text.get(..19).unwrap_or(text), "%Y-%m-%dT%H:%M:%S").ok();
    let read = read.or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| at.naive_utc()));
    let read = read.or_else(|| {
        text.parse()
            .ok()
            .and_then(|day: chrono::NaiveDate| day.and_hms_opt(0, 0, 0))
    });
    let Some(at) = read else {
        return text.to_owned();
    };
    let how = match format {
        Format::Minute | Format::Hour => "%-d %b %H:%M",
        Format::Month => "%b %Y",
        Format::Moment => {
            let at = at.and_utc().with_timezone(&zone);
            return at.format("%-d %b %Y %H:%M").to_string();
        }
        _ => "%-d %b %Y",
    };
    at.format(how).to_string()
}

/// Digits before the point in groups of three.
fn grouped(number: &str) -> String {
    let digits = number.trim_start_matches(['-', '+']);
    let (sign, whole) = number.split_at(number.len() - digits.len());
    let (whole, part) = whole.find('.').map_or((whole, ""), |point| whole.split_at(point));
    let mut out = String::from(sign);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + part
}

fn trimmed(number: &str) -> String {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboards::columns::Role;
    use serde_json::json;

    #[test]
    fn values_are_written_as_people_read_them() {
        for (value, format, currency, text) in [
            (json!(125_000), Format::Money, Some("EUR"), "€1,250.00"),
            (json!(-5), Format::Money, Some("EUR"), "−€0.05"),
            (json!(1_250), Format::Money, Some("JPY"), "¥1,250"),
            (json!(1_250.4), Format::Money, Some("PLN"), "12.50 PLN"),
            (json!(1_234_567), Format::Integer, None, "1,234,567"),
            (json!(-1_234), Format::Integer, None, "-1,234"),
            (json!(0.384), Format::Percent, None, "38.4 %"),
            (json!(2.5), Format::Decimal, None, "2.5"),
            (json!(null), Format::Money, Some("EUR"), "–"),
            (json!(6.54), Format::Duration, None, "6.5 s"),
            (json!(245), Format::Duration, None, "4 min 5 s"),
            (json!(90_000), Format::Duration, None, "1 d 1 h"),
            (json!("2026-05-01T00:00:00"), Format::Day, None, "1 May 2026"),
            (json!("2026-05-01T18:04:00"), Format::Minute, None, "1 May 18:04"),
            (
                json!("2026-05-01T18:04:05.000001Z"),
                Format::Moment,
                None,
                "1 May 2026 20:04",
            ),
            (json!("<b>"), Format::Text, None, "<b>"),
        ] {
            assert_eq!(shown(&value, format, currency, Tz::Europe__Berlin), text);
        }
    }

    #[test]
    fn a_change_is_a_part_of_what_was_and_may_be_good_or_bad_news() {
        let column = |format, good| Column {
            good: Some(good),
            ..Column::plain("sold", Role::Metric, format)
        };
        let told = |now: i64, before: i64, good| change(&json!(now), &json!(before), &column(Format::Integer, good));
        assert_eq!(told(125, 90, Good::Up), Some(("+38.9 %".to_owned(), "good")));
        assert_eq!(told(90, 100, Good::Up), Some(("−10.0 %".to_owned(), "bad")));
        assert_eq!(told(90, 100, Good::Down), Some(("−10.0 %".to_owned(), "good")));
        assert_eq!(told(100, 100, Good::Up), Some(("±0 %".to_owned(), "same")));
        assert_eq!(told(5, 0, Good::Up), None, "nothing is a part of nothing");
        let share = change(&json!(0.3), &json!(0.25), &column(Format::Percent, Good::Up));
        assert_eq!(share, Some(("+5.0 pp".to_owned(), "good")));
    }
}
