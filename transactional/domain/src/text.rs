//! Text that a person typed, parsed once at the edge.

use crate::{
    Invalid,
    record::{ColumnType, Kind},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $parse:ident, stored as $read:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                $parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                $read(&text).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> String {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl ColumnType for $name {
            const KIND: Kind = Kind::Text;
        }
    )*};
}

texts! {
    /// A name or title: one line of 1 to 300 characters, trimmed. Parsed, it has none that [`is_hidden`]; one that was
    /// stored by an earlier version may have.
    Label = label, stored as line;
    /// The part of an address that names a thing: lower-case letters, digits and single hyphens, 1 to 80 characters.
    Slug = slug, stored as slug;
    /// An e-mail address, lower-cased. Only a mail proves that it is right; this rejects what can't be one.
    Email = email, stored as email;
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// An address is personal data, and debug output ends in logs.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

impl Label {
    /// The nearest label to a text from elsewhere: white space collapsed, cut to length. None if nothing is left.
    pub fn nearest(text: &str) -> Option<Self> {
        let words: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || is_hidden(c))
            .filter(|w| !w.is_empty())
            .collect();
        let cut: String = words.join(" ").chars().take(300).collect();
        cut.parse().ok()
    }
}

impl Slug {
    /// The nearest slug to a text from elsewhere. None if nothing is left.
    pub fn nearest(text: &str) -> Option<Self> {
        let plain: String = text
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' })
            .collect();
        let joined = plain.split_whitespace().collect::<Vec<_>>().join("-");
        let cut: String = joined.chars().take(80).collect();
        cut.trim_end_matches('-').parse().ok()
    }
}

/// Whether a character has no place in a line that people read: it controls, or it hides, or it turns what follows
/// around, so that a name looks like another. What languages and emoji need stays: joiners (U+200C, U+200D), the marks of
/// direction (U+200E, U+200F, U+061C) and variation selectors.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // embeddings, overrides and isolates of direction
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
            // separators of lines and paragraphs
            | '\u{2028}' | '\u{2029}'
            // without width or ink: soft hyphen, fillers, spaces of no width, invisible operators, byte order mark
            | '\u{00AD}' | '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180E}' | '\u{200B}'
            | '\u{2060}'..='\u{2064}' | '\u{206A}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}'
            // annotations, and tags that spell what nobody sees
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// What may stand in a line, but leaves no ink.
fn is_mark(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200C}'..='\u{200F}' | '\u{061C}' | '\u{FE00}'..='\u{FE0F}')
}

fn label(text: &str) -> Result<String, Invalid> {
    match line(text)? {
        text if text.chars().any(is_hidden) => Err(Invalid::new("a name has no hidden characters")),
        text if text.chars().all(is_mark) => Err(Invalid::new("a name can't be empty")),
        text => Ok(text),
    }
}

fn line(text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(Invalid::new("a name can't be empty")),
        301.. => Err(Invalid::new("a name has at most 300 characters")),
        _ if text.chars().any(char::is_control) => Err(Invalid::new("a name is one line without control characters")),
        _ => Ok(text.to_owned()),
    }
}

fn slug(text: &str) -> Result<String, Invalid> {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let hyphens = text.starts_with('-') || text.ends_with('-') || text.contains("--");
    if text.is_empty() || text.len() > 80 || !plain || hyphens {
        return Err(Invalid::new(
            "a slug is 1 to 80 lower-case letters, digits and single hyphens",
        ));
    }
    Ok(text.to_owned())
}

fn email(text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@').unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || is_hidden(c) || matches!(c, '<' | '>' | ',' | ';');
    let sound = !local.is_empty() && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.');
    if !sound || text.len() > 254 || text.chars().any(odd) || local.contains('@') {
        return Err(Invalid::new("an e-mail address has the form name@example.org"));
    }
    Ok(text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_parsed_or_refused() {
        assert_eq!(" Jazz im Hof ".parse::<Label>().unwrap().as_str(), "Jazz im Hof");
        for hidden in [
            "a\nb",
            "gpj.\u{202E}terces",
            "\u{2066}Jazz",
            "Ja\u{200B}zz",
            "Jazz\u{2028}free",
            "\u{3164}",
            "\u{200D}",
            "Jazz\u{E0041}",
        ] {
            assert!(hidden.parse::<Label>().is_err(), "{hidden:?}");
            assert_eq!(
                Label::try_from(hidden.to_owned()).is_ok(),
                !hidden.contains('\n'),
                "what is stored is read"
            );
        }
        for needed in [
            "می\u{200C}خواهم",
            "👩\u{200D}🎤",
            "❤\u{FE0F}",
            "שלום\u{200F}!",
            "क\u{094D}\u{200D}ष",
        ] {
            assert_eq!(needed.parse::<Label>().unwrap().as_str(), needed);
        }
        assert_eq!(
            Label::nearest("Late\u{202E} \u{200B}Quartet").unwrap().as_str(),
            "Late Quartet"
        );
        assert!("ż".repeat(300).parse::<Label>().is_ok());
        assert!("x".repeat(301).parse::<Label>().is_err());
        assert_eq!("Ada@Example.ORG".parse::<Email>().unwrap().as_str(), "ada@example.org");
        for wrong in [
            "ada",
            "ada@",
            "@example.org",
            "ada@example",
            "a b@example.org",
            "a@b@example.org",
            "x@y.z\r\nBcc: q@q.q",
        ] {
            assert!(wrong.parse::<Email>().is_err(), "{wrong}");
        }
        assert_eq!(
            Slug::nearest("R-Ladies  São Paulo!").unwrap().as_str(),
            "r-ladies-s-o-paulo"
        );
        assert!("Upper".parse::<Slug>().is_err());
    }
}
