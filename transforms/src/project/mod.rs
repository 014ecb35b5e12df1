//! The project: the folders `staging`, `intermediate` and `marts`, read and put in order. Whatever is wrong in a file is
//! told with the file's name and, where it has one, the line.

mod about;
mod sources;
mod template;

pub use about::{About, Column, ColumnTest, DataTest, Materialized, Merge, Overwrite, Rollup, Row, UnitTest};
pub(crate) use sources::{Source, between};
pub use template::{Named, Template};

use rust_embed::RustEmbed;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};
use template::Mistake;

/// The folders, which are also the schemas that SQL sees.
pub const LAYERS: [&str; 3] = lakehouse::relations::SCHEMAS;

/// One `.sql` and its `.yml`.
#[derive(Clone, Debug)]
pub struct Transform {
    pub name: String,
    pub layer: &'static str,
    pub about: About,
    pub sql: Template,
    /// The transforms that it reads, itself or through others, those that are read by others first.
    pub upstream: Vec<String>,
    /// The tables of the lake that it reads, itself or through others.
    pub(crate) sources: BTreeSet<Source>,
    /// Says what its rows mean: another number, other rows.
    pub fingerprint: u64,
}

/// All transforms, each after those that it reads.
#[derive(Clone, Debug, Default)]
pub struct Project {
    transforms: Vec<Transform>,
}

#[derive(Debug, thiserror::Error)]
#[error("transforms/{file}{}: {message}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct ProjectError {
    pub file: String,
    pub line: Option<usize>,
    pub message: String,
}

#[derive(RustEmbed)]
#[folder = "staging/"]
#[prefix = "staging/"]
struct Staging;

#[derive(RustEmbed)]
#[folder = "intermediate/"]
#[prefix = "intermediate/"]
struct Intermediate;

#[derive(RustEmbed)]
#[folder = "marts/"]
#[prefix = "marts/"]
struct Marts;

impl Project {
    /// The project that travels in the binary.
    pub fn load() -> Result<Self, ProjectError> {
        let files = embedded::<Staging>()
            .chain(embedded::<Intermediate>())
            .chain(embedded::<Marts>());
        Self::from_files(files)
    }

    /// Each file's path below the project's folder, and its text.
    pub fn from_files(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, ProjectError> {
        let files: BTreeMap<String, String> = files.into_iter().collect();
        let mut read = BTreeMap::new();
        for path in files.keys() {
            let transform = match path.rsplit_once('.') {
                Some((stem, "sql")) => read_transform(stem, &files)?,
                Some((stem, "yml")) if files.contains_key(&format!("{stem}.sql")) => continue,
                Some((_, "yml")) => return Err(wrong(path, None, "there is no .sql beside it")),
                _ => return Err(wrong(path, None, "neither .sql nor .yml")),
            };
            if let Some(other) = read.insert(transform.name.clone(), transform) {
                let message = format!("{}/{}.sql has the same name", other.layer, other.name);
                return Err(wrong(path, None, message));
            }
        }
        let mut project = Self::default();
        while let Some(name) = read.keys().next().cloned() {
            project.add(&name, &mut read, &mut Vec::new())?;
        }
        for transform in &project.transforms {
            project.check(transform)?;
        }
        Ok(project)
    }

    pub fn transforms(&self) -> &[Transform] {
        &self.transforms
    }

    pub fn transform(&self, name: &str) -> Option<&Transform> {
        self.transforms.iter().find(|transform| transform.name == name)
    }

    /// Adds a transform after those that it reads.
    fn add(
        &mut self,
        name: &str,
        read: &mut BTreeMap<String, Transform>,
        readers: &mut Vec<String>,
    ) -> Result<(), ProjectError> {
        let Some(mut transform) = read.remove(name) else {
            return Ok(());
        };
        readers.push(name.to_owned());
        let mut meaning = format!("{:?}{:?}", transform.sql, transform.about.materialized);
        for named in transform.sql.named() {
            let at = |message: String| wrong(&transform.file("sql"), Some(transform.sql.line_of(named)), message);
            match named {
                Named::Source(table) => {
                    let source = Source::named(table);
                    transform
                        .sources
                        .insert(source.ok_or_else(|| at(format!("the lake has no table {table}")))?);
                }
                Named::New(_) => return Err(at("new('…') is for the queries under `touched`".to_owned())),
                Named::Ref(other) => {
                    if readers.contains(other) {
                        return Err(at(format!("{} reads itself: {}", other, readers.join(" ← "))));
                    }
                    self.add(other, read, readers)?;
                    let other = self
                        .transform(other)
                        .ok_or_else(|| at(format!("there is no transform {other}")))?;
                    if rank(other.layer) > rank(transform.layer) {
                        return Err(at(format!(
                            "{} reads {}, which comes later",
                            transform.layer, other.layer
                        )));
                    }
                    meaning.push_str(&format!("{:x}", other.fingerprint));
                    transform.sources.extend(other.sources.iter().cloned());
                    let upstream = other.upstream.iter().chain([&other.name]);
                    let fresh: Vec<String> = upstream
                        .filter(|name| !transform.upstream.contains(name))
                        .cloned()
                        .collect();
                    transform.upstream.extend(fresh);
                }
            }
        }
        readers.pop();
        let columns = transform.about.columns.iter();
        meaning.extend(columns.map(|column| format!("{}{:?}", column.name, column.merge)));
        transform.fingerprint = fingerprint(&meaning);
        self.transforms.push(transform);
        Ok(())
    }

    /// What a materialization asks of its transform.
    fn check(&self, transform: &Transform) -> Result<(), ProjectError> {
        let at = |message: String| wrong(&transform.file("yml"), None, message);
        let names: BTreeSet<&str> = transform.columns().collect();
        let merged = transform.about.columns.iter().any(|column| column.merge.is_some());
        let is_rollup = matches!(transform.about.materialized, Materialized::Rollup(_));
        if merged != is_rollup {
            return Err(at(
                "the columns of a rollup say how they merge, and no others do".to_owned()
            ));
        }
        if transform.about.materialized.is_kept() && !names.contains("organizer_id") {
            return Err(at(
                "kept rows belong to an organizer: organizer_id is missing".to_owned()
            ));
        }
        if let Some(function) = self.volatile(transform).filter(|_| transform.is_kept()) {
            return Err(at(format!(
                "kept rows can't depend on when they were computed: no {function}"
            )));
        }
        if !transform.about.grain.starts_with("one row") {
            return Err(at("a grain is \"one row …\"".to_owned()));
        }
        match &transform.about.materialized {
            Materialized::Overwrite(overwrite) => self.check_overwrite(transform, overwrite),
            Materialized::Rollup(rollup) => self.check_rollup(transform, rollup),
            _ => Ok(()),
        }
    }

    /// A function that its SQL, or that of a transform that it reads, calls, and that says something else each time.
    fn volatile(&self, transform: &Transform) -> Option<&'static str> {
        let upstream = transform.upstream.iter().filter_map(|name| self.transform(name));
        upstream
            .chain([transform])
            .find_map(|transform| transform.sql.volatile())
    }

    fn check_overwrite(&self, transform: &Transform, overwrite: &Overwrite) -> Result<(), ProjectError> {
        let at = |message: String| wrong(&transform.file("yml"), None, message);
        for column in &overwrite.key {
            let found = transform.about.columns.iter().find(|known| known.name == *column);
            let Some(found) = found else {
                return Err(at(format!("it has no column {column} to be keyed by")));
            };
            if !found.tests.contains(&ColumnTest::NotNull) {
                return Err(at(format!("{column} is a key, so it has to be not_null")));
            }
        }
        for (table, query) in &overwrite.touched {
            if !transform.sources.iter().any(|source| source.table == *table) {
                return Err(at(format!("touched: it does not read {table}")));
            }
            Template::parse(query).map_err(|mistake| at(mistake.message))?;
        }
        for source in &transform.sources {
            let known = overwrite.touched.contains_key(&source.table);
            if let Some(lacking) = overwrite.key.iter().find(|column| !known && !source.has(column)) {
                let table = &source.table;
                return Err(at(format!(
                    "it reads {table}, which has no {lacking}: say under `touched` which keys its new rows touch"
                )));
            }
        }
        Ok(())
    }

    fn check_rollup(&self, transform: &Transform, rollup: &Rollup) -> Result<(), ProjectError> {
        let at = |message: String| wrong(&transform.file("yml"), None, message);
        let reads: Vec<&Named> = transform.sql.named().collect();
        if reads != [&Named::Ref(rollup.facts.clone())] {
            return Err(at(format!(
                "a rollup reads its facts, {}, and nothing else",
                rollup.facts
            )));
        }
        let places: BTreeSet<bool> = transform.sources.iter().map(Source::has_seq).collect();
        if places.len() != 1 {
            return Err(at("facts are changes or interactions, not both".to_owned()));
        }
        Ok(())
    }
}

impl Transform {
    pub fn file(&self, ending: &str) -> String {
        format!("{}/{}.{ending}", self.layer, self.name)
    }

    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.about.columns.iter().map(|column| column.name.as_str())
    }

    /// Its columns as SQL lists them.
    pub fn column_list(&self) -> String {
        self.columns().collect::<Vec<_>>().join(", ")
    }

    /// The name of its table in the lake.
    pub fn table(&self) -> String {
        format!("{}/{}", self.layer, self.name)
    }

    /// Whether it reads a table of the lake, itself or through others.
    pub fn reads(&self, table: &str) -> bool {
        self.sources.iter().any(|source| source.table == table)
    }

    pub fn is_kept(&self) -> bool {
        self.about.materialized.is_kept()
    }
}

fn embedded<Folder: RustEmbed>() -> impl Iterator<Item = (String, String)> {
    Folder::iter().filter_map(|path| {
        let text = String::from_utf8_lossy(&Folder::get(&path)?.data).into_owned();
        Some((path.into_owned(), text))
    })
}

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|known| *known == layer)
}

fn read_transform(stem: &str, files: &BTreeMap<String, String>) -> Result<Transform, ProjectError> {
    let sql_file = format!("{stem}.sql");
    let yml_file = format!("{stem}.yml");
    let place = stem.split_once('/').and_then(|(layer, name)| {
        let layer = LAYERS.iter().find(|known| **known == layer)?;
        Some((*layer, name))
    });
    let Some((layer, name)) = place else {
        let message = format!("transforms stand in one of the folders {}", LAYERS.join(", "));
        return Err(wrong(&sql_file, None, message));
    };
    let text = |file: &str| files.get(file).map(String::as_str);
    let sql = text(&sql_file).unwrap_or_default();
    let sql = Template::parse(sql).map_err(|Mistake { line, message }| wrong(&sql_file, Some(line), message))?;
    let yml = text(&yml_file).ok_or_else(|| wrong(&sql_file, None, "there is no .yml beside it"))?;
    let about: About = serde_saphyr::from_str(yml).map_err(|error| {
        let line = error.location().map(|location| location.line() as usize);
        wrong(&yml_file, line, error.without_snippet().to_string())
    })?;
    Ok(Transform {
        name: name.to_owned(),
        layer,
        about,
        sql,
        upstream: Vec::new(),
        sources: BTreeSet::new(),
        fingerprint: 0,
    })
}

fn wrong<'a>(file: &str, line: Option<usize>, message: impl Into<Cow<'a, str>>) -> ProjectError {
    ProjectError {
        file: file.to_owned(),
        line,
        message: message.into().into_owned(),
    }
}

/// FNV-1a, cut to what a Delta transaction can hold. It has to be the same in every build of the program.
fn fingerprint(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    hash >> 1
}

#[cfg(test)]
mod tests;
