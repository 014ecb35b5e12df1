//! What a connection has set, of the little that can be.

use super::error::said;
use lakehouse::postgres::{SEARCH_PATH, STATEMENT_TIMEOUT, duration, is_search_path, setting};
use pgwire::error::ErrorInfo;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// What is told back as it was set. Everything else is believed, and stays as it is.
const KEPT: [&str; 6] = [
    "application_name",
    "client_min_messages",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "lock_timeout",
    STATEMENT_TIMEOUT,
];

/// As much as PostgreSQL keeps of a name.
const LONGEST: usize = 63;

type Values = BTreeMap<String, String>;

#[derive(Debug, Default)]
pub(super) struct Settings {
    first: Values,
    now: Values,
    /// What is set again at the transaction's end.
    before: Option<Values>,
}

impl Settings {
    /// As the client has said when it came: in parameters of their own, and in `options`.
    pub(super) fn new(startup: &HashMap<String, String>) -> Result<Self, Box<ErrorInfo>> {
        let mut settings = Self::default();
        for (name, value) in startup {
            settings.set(&name.to_lowercase(), value, false)?;
        }
        let options = startup.get("options").map(String::as_str).unwrap_or_default();
        for (name, value) in options_of(options) {
            settings.set(&name, &value, false)?;
        }
        settings.first = settings.now.clone();
        Ok(settings)
    }

    pub(super) fn set(&mut self, name: &str, value: &str, local: bool) -> Result<(), Box<ErrorInfo>> {
        if name == SEARCH_PATH && !is_search_path(value) {
            return Err(said(
                "22023",
                "names without a schema are found in lake; write the others before the name, as in marts.sales",
            ));
        }
        let value = match name {
            STATEMENT_TIMEOUT => {
                let limit = duration(value).ok_or_else(|| {
                    said(
                        "22023",
                        &format!("invalid value for parameter \"statement_timeout\": \"{value}\""),
                    )
                })?;
                shown(limit)
            }
            _ => value.chars().take(LONGEST).collect(),
        };
        if KEPT.contains(&name) {
            if local {
                self.before.get_or_insert_with(|| self.now.clone());
            }
            self.now.insert(name.to_owned(), value);
        }
        Ok(())
    }

    pub(super) fn reset(&mut self, name: Option<&str>) {
        let Some(name) = name else {
            self.now = self.first.clone();
            return;
        };
        match self.first.get(name) {
            Some(first) => drop(self.now.insert(name.to_owned(), first.clone())),
            None => drop(self.now.remove(name)),
        }
    }

    /// A transaction has ended.
    pub(super) fn end(&mut self) {
        if let Some(before) = self.before.take() {
            self.now = before;
        }
    }

    pub(super) fn show(&self, name: &str) -> Result<String, Box<ErrorInfo>> {
        let known = self.now.get(name).map(String::as_str).or_else(|| setting(name));
        let unknown = || said("42704", &format!("unrecognized configuration parameter \"{name}\""));
        known.map(str::to_owned).ok_or_else(unknown)
    }

    /// How long a statement may take, if the client has a limit of its own.
    pub(super) fn statement_timeout(&self) -> Option<Duration> {
        let limit = self.now.get(STATEMENT_TIMEOUT).and_then(|text| duration(text));
        limit.filter(|limit| !limit.is_zero())
    }
}

/// In the largest unit that has no rest.
fn shown(limit: Duration) -> String {
    let millis = limit.as_millis();
    let units = [("h", 3_600_000), ("min", 60_000), ("s", 1_000)];
    let unit = units
        .into_iter()
        .find(|(_, size)| millis > 0 && millis.is_multiple_of(*size));
    match (millis, unit) {
        (0, _) => "0".to_owned(),
        (_, Some((unit, size))) => format!("{}{unit}", millis / size),
        (_, None) => format!("{millis}ms"),
    }
}

/// `-c name=value` and `--name=value`, with backslashes before spaces that belong to a value.
fn options_of(text: &str) -> Vec<(String, String)> {
    let mut words = vec![String::new()];
    let mut chars = text.chars();
    while let Some(letter) = chars.next() {
        let word = words.last_mut();
        match (letter, word) {
            ('\\', Some(word)) => word.extend(chars.next()),
            (letter, Some(word)) if !letter.is_whitespace() => word.push(letter),
            _ => words.push(String::new()),
        }
    }
    let pairs = words.iter().filter(|word| *word != "-c").filter_map(|word| {
        let word = word
            .strip_prefix("--")
            .or_else(|| word.strip_prefix("-c"))
            .unwrap_or(word);
        word.split_once('=')
    });
    pairs
        .map(|(name, value)| (name.replace('-', "_").to_lowercase(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(options: &str) -> Settings {
        let startup = [("options", options), ("application_name", "a tool")];
        Settings::new(&startup.map(|(name, value)| (name.to_owned(), value.to_owned())).into()).unwrap()
    }

    #[test]
    fn a_client_says_at_the_start_what_it_wants() {
        for options in [
            "-c statement_timeout=10",
            "-cstatement_timeout=10ms",
            "--statement-timeout=10",
            " -c search_path=\"$user\",\\ public  -c statement_timeout=10",
        ] {
            let settings = started(options);
            assert_eq!(
                settings.statement_timeout(),
                Some(Duration::from_millis(10)),
                "{options}"
            );
            assert_eq!(settings.show("statement_timeout").unwrap(), "10ms");
            assert_eq!(settings.show("application_name").unwrap(), "a tool");
        }
        assert_eq!(started("").statement_timeout(), None);
        let wrong = [("options".to_owned(), "-c statement_timeout=soon".to_owned())].into();
        assert_eq!(Settings::new(&wrong).unwrap_err().code, "22023");
    }

    #[test]
    fn what_was_set_is_told_and_ends_when_it_should() {
        let mut settings = started("-c statement_timeout=60000");
        assert_eq!(settings.show("statement_timeout").unwrap(), "1min");
        settings.set("statement_timeout", "5s", true).unwrap();
        settings.set("application_name", "another", true).unwrap();
        assert_eq!(settings.show("statement_timeout").unwrap(), "5s");
        settings.end();
        assert_eq!(settings.show("statement_timeout").unwrap(), "1min");
        settings.set("statement_timeout", "0", false).unwrap();
        assert_eq!(settings.statement_timeout(), None);
        settings.reset(Some("statement_timeout"));
        assert_eq!(settings.show("statement_timeout").unwrap(), "1min");
        settings.set("application_name", "x", false).unwrap();
        settings.reset(None);
        assert_eq!(settings.show("application_name").unwrap(), "a tool");
    }

    #[test]
    fn what_would_change_nothing_in_silence_is_refused() {
        let mut settings = Settings::default();
        assert_eq!(settings.set("search_path", "marts", false).unwrap_err().code, "22023");
        settings.set("search_path", "", false).unwrap();
        settings.set("search_path", "\"$user\", public", false).unwrap();
        assert_eq!(
            settings.set("statement_timeout", "soon", false).unwrap_err().code,
            "22023"
        );
        assert_eq!(settings.show("nope").unwrap_err().code, "42704");
        assert_eq!(settings.show("timezone").unwrap(), "UTC");
        settings.set("geqo", "off", false).unwrap();
    }
}
