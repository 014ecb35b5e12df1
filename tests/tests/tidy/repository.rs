//! Rules about the repository as a whole.

use crate::{files, files_ending, left_behind, none, read, root, shown};
use std::collections::BTreeSet;

/// The house, as architecture.md draws it.
const FOLDERS: &[&str] = &[
    "dashboards",
    "ingest",
    "lakehouse",
    "models",
    "notebooks",
    "serving",
    "tests",
    "transactional",
    "transforms",
];

#[test]
fn the_folders_at_the_top_are_those_of_the_architecture() {
    let left = left_behind();
    let found: BTreeSet<String> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !left.contains(name))
        .collect();
    assert_eq!(found, FOLDERS.iter().map(|name| (*name).to_owned()).collect());
}

/// Targets of the Makefile.
fn targets() -> BTreeSet<String> {
    let makefile = read(&root().join("Makefile"));
    let rules = makefile
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    let names = rules
        .filter_map(|line| line.split_once(':'))
        .filter(|(_, rest)| !rest.starts_with('='));
    names
        .flat_map(|(names, _)| names.split_whitespace())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_make_command_of_the_readme_exists() {
    let (readme, targets) = (read(&root().join("README.md")), targets());
    let mut code = false;
    let mut named = BTreeSet::new();
    for line in readme.lines() {
        if line.starts_with("```") {
            code = !code;
        }
        // In prose a command stands between backticks.
        for part in line
            .split('`')
            .skip(usize::from(!code))
            .step_by(if code { 1 } else { 2 })
        {
            let mut words = part.split_whitespace();
            if words.next() == Some("make") {
                named.extend(words.next().map(str::to_owned));
            }
        }
    }
    for command in ["demo", "test"] {
        assert!(named.contains(command), "the README does not tell of `make {command}`");
    }
    let missing: Vec<String> = named.difference(&targets).map(|name| format!("make {name}")).collect();
    none("The README names a command that the Makefile does not have.", &missing);
}

#[test]
fn every_model_has_its_sql_and_every_sql_its_description() {
    let mut findings = Vec::new();
    for (one, other) in [("yml", "sql"), ("sql", "yml")] {
        let files = files_ending(one)
            .into_iter()
            .filter(|path| shown(path).starts_with("transforms/"))
            // A file there says what to ask of a mart, and has no SQL of its own.
            .filter(|path| !shown(path).starts_with("transforms/metrics/"));
        let alone = files.filter(|path| !path.with_extension(other).exists());
        findings.extend(alone.map(|path| format!("{} has no .{other}", shown(&path))));
    }
    none("A SQL model is two files.", &findings);
}

#[test]
fn no_package_registry_is_named() {
    // Where packages come from is the machine's business: a mirror must be able to take the place of any registry.
    let hosts = [
        ["pypi", "org"].join("."),
        ["pythonhosted", "org"].join("."),
        ["crates", "io/"].join("."),
        ["npmjs", "org"].join("."),
        ["golang", "org"].join("."),
        ["docker", "io"].join("."),
    ];
    let mut findings = Vec::new();
    for path in files().into_iter().filter(|path| !path.ends_with("Cargo.lock")) {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let named = hosts.iter().filter(|host| text.contains(host.as_str()));
        findings.extend(named.map(|host| format!("{}: {host}", shown(&path))));
    }
    none("These files name a package registry.", &findings);
}
