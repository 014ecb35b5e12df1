//! Lists as PostgreSQL writes them: `{a,"b, c",NULL}`.

/// The elements, or nothing where this is no such list. Lists in lists are none.
pub fn elements(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut elements = Vec::new();
    if inner.trim().is_empty() {
        return Some(elements);
    }
    let mut rest = inner;
    loop {
        let (element, after) = element(rest.trim_start())?;
        elements.push(element);
        match after.trim_start() {
            "" => return Some(elements),
            after => rest = after.strip_prefix(',')?,
        }
    }
}

/// The first element, and what comes after it.
fn element(text: &str) -> Option<(Option<String>, &str)> {
    let quoted = text.starts_with('"');
    let mut element = String::new();
    let mut kept = 0;
    let mut escaped = false;
    let mut chars = text.char_indices().skip(usize::from(quoted));
    let end = loop {
        match chars.next() {
            Some((_, '\\')) => {
                element.push(chars.next()?.1);
                kept = element.len();
                escaped = true;
            }
            Some((at, '"')) if quoted => break at + 1,
            Some((at, ',')) if !quoted => break at,
            Some((_, '{' | '}' | '"')) if !quoted => return None,
            Some((_, other)) => element.push(other),
            None if quoted => return None,
            None => break text.len(),
        }
    };
    let after = &text[end..];
    if quoted {
        return Some((Some(element), after));
    }
    // Spaces around an element are none of it, unless they were written with a stroke.
    element.truncate(kept.max(element.trim_end().len()));
    match element.is_empty() {
        true => None,
        false if !escaped && element.eq_ignore_ascii_case("null") => Some((None, after)),
        false => Some((Some(element), after)),
    }
}

/// The list of these elements.
pub fn list(elements: impl IntoIterator<Item = Option<String>>) -> String {
    let element = |element: Option<String>| match element {
        Some(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        None => "NULL".to_owned(),
    };
    let elements: Vec<String> = elements.into_iter().map(element).collect();
    format!("{{{}}}", elements.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<Option<String>>> {
        elements(text)
    }

    fn some(words: &[&str]) -> Option<Vec<Option<String>>> {
        Some(words.iter().map(|word| Some((*word).to_owned())).collect())
    }

    #[test]
    fn lists_are_read_as_postgresql_reads_them() {
        assert_eq!(read("{paid,cancelled}"), some(&["paid", "cancelled"]));
        assert_eq!(read("{}"), some(&[]));
        assert_eq!(read(" { a b , c } "), some(&["a b", "c"]));
        assert_eq!(
            read(r#"{"a, b","say \"hi\"","","a\\b",c\,d,"{x}"}"#),
            some(&["a, b", "say \"hi\"", "", "a\\b", "c,d", "{x}"])
        );
        assert_eq!(
            read(r#"{NULL,"NULL",null,\null}"#),
            Some(vec![None, Some("NULL".into()), None, Some("null".into())])
        );
        for wrong in [
            "paid",
            "{a",
            "{a,}",
            "{,a}",
            "{{1,2},{3,4}}",
            "{\"a\"b}",
            "{\"a}",
            "{a\\}",
            "",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let words = ["", "a", "NULL", "a,b", "\"", "\\", "{}", " ü "];
        let words: Vec<Option<String>> = words
            .iter()
            .map(|word| Some((*word).to_owned()))
            .chain([None])
            .collect();
        assert_eq!(elements(&list(words.clone())), Some(words));
    }
}
