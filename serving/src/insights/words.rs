//! Figures as mails say them. What metrics are called is English everywhere.

use domain::{
    Currency, Money,
    alert::{Condition, TimeWindow},
    changes::AlertRule,
    message::Language,
};
use transforms::metrics::{Format, Metric};

/// A figure in full.
pub(super) fn figure(value: f64, format: Format, currency: Option<Currency>, language: Language) -> String {
    match (format, currency) {
        (Format::Money, Some(currency)) => {
            // Averages have parts of minor units, which are rounded.
            let amount = Money::new(value.round() as i64, currency);
            format!("{} {currency}", grouped(&amount.decimal(), language))
        }
        (Format::Percent, _) => format!("{} %", grouped(&format!("{:.1}", value * 100.0), language)),
        (Format::Duration, _) => duration(value, language),
        _ if value.fract() == 0.0 => grouped(&format!("{value:.0}"), language),
        _ => grouped(&format!("{value:.2}"), language),
    }
}

/// How far a figure is from what it was, as a part of that; of percentages, in points. Nothing is a part of 0.
pub(super) fn change(now: f64, before: f64, format: Format, language: Language) -> String {
    let text = match format {
        Format::Percent => format!("{:+.1} pp", (now - before) * 100.0),
        _ if before == 0.0 => String::new(),
        _ => format!("{:+.1} %", (now - before) / before.abs() * 100.0),
    };
    grouped(&text, language)
}

/// What an alert rule looks at.
pub(super) fn what(metric: &Metric, window: TimeWindow, language: Language) -> String {
    let window = match (language, window) {
        (Language::English, TimeWindow::Hour) => "in the last hour",
        (Language::English, TimeWindow::Today) => "today",
        (Language::English, TimeWindow::Day) => "in the last 24 hours",
        (Language::English, TimeWindow::Week) => "in the last 7 days",
        (Language::German, TimeWindow::Hour) => "in der letzten Stunde",
        (Language::German, TimeWindow::Today) => "heute",
        (Language::German, TimeWindow::Day) => "in den letzten 24 Stunden",
        (Language::German, TimeWindow::Week) => "in den letzten 7 Tagen",
        (Language::Arabic, TimeWindow::Hour) => "في الساعة الأخيرة",
        (Language::Arabic, TimeWindow::Today) => "اليوم",
        (Language::Arabic, TimeWindow::Day) => "في آخر 24 ساعة",
        (Language::Arabic, TimeWindow::Week) => "في آخر 7 أيام",
    };
    format!("{} {window}", metric.about.label)
}

/// A rule's condition, with the usual if that is what it is about.
pub(super) fn condition(rule: &AlertRule, metric: &Metric, usual: Option<f64>) -> String {
    let language = rule.language;
    let in_unit = |value| figure(value, metric.about.format, rule.currency, language);
    let limit = match rule.condition.is_against_usual() {
        false => in_unit(rule.threshold),
        true => {
            let percent = grouped(&rule.threshold.to_string(), language);
            let usual = usual.map_or("–".to_owned(), in_unit);
            return against_usual(rule.condition, &percent, &usual, language);
        }
    };
    let word = match (language, rule.condition) {
        (Language::English, Condition::Above) => "above",
        (Language::English, _) => "below",
        (Language::German, Condition::Above) => "über",
        (Language::German, _) => "unter",
        (Language::Arabic, Condition::Above) => "أعلى من",
        (Language::Arabic, _) => "أقل من",
    };
    format!("{word} {limit}")
}

fn against_usual(condition: Condition, percent: &str, usual: &str, language: Language) -> String {
    match (language, condition) {
        (Language::English, Condition::UnusuallyHigh) => format!("more than {percent} % above the usual ({usual})"),
        (Language::English, Condition::UnusuallyLow) => format!("more than {percent} % below the usual ({usual})"),
        (Language::English, _) => format!("more than {percent} % off the usual ({usual})"),
        (Language::German, Condition::UnusuallyHigh) => format!("mehr als {percent} % über dem Üblichen ({usual})"),
        (Language::German, Condition::UnusuallyLow) => format!("mehr als {percent} % unter dem Üblichen ({usual})"),
        (Language::German, _) => format!("mehr als {percent} % neben dem Üblichen ({usual})"),
        (Language::Arabic, Condition::UnusuallyHigh) => format!("يزيد على المعتاد ({usual}) بأكثر من {percent} %"),
        (Language::Arabic, Condition::UnusuallyLow) => format!("يقل عن المعتاد ({usual}) بأكثر من {percent} %"),
        (Language::Arabic, _) => format!("يبعد عن المعتاد ({usual}) بأكثر من {percent} %"),
    }
}

/// The head of a table of figures: now, before, and how far they are apart.
pub(super) fn head(language: Language, compared: bool) -> Vec<String> {
    let words = match language {
        Language::English => ["", "Now", "Before", "Change"],
        Language::German => ["", "Jetzt", "Davor", "Änderung"],
        Language::Arabic => ["", "الآن", "قبل ذلك", "التغير"],
    };
    let columns = if compared { 4 } else { 2 };
    words[..columns].iter().map(|word| (*word).to_owned()).collect()
}

/// Which part of everything a figure is of, behind what it is. Nothing where it is of all.
pub(super) fn only(values: &[Option<String>], language: Language) -> String {
    let (only, none) = match language {
        Language::English => ("only", "none"),
        Language::German => ("nur", "ohne"),
        Language::Arabic => ("فقط", "بدون"),
    };
    let values: Vec<&str> = values.iter().map(|value| value.as_deref().unwrap_or(none)).collect();
    match values.is_empty() {
        true => String::new(),
        false => format!(" ({only} {})", values.join(", ")),
    }
}

pub(super) fn all_time(language: Language) -> &'static str {
    match language {
        Language::English => "all time",
        Language::German => "gesamter Zeitraum",
        Language::Arabic => "كل الوقت",
    }
}

fn duration(seconds: f64, language: Language) -> String {
    let (minute, second) = match language {
        Language::English | Language::German => ("min", "s"),
        Language::Arabic => ("د", "ث"),
    };
    let whole = seconds.round() as i64;
    match whole / 60 {
        0 => format!("{whole} {second}"),
        minutes => format!(
            "{} {minute} {} {second}",
            grouped(&minutes.to_string(), language),
            whole % 60
        ),
    }
}

/// Digits before the point in groups of three, with the marks of the language.
fn grouped(number: &str, language: Language) -> String {
    let (comma, point) = match language {
        Language::German => ('.', ','),
        Language::English | Language::Arabic => (',', '.'),
    };
    let begin = number.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    let end = number[begin..]
        .find(|c: char| !c.is_ascii_digit())
        .map_or(number.len(), |length| begin + length);
    let mut text = number[..begin].to_owned();
    for (place, digit) in number[begin..end].char_indices() {
        if place > 0 && (end - begin - place) % 3 == 0 {
            text.push(comma);
        }
        text.push(digit);
    }
    text.extend(number[end..].chars().map(|c| if c == '.' { point } else { c }));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_their_language_does() {
        let eur = Some("EUR".parse().unwrap());
        let yen = Some("JPY".parse().unwrap());
        let english = |value, format, currency| figure(value, format, currency, Language::English);
        assert_eq!(english(125_000_099.6, Format::Money, eur), "1,250,001.00 EUR");
        assert_eq!(english(-1_250.0, Format::Money, yen), "-1,250 JPY");
        assert_eq!(english(999.0, Format::Integer, None), "999");
        assert_eq!(english(0.2549, Format::Percent, None), "25.5 %");
        assert_eq!(english(3_725.0, Format::Duration, None), "62 min 5 s");
        assert_eq!(figure(125_050.0, Format::Money, eur, Language::German), "1.250,50 EUR");
        assert_eq!(change(150.0, 100.0, Format::Money, Language::German), "+50,0 %");
        assert_eq!(change(-150.0, -100.0, Format::Money, Language::English), "-50.0 %");
        assert_eq!(change(150.0, 0.0, Format::Money, Language::English), "");
        assert_eq!(change(0.3, 0.0, Format::Percent, Language::English), "+30.0 pp");
        let values = [Some("Sommerfest".to_owned()), None];
        assert_eq!(only(&values, Language::German), " (nur Sommerfest, ohne)");
        assert_eq!(only(&[], Language::English), "");
    }
}
