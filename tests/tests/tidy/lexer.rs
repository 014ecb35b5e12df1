//! Just enough of Rust's grammar to tell code from text: comments and the insides of literals become spaces, every line
//! stays where it is.

/// The source with comments, strings and characters blanked.
pub(crate) fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = text_end(bytes, at);
        match end {
            Some(end) => {
                blank(&mut out[at..end]);
                at = end;
            }
            None => at += 1,
        }
    }
    String::from_utf8(out).expect("only whole literals are blanked")
}

fn blank(bytes: &mut [u8]) {
    bytes
        .iter_mut()
        .filter(|byte| **byte != b'\n')
        .for_each(|byte| *byte = b' ');
}

/// Where the comment or literal that begins here ends, if one begins here.
fn text_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let in_word = at > 0 && is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => Some(at + find(rest, b"\n").unwrap_or(rest.len())),
        [b'/', b'*', ..] => Some(at + find(rest, b"*/").map_or(rest.len(), |end| end + 2)),
        [b'"', ..] => Some(at + string_end(rest)),
        [b'r' | b'b' | b'c', ..] if !in_word => raw_end(rest).map(|end| at + end),
        [b'\'', ..] if !in_word => char_end(rest).map(|end| at + end),
        _ => None,
    }
}

fn string_end(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`. What is not raw is found at its quote.
fn raw_end(rest: &[u8]) -> Option<usize> {
    let start = rest.iter().position(|byte| !matches!(byte, b'r' | b'b' | b'c'))?;
    if start > 2 || rest[start - 1] != b'r' {
        return None;
    }
    let hashes = rest[start..].iter().take_while(|byte| **byte == b'#').count();
    let open = start + hashes;
    if rest.get(open) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    Some(find(&rest[open + 1..], &close).map_or(rest.len(), |end| open + 1 + end + close.len()))
}

/// `'x'` or `'\n'`, and not a lifetime.
fn char_end(rest: &[u8]) -> Option<usize> {
    match rest.get(1)? {
        b'\\' => find(&rest[3..], b"'").map(|end| end + 4),
        first => {
            let width = match first {
                0x00..=0x7f => 1,
                0xc0..=0xdf => 2,
                0xe0..=0xef => 3,
                _ => 4,
            };
            (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The position after the brace that closes the first one at or after `from`, unless a `;` ends the item before it.
pub(crate) fn block_end(code: &str, from: usize) -> Option<usize> {
    let (mut braces, mut others) = (0, 0);
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => others += 1,
            b')' | b']' => others -= 1,
            b'{' => braces += 1,
            b'}' if braces == 1 => return Some(at + 1),
            b'}' => braces -= 1,
            b';' if braces == 0 && others == 0 => return None,
            _ => {}
        }
    }
    None
}

#[test]
fn the_lexer_keeps_code_and_drops_text() {
    let source =
        "let a = \"x.unwrap() \\\" { \"; // dbg!\nfn f<'a>(c: &'a str) { r#\"todo!(\"{\")\"#; '{'; '\\''; b\"}\" }";
    let code = code_only(source);
    assert_eq!(code.len(), source.len());
    assert!(
        !code.contains("unwrap") && !code.contains("dbg") && !code.contains("todo"),
        "{code}"
    );
    let start = code.find("fn f").expect("code stays");
    assert_eq!(block_end(&code, start), Some(source.len()), "{code}");
}
