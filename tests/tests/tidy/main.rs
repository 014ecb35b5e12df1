//! The house rules, each a test that names the place where it is broken.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a rule that can't be read is a rule that is broken"
)]

mod graph;
mod lexer;
mod repository;
mod sources;

use std::path::{Path, PathBuf};

/// The top of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The path as a person would write it, from the top of the repository.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", shown(path)))
}

/// What a build or a run leaves behind, as `.gitignore` names it: no part of the house.
fn left_behind() -> Vec<String> {
    let ignored = read(&root().join(".gitignore"));
    ignored
        .lines()
        .filter_map(|line| line.strip_suffix('/'))
        .map(str::to_owned)
        .collect()
}

/// Every file of the repository, but for what is left behind and for `.git`.
fn files() -> Vec<PathBuf> {
    let (mut found, mut folders, skipped) = (Vec::new(), vec![root().to_owned()], left_behind());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name == ".git" || skipped.contains(&name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.sort();
    found
}

fn files_ending(extension: &str) -> Vec<PathBuf> {
    files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

/// Fails with every finding, so that one run shows all there is to mend.
#[track_caller]
fn none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}
