//! Questions with a name: a `.sql` file whose answer is shown as it is, and a `.yml` beside it that says what one row is.
//! What can be asked by any dimension is a metric instead ([`crate::metrics`]).
//!
//! To add a question: write `questions/<name>.sql` and `questions/<name>.yml`. The folder is walked when this crate is
//! compiled, and the files travel in the binary.

use rust_embed::RustEmbed;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::LazyLock};

/// A named question to the lake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    pub name: String,
    pub description: String,
    /// What one row of the answer stands for.
    pub grain: String,
    /// What its main figure counts: `minor`, `tickets`, `ms`, …
    pub unit: String,
    pub sql: String,
}

/// All questions, by name.
pub fn questions() -> &'static [Question] {
    &QUESTIONS
}

pub fn question(name: &str) -> Option<&'static Question> {
    questions().iter().find(|question| question.name == name)
}

static QUESTIONS: LazyLock<Vec<Question>> = LazyLock::new(|| match load() {
    Ok(questions) => questions,
    // The files are part of the binary, and a test reads every one: no binary that passed it comes here.
    Err(error) => unreachable!("{error}"),
});

#[derive(RustEmbed)]
#[folder = "questions/"]
struct Files;

/// What a `.yml` may say; anything else in it is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    description: String,
    grain: String,
    unit: String,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("transforms/questions/{0} is missing")]
    Missing(String),
    #[error("transforms/questions/{0}: {1}")]
    Unreadable(String, String),
}

fn load() -> Result<Vec<Question>, Error> {
    let mut questions = Vec::new();
    for path in Files::iter() {
        match path.rsplit_once('.') {
            Some((name, "sql")) => questions.push(read(name)?),
            Some((name, "yml")) => drop(text(&format!("{name}.sql"))?),
            _ => return Err(Error::Unreadable(path.into(), "neither .sql nor .yml".into())),
        }
    }
    questions.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(questions)
}

fn read(name: &str) -> Result<Question, Error> {
    let file = format!("{name}.yml");
    let about: About =
        serde_saphyr::from_str(&text(&file)?).map_err(|error| Error::Unreadable(file, error.to_string()))?;
    Ok(Question {
        name: name.to_owned(),
        description: about.description,
        grain: about.grain,
        unit: about.unit,
        sql: text(&format!("{name}.sql"))?,
    })
}

fn text(file: &str) -> Result<String, Error> {
    let Some(found) = Files::get(file) else {
        return Err(Error::Missing(file.to_owned()));
    };
    let data: Cow<[u8]> = found.data;
    String::from_utf8(data.into_owned()).map_err(|error| Error::Unreadable(file.to_owned(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    #[test]
    fn every_question_says_its_grain_and_is_short_lower_case_sql() {
        let questions = load().unwrap();
        for Question {
            name,
            description,
            grain,
            unit,
            sql,
        } in &questions
        {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert!(description.ends_with('.') && !unit.is_empty(), "{name}");
            assert!(grain.starts_with("one row"), "{name}: {grain}");
            assert!(sql.lines().count() <= 120, "{name}: more than 120 lines");
            assert_eq!(*sql, sql.to_lowercase(), "{name}: keywords are lower-case");
            assert!(sql.starts_with("with ") || sql.starts_with("select"), "{name}");
            assert!(!sql.contains(';') && sql.ends_with('\n'), "{name}");
        }
    }

    #[test]
    fn the_binary_holds_every_file_of_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("questions");
        let there: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let here: BTreeSet<String> = load()
            .unwrap()
            .into_iter()
            .flat_map(|question| [format!("{}.sql", question.name), format!("{}.yml", question.name)])
            .collect();
        assert_eq!(there, here);
    }

    #[test]
    fn a_question_is_found_by_its_name() {
        let found = question("sales_per_minute").unwrap();
        assert_eq!(found.grain, "one row a minute and currency");
        assert!(question("sales_per_minute.sql").is_none());
    }
}
