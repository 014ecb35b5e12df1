//! The three words that a transform's SQL has beside SQL, in double braces:
//!
//! - `{{ ref('stg_orders') }}`: another transform,
//! - `{{ source('lake', 'orders') }}`: a table of the lake,
//! - `{{ new('order_changes') }}`: only what a run has not seen yet of a table of changes. For `touched` queries.

use std::borrow::Cow;

/// SQL, cut where it names something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Sql(String),
    Named(Named),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    Ref(String),
    Source(String),
    New(String),
}

/// A mistake, and the line on which it stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    pub line: usize,
    pub message: String,
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            let line = 1 + text[..text.len() - rest.len() + start].matches('\n').count();
            let wrong = |message: String| Mistake { line, message };
            let Some(length) = rest[start..].find("}}") else {
                return Err(wrong("{{ is never closed".to_owned()));
            };
            parts.push(Part::Sql(rest[..start].to_owned()));
            let inner = rest[start + 2..start + length].trim();
            parts.push(Part::Named(parse_call(inner).map_err(wrong)?));
            rest = &rest[start + length + 2..];
        }
        parts.push(Part::Sql(rest.to_owned()));
        Ok(Self { parts })
    }

    pub fn named(&self) -> impl Iterator<Item = &Named> {
        self.parts.iter().filter_map(|part| match part {
            Part::Named(named) => Some(named),
            Part::Sql(_) => None,
        })
    }

    /// A function that the SQL calls and that says something else each time.
    pub fn volatile(&self) -> Option<&'static str> {
        self.parts.iter().find_map(|part| match part {
            Part::Sql(sql) => volatile(sql),
            Part::Named(_) => None,
        })
    }

    /// The line on which something is named first.
    pub fn line_of(&self, wanted: &Named) -> usize {
        let mut line = 1;
        for part in &self.parts {
            match part {
                Part::Sql(sql) => line += sql.matches('\n').count(),
                Part::Named(named) if named == wanted => break,
                Part::Named(_) => {}
            }
        }
        line
    }

    /// The SQL, with what `place` says in the place of each name.
    pub fn render(&self, place: impl Fn(&Named) -> String) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Sql(sql) => Cow::Borrowed(sql.as_str()),
            Part::Named(named) => Cow::Owned(place(named)),
        });
        parts.collect()
    }
}

/// Functions that say something else each time they are called: clocks and chance.
const VOLATILE: [&str; 8] = [
    "now",
    "today",
    "current_date",
    "current_time",
    "current_timestamp",
    "random",
    "rand",
    "uuid",
];

fn volatile(sql: &str) -> Option<&'static str> {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = sql;
    while let Some(start) = rest.find(in_word) {
        let length = rest[start..].find(|c| !in_word(c)).unwrap_or(rest.len() - start);
        let word = &rest[start..start + length];
        rest = &rest[start + length..];
        let is_call = rest
            .trim_start_matches(|c: char| c.is_whitespace() || c == '"')
            .starts_with('(');
        let found = VOLATILE.into_iter().find(|known| word.eq_ignore_ascii_case(known));
        // Some need no brackets.
        if let Some(found) = found.filter(|known| is_call || known.starts_with("current_")) {
            return Some(found);
        }
    }
    None
}

fn parse_call(call: &str) -> Result<Named, String> {
    let wrong = || format!("{call:?} is none of ref('…'), source('lake', '…') and new('…')");
    let (function, arguments) = call
        .strip_suffix(')')
        .and_then(|call| call.split_once('('))
        .ok_or_else(wrong)?;
    let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
    let texts: Option<Vec<&str>> = arguments.iter().map(|argument| unquoted(argument)).collect();
    match (function.trim(), texts.ok_or_else(wrong)?.as_slice()) {
        ("ref", [name]) => Ok(Named::Ref((*name).to_owned())),
        ("source", ["lake", name]) => Ok(Named::Source((*name).to_owned())),
        ("new", [name]) => Ok(Named::New((*name).to_owned())),
        _ => Err(wrong()),
    }
}

fn unquoted(text: &str) -> Option<&str> {
    let text = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (!text.is_empty() && text.chars().all(plain)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_replaced() {
        let sql = "with a as (select * from {{ ref('stg_a') }})\nselect * from a, {{source('lake','orders')}}\n";
        let template = Template::parse(sql).unwrap();
        let named: Vec<&Named> = template.named().collect();
        let source = Named::Source("orders".to_owned());
        assert_eq!(named, [&Named::Ref("stg_a".to_owned()), &source]);
        assert_eq!(template.line_of(&source), 2);
        let rendered = template.render(|named| match named {
            Named::Ref(name) => format!("staging.{name}"),
            Named::Source(name) | Named::New(name) => format!("lake.{name}"),
        });
        assert_eq!(
            rendered,
            "with a as (select * from staging.stg_a)\nselect * from a, lake.orders\n"
        );
    }

    #[test]
    fn a_mistake_names_its_line() {
        for (sql, line) in [
            ("select *\nfrom {{ ref('x'", 2),
            ("{{ ref(x) }}", 1),
            ("\n\n{{ source('core', 'orders') }}", 3),
            ("{{ ref('a; drop') }}", 1),
            ("{{ config() }}", 1),
        ] {
            assert_eq!(Template::parse(sql).unwrap_err().line, line, "{sql}");
        }
    }
}
