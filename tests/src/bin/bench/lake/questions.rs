//! The questions, as files: what is asked of ours (`-- metrics`, a metric query, or `-- bilten`, SQL) and of the others.

use super::season::Season;
use lakehouse::Principal;
use std::{collections::BTreeMap, fs, path::PathBuf};
use transforms::metrics::MetricQuery;

pub(super) struct Question {
    pub(super) name: String,
    /// Asked from marts, and not from the lake's tables.
    pub(super) is_dashboard: bool,
    /// Asked for one organizer, who sees nothing else.
    pub(super) of_organizer: bool,
    pub(super) ours: String,
    pub(super) duckdb: String,
    pub(super) chdb: String,
}

/// Whose figures are asked for.
pub(super) struct Subject {
    pub(super) organizer: String,
    pub(super) event: String,
    pub(super) timezone: &'static str,
    pub(super) order: String,
    pub(super) person: String,
}

impl Subject {
    /// The organizer that sells most, and the largest of its events that is over and had doors.
    pub(super) fn of(season: &Season, order: String, person: String) -> Self {
        let place = (0..season.organizers.len()).max_by_key(|place| season.organizers[*place].people);
        let organizer = place.unwrap_or_default();
        let over = season
            .events
            .iter()
            .filter(|event| event.organizer == organizer && event.has_doors && event.is_over());
        let event = over
            .max_by_key(|event| event.lines())
            .expect("a season has events that are over");
        Self {
            organizer: season.organizers[organizer].id.to_string(),
            timezone: season.organizers[organizer].timezone,
            event: event.id.to_string(),
            order,
            person,
        }
    }

    /// Who sees the organizer's rows only.
    pub(super) fn principal(&self) -> Principal {
        Principal {
            organizer: self.organizer.parse().ok(),
            ..super::admin()
        }
    }

    pub(super) fn fill_in(&self, text: &str) -> String {
        let values = [
            ("{organizer}", self.organizer.as_str()),
            ("{event}", &self.event),
            ("{timezone}", self.timezone),
            ("{order}", &self.order),
            ("{person}", &self.person),
        ];
        values
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

pub(super) fn folder() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin/bench/lake/questions").into()
}

pub(super) fn all(subject: &Subject) -> Vec<Question> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| !path.ends_with("prepare_duckdb.sql")).collect();
    files.sort();
    let questions = files.iter().filter_map(|path| {
        let name = path.file_stem()?.to_str()?.to_owned();
        (!name.starts_with("prepare")).then(|| read(name, &fs::read_to_string(path).unwrap(), subject))
    });
    questions.collect()
}

fn read(name: String, text: &str, subject: &Subject) -> Question {
    let mut parts: BTreeMap<&str, String> = BTreeMap::new();
    let mut part = "";
    for line in text.lines() {
        match line.strip_prefix("-- ") {
            Some(named) if !named.contains(' ') => {
                part = named;
                parts.insert(part, String::new());
            }
            _ => parts.entry(part).or_default().extend([line, "\n"]),
        }
    }
    let of = |part: &str| subject.fill_in(parts.get(part).unwrap_or_else(|| panic!("{name} has no {part}")));
    let ours = match parts.contains_key("metrics") {
        true => serde_json::from_str::<MetricQuery>(&of("metrics"))
            .unwrap()
            .sql()
            .unwrap(),
        false => of("bilten"),
    };
    Question {
        is_dashboard: name.starts_with("dashboard"),
        of_organizer: parts.contains_key("organizer"),
        ours,
        duckdb: of("duckdb"),
        chdb: of("chdb"),
        name: name.split('_').collect::<Vec<_>>().join(" "),
    }
}
