//! The last guard of the log. No line of ours names a person or a secret, but some carry the words of a database, a
//! broker or a query engine, and those may quote what they were given. What has the form of an e-mail address, of a
//! log-in in a URL, of one of our tokens, of a telephone number or of a text in a query's plan is blacked out before it
//! is written.

use std::{
    borrow::Cow,
    io::{self, Write},
};

const BLACK: &str = "[…]";
/// A telephone number in international form has at least this many digits; times and counts have no plus.
const PHONE_DIGITS: usize = 7;
/// Of a token's 256 bits in base64, after `bilten_`; names of ours that begin so are shorter.
const TOKEN_CHARS: usize = 43;

/// Standard error, blacked out.
pub struct Guarded<W>(W);

impl<W> Guarded<W> {
    pub fn new(inner: W) -> Self {
        Self(inner)
    }
}

impl<W: Write> Write for Guarded<W> {
    /// The subscriber writes each line with one call, so nothing is split between two.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(redact(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

pub fn redact(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    let line = black_literals(line);
    let mut rest = &*line;
    while let Some(start) = rest.find(is_word) {
        clean.push_str(&rest[..start]);
        let word = &rest[start..];
        let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
        clean.push_str(&redact_word(&word[..end]));
        rest = &word[end..];
    }
    clean.push_str(rest);
    clean
}

/// A plan shows a query's texts as `Utf8("…")` or `Utf8View("…")`, and JSON puts a backslash before each quote.
fn black_literals(line: &str) -> Cow<'_, str> {
    if !line.contains("Utf8") {
        return Cow::Borrowed(line);
    }
    let (mut clean, mut rest) = (String::with_capacity(line.len()), line);
    while let Some(at) = rest.find("Utf8") {
        let (before, from) = rest.split_at(at);
        let opens = from
            .find('"')
            .filter(|quote| matches!(&from[4..*quote], "(" | "View(" | "(\\" | "View(\\"));
        let Some(opens) = opens else {
            let (word, after) = rest.split_at(at + 4);
            clean.push_str(word);
            rest = after;
            continue;
        };
        let closes = if from[..opens].ends_with('\\') { "\\\")" } else { "\")" };
        let text = &from[opens + 1..];
        clean.extend([before, &from[..=opens], BLACK]);
        // A text that has this in itself is shown from there on, which the end of the line would be worse than.
        rest = text.find(closes).map_or("", |end| &text[end..]);
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

/// What an address, a URL's log-in and a token are made of; a URL's scheme and its path are words of their own.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "@._%+-:~!$&*".contains(c)
}

fn redact_word(word: &str) -> Cow<'_, str> {
    if let Some((_, host)) = word.rsplit_once('@') {
        // Of a database's address, which server it is says more than it harms.
        return match word.contains(':') {
            true => Cow::Owned(format!("{BLACK}@{host}")),
            false => Cow::Borrowed(BLACK),
        };
    }
    if word
        .split_once("bilten_")
        .is_some_and(|(_, rest)| rest.len() >= TOKEN_CHARS)
    {
        return Cow::Borrowed(BLACK);
    }
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    let phone = word.strip_prefix('+').is_some_and(|number| {
        digits(number) >= PHONE_DIGITS
            && number
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte))
    });
    if phone {
        Cow::Borrowed(BLACK)
    } else {
        Cow::Borrowed(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_and_what_is_secret_is_blacked_out_and_the_rest_is_not() {
        for (line, written) in [
            (
                "a request failed cause=no such table",
                "a request failed cause=no such table",
            ),
            ("value \"ada@example.org\" is taken", "value \"[…]\" is taken"),
            ("Key (email)=(a.b+c@x.example) exists", "Key (email)=([…]) exists"),
            (
                "postgres://bilten:s3cret@db.internal:5432/x",
                "postgres://[…]@db.internal:5432/x",
            ),
            ("call +43-660-1234567 now", "call […] now"),
            (
                "token bilten_AbC-9defghijklmnopqrstuvwxyz0123456789ABCDEF sent",
                "token […] sent",
            ),
            ("metric bilten_lake_commit_seconds", "metric bilten_lake_commit_seconds"),
            (
                "2026-11-25T03:00:00.1+00:00 sink rows=5 +3",
                "2026-11-25T03:00:00.1+00:00 sink rows=5 +3",
            ),
            (
                r#"Projection: email = Utf8("Ada O. Lovelace") AND Utf8View("x") = Utf8"#,
                r#"Projection: email = Utf8("[…]") AND Utf8View("[…]") = Utf8"#,
            ),
            (r#"{"error":"plan Utf8(\"Ada\")"}"#, r#"{"error":"plan Utf8(\"[…]\")"}"#),
            ("{\"error\":\"für ö@ü.example\"}", "{\"error\":\"für […]\"}"),
        ] {
            let mut out = Vec::new();
            Guarded::new(&mut out).write_all(line.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), written);
        }
    }
}
