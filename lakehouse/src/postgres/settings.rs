//! What clients ask for when they connect, and what of it they may change.

use std::time::Duration;

pub(super) const SETTINGS: [(&str, &str); 32] = [
    ("application_name", ""),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, YMD"),
    ("default_transaction_isolation", "repeatable read"),
    ("default_transaction_read_only", "on"),
    ("extra_float_digits", "1"),
    ("idle_in_transaction_session_timeout", "0"),
    ("in_hot_standby", "off"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("is_superuser", "off"),
    ("jit", "off"),
    ("lc_collate", "C"),
    ("lc_ctype", "C"),
    ("lc_messages", "C"),
    ("lock_timeout", "0"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("row_security", "on"),
    (SEARCH_PATH, "lake"),
    ("server_encoding", "UTF8"),
    ("server_version", "15.0"),
    ("server_version_num", "150000"),
    ("session_authorization", "bilten"),
    ("standard_conforming_strings", "on"),
    (STATEMENT_TIMEOUT, "0"),
    ("timezone", "UTC"),
    ("transaction_isolation", "repeatable read"),
    ("transaction_isolation_level", "repeatable read"),
    ("transaction_read_only", "on"),
];

pub const SEARCH_PATH: &str = "search_path";
pub const STATEMENT_TIMEOUT: &str = "statement_timeout";

/// Nothing for what is not known.
pub fn setting(name: &str) -> Option<&'static str> {
    let name = if name == "time_zone" { "timezone" } else { name };
    let known = SETTINGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|(_, value)| *value)
}

/// Whether names without a schema mean what the client then expects. Some say that they want none at all, or the
/// schema that PostgreSQL has for everybody.
pub fn is_search_path(path: &str) -> bool {
    let mut schemas = path.split(',').map(|schema| schema.trim().trim_matches(['"', '\'']));
    schemas.all(|schema| ["", "$user", "public", "lake", "pg_catalog"].contains(&schema))
}

/// As `1500`, `1500ms`, `1.5s`, `2 min`, `1h` or `1d`; zero is no limit.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.find(|letter: char| letter.is_ascii_alphabetic() || letter == ' ');
    let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
    let millis = match unit.trim() {
        "us" => 0.001,
        "" | "ms" => 1.0,
        "s" => 1_000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    let millis = number.parse::<f64>().ok()? * millis;
    // What PostgreSQL can count.
    (0.0..=f64::from(i32::MAX))
        .contains(&millis)
        .then(|| Duration::from_millis(millis.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, millis) in [
            ("0", 0),
            ("10", 10),
            ("1500ms", 1_500),
            ("1.5s", 1_500),
            (" 2 min ", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["", "-1", "soon", "1 week", "nan", "1e30"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_paths_that_change_nothing_are_taken() {
        for fine in ["", "\"\"", "public", "\"$user\", public", "lake", "lake, pg_catalog"] {
            assert!(is_search_path(fine), "{fine}");
        }
        assert!(!is_search_path("marts") && !is_search_path("lake, marts"));
    }

    #[test]
    fn what_is_not_known_is_no_setting() {
        assert_eq!(setting("TimeZone"), Some("UTC"));
        assert_eq!(setting("time_zone"), Some("UTC"));
        assert_eq!(setting("nope"), None);
    }
}
