//! Rules about source files: their size, and what may not stand in them.

use crate::{files_ending, lexer, none, read, shown};
use std::{
    collections::HashSet,
    io::Write,
    ops::Range,
    path::{Path, PathBuf},
};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;
const SQL_LINES: usize = 120;

struct Source {
    path: PathBuf,
    text: String,
    /// The text without comments and literals.
    code: String,
    /// Where the code is compiled for tests alone.
    tests: Vec<Range<usize>>,
}

impl Source {
    fn read(path: PathBuf) -> Self {
        let text = read(&path);
        let code = lexer::code_only(&text);
        let tests = if shown(&path).starts_with("tests/") {
            std::iter::once(0..code.len()).collect()
        } else {
            test_items(&text, &code)
        };
        Self {
            path,
            text,
            code,
            tests,
        }
    }

    fn is_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    /// In a constant, what fails is the compilation.
    fn is_constant(&self, at: usize) -> bool {
        let line = self.code[..at].rsplit('\n').next().unwrap_or_default();
        line.split_whitespace().any(|word| word == "const") && line.contains('=')
    }

    fn place(&self, at: usize) -> String {
        format!("{}:{}", shown(&self.path), self.line(at))
    }

    fn line(&self, at: usize) -> usize {
        self.code.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// Every place where these characters stand in code, and not as the end of a longer word.
    fn uses(&self, wanted: &str) -> impl Iterator<Item = usize> {
        let begins_word = wanted.bytes().next().is_some_and(lexer::is_word);
        let code = self.code.as_bytes();
        self.code
            .match_indices(wanted)
            .map(|(at, _)| at)
            .filter(move |at| !begins_word || *at == 0 || !lexer::is_word(code[at - 1]))
    }
}

/// Every Rust file. A file whose module its parent declares under `cfg(test)` is test code as a whole.
fn sources() -> Vec<Source> {
    let mut sources: Vec<Source> = files_ending("rs").into_iter().map(Source::read).collect();
    let test_files: HashSet<PathBuf> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        if source
            .path
            .ancestors()
            .any(|path| test_files.contains(&path.with_extension("rs")))
        {
            source.tests = std::iter::once(0..source.code.len()).collect();
        }
    }
    sources
}

/// Positions after `#[cfg(test)]` and its like.
fn test_attributes(text: &str, code: &str) -> Vec<(usize, usize)> {
    let starts = code.match_indices("#[cfg(").map(|(at, _)| at);
    let with_end = starts.filter_map(|at| Some((at, at + code[at..].find(")]")? + 2)));
    let test = |condition: &str| {
        condition
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| word == "test")
    };
    with_end
        .filter(|(at, end)| test(&text[*at..*end]) && !text[*at..*end].contains("not("))
        .collect()
}

fn test_items(text: &str, code: &str) -> Vec<Range<usize>> {
    let end_of = |after: usize| {
        let statement = code[after..]
            .find(';')
            .map_or(code.len(), |semicolon| after + semicolon + 1);
        lexer::block_end(code, after).unwrap_or(statement)
    };
    test_attributes(text, code)
        .into_iter()
        .map(|(at, after)| at..end_of(after))
        .collect()
}

/// The files of `#[cfg(test)] mod name;`.
fn test_modules(source: &Source) -> Vec<PathBuf> {
    let named = |after: usize| {
        let item = source.code[after..].split([';', '{']).next()?;
        item.split_whitespace().skip_while(|word| *word != "mod").nth(1)
    };
    let folder = match source.path.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "main" | "mod") => source.path.parent().map(Path::to_owned),
        _ => Some(source.path.with_extension("")),
    };
    let attributes = test_attributes(&source.text, &source.code);
    let modules = attributes.into_iter().filter_map(|(_, after)| named(after));
    modules
        .filter_map(|name| Some(folder.as_ref()?.join(name).with_extension("rs")))
        .collect()
}

/// (name, start, end) of every function with a body.
fn functions(source: &Source) -> Vec<(String, Range<usize>)> {
    let named = |at: usize| {
        source.code[at + 3..]
            .bytes()
            .take_while(|byte| lexer::is_word(*byte))
            .count()
    };
    let starts = source.uses("fn ").filter(|at| named(*at) > 0);
    let whole = starts.filter_map(|at| Some((at, lexer::block_end(&source.code, at)?)));
    whole
        .map(|(at, end)| (source.code[at + 3..at + 3 + named(at)].to_owned(), at..end))
        .collect()
}

#[test]
fn no_file_is_longer_than_the_limit() {
    let limits = [
        ("rs", FILE_LINES),
        ("py", FILE_LINES),
        ("ts", FILE_LINES),
        ("sql", SQL_LINES),
    ];
    let findings: Vec<String> = limits
        .into_iter()
        .flat_map(|(extension, limit)| files_ending(extension).into_iter().map(move |path| (path, limit)))
        .map(|(path, limit)| (read(&path).lines().count(), path, limit))
        .filter(|(lines, _, limit)| lines > limit)
        .map(|(lines, path, limit)| format!("{}: {lines} lines, at most {limit}", shown(&path)))
        .collect();
    none(
        "A file that is too long holds two things: split it where they meet.",
        &findings,
    );
}

#[test]
fn no_function_is_longer_than_the_limit() {
    let mut findings = Vec::new();
    for source in sources() {
        for (name, range) in functions(&source) {
            let lines = source.line(range.end) - source.line(range.start) + 1;
            if lines > FUNCTION_LINES {
                findings.push(format!("{}: fn {name} has {lines} lines", source.place(range.start)));
            }
        }
    }
    none("A function has at most 70 lines.", &findings);
}

#[test]
fn nothing_unfinished_and_nothing_unsafe_stands_anywhere() {
    let words = ["todo!", "unimplemented!", "dbg!", "#[ignore", "unsafe "];
    let mut findings = Vec::new();
    for source in sources() {
        for word in words {
            findings.extend(source.uses(word).map(|at| format!("{}: {word}", source.place(at))));
        }
    }
    none("These words may not stand in the code.", &findings);
}

#[test]
fn an_unwrap_outside_tests_gives_its_reason() {
    let mut findings = Vec::new();
    for source in sources() {
        for (word, lint) in [
            (".unwrap()", "unwrap_used"),
            (".expect(", "expect_used"),
            (".expect_err(", "expect_used"),
        ] {
            // Clippy sees that the attribute stands at the right place, and rejects one that is not needed.
            let lint = format!("clippy::{lint}");
            let excused = source.text.lines().any(|line| line.contains(&lint)) && source.text.contains("reason = ");
            let uses = source
                .uses(word)
                .filter(|at| !source.is_test(*at) && !excused && !source.is_constant(*at));
            findings.extend(uses.map(|at| format!("{}: {word}", source.place(at))));
        }
    }
    none(
        "Outside tests, an unwrap needs `#[expect(…, reason = \"…\")]` beside it.",
        &findings,
    );
}

#[test]
fn only_the_command_line_prints() {
    let may_print = |path: &str| path.starts_with("serving/src/cli/") || path == "serving/src/main.rs";
    let mut findings = Vec::new();
    for source in sources().into_iter().filter(|source| !may_print(&shown(&source.path))) {
        for word in ["println!", "print!", "eprintln!", "eprint!"] {
            let uses = source.uses(word).filter(|at| !source.is_test(*at));
            findings.extend(uses.map(|at| format!("{}: {word}", source.place(at))));
        }
    }
    none("A crate tells what happens through `tracing`.", &findings);
}

#[test]
fn the_share_of_test_lines_is_told() {
    let (mut all, mut tests) = (0, 0);
    for source in sources() {
        let lines = source.text.lines().count();
        all += lines;
        let in_ranges: usize = source
            .tests
            .iter()
            .map(|range| source.text[range.clone()].lines().count())
            .sum();
        tests += in_ranges.min(lines);
    }
    let share = 100.0 * tests as f64 / all as f64;
    // Not `println!`: the test runner keeps that to itself while a test passes.
    writeln!(
        std::io::stderr(),
        "{tests} of {all} lines of Rust are tests: {share:.0} %"
    )
    .unwrap();
    assert!(tests > 0 && tests < all);
}
