//! Text from elsewhere, made plain.

/// The longest description that is kept, in characters. The longest real one has half of it.
const LONGEST: usize = 10_000;

/// The text of an HTML description, for it comes from strangers and may hold anything. None if nothing is left.
pub(super) fn from_html(html: &str) -> Option<String> {
    plain(&nanohtml2text::html2text(html))
}

/// Without control characters, line ends as `\n`, at most one empty line in a row.
pub(super) fn plain(text: &str) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        let line = line.trim().to_owned();
        if !line.is_empty() || lines.last().is_some_and(|last| !last.is_empty()) {
            lines.push(line);
        }
    }
    let cut: String = lines.join("\n").chars().take(LONGEST).collect();
    some(&cut)
}

/// The text, trimmed. None if nothing is left.
pub(super) fn some(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_text_and_scripts_vanish() {
        let html = "<p>Caf&eacute; &amp; <b>talk</b></p><script>alert(1)</script><p>Bring\u{7} a laptop</p>";
        let text = from_html(html).unwrap();
        assert!(text.starts_with("Café & talk"), "{text:?}");
        assert!(text.ends_with("Bring a laptop"), "{text:?}");
        assert!(!text.contains('<') && !text.contains("alert"), "{text:?}");
        assert_eq!(from_html("<p> <br></p>"), None);
    }

    #[test]
    fn plain_text_keeps_its_paragraphs_and_ends_somewhere() {
        assert_eq!(plain("  a\r\n\r\n\r\n\r\nb\u{0}\n").as_deref(), Some("a\n\nb"));
        assert_eq!(plain(&"ż".repeat(20_000)).unwrap().chars().count(), LONGEST);
    }
}
