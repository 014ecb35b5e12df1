//! Who may import whom. The list is architecture.md's; a new line in it is a design decision.

use crate::{files_ending, lexer, none, read, root, shown};
use cargo_metadata::{MetadataCommand, Package};
use std::path::Path;

/// A crate of ours, and which others of ours it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("transactional", &["domain"]),
    ("lakehouse", &["domain"]),
    ("ingest", &["transactional", "lakehouse", "domain"]),
    ("transforms", &["lakehouse", "domain"]),
    ("models", &["lakehouse", "domain"]),
    (
        "serving",
        &["ingest", "transforms", "models", "transactional", "lakehouse", "domain"],
    ),
    (
        "tests",
        &[
            "serving",
            "ingest",
            "transforms",
            "models",
            "transactional",
            "lakehouse",
            "domain",
        ],
    ),
];

/// A family of crates, known by how their names begin, and the one crate of ours that may import it.
const OWNERS: &[(&str, &str)] = &[
    ("sqlx", "transactional"),
    ("rdkafka", "ingest"),
    ("deltalake", "lakehouse"),
    ("datafusion", "lakehouse"),
    ("arrow", "lakehouse"),
    ("parquet", "lakehouse"),
    ("object_store", "lakehouse"),
    ("axum", "serving"),
    ("utoipa", "serving"),
    ("tower", "serving"),
];

fn packages() -> Vec<Package> {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec();
    metadata.expect("cargo metadata answers").packages
}

fn folder(package: &Package) -> &Path {
    package
        .manifest_path
        .parent()
        .expect("a manifest lies in a folder")
        .as_std_path()
}

#[test]
fn a_crate_imports_only_what_the_architecture_allows() {
    let packages = packages();
    let ours: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut findings = Vec::new();
    for package in &packages {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == package.name.as_str()) else {
            findings.push(format!("{} has no place in the import graph", package.name));
            continue;
        };
        let imported = package.dependencies.iter().map(|dependency| dependency.name.as_str());
        let wrong = imported.filter(|name| ours.contains(name) && package.name != *name && !allowed.contains(name));
        findings.extend(wrong.map(|name| format!("{} imports {name}", package.name)));
    }
    none("Only the edges of architecture.md exist.", &findings);
}

#[test]
fn a_family_of_third_party_crates_has_one_owner() {
    let mut findings = Vec::new();
    for package in packages() {
        for dependency in &package.dependencies {
            let owner = OWNERS
                .iter()
                .find(|(family, _)| dependency.name.replace('-', "_").starts_with(family));
            if let Some((_, owner)) = owner.filter(|(_, owner)| *owner != package.name.as_str()) {
                findings.push(format!(
                    "{} imports {}, which is {owner}'s",
                    package.name, dependency.name
                ));
            }
        }
    }
    none("What others need of a family, its owner re-exports.", &findings);
}

#[test]
fn every_dependency_is_used() {
    let mut findings = Vec::new();
    for package in packages() {
        let inner: Vec<_> = packages().iter().map(|other| folder(other).to_owned()).collect();
        let here = folder(&package);
        // A crate that lies inside another one's folder is not part of it.
        let nested = |path: &Path| {
            inner
                .iter()
                .any(|other| other != here && other.starts_with(here) && path.starts_with(other))
        };
        let code: Vec<String> = files_ending("rs")
            .into_iter()
            .filter(|path| path.starts_with(here) && !nested(path))
            .map(|path| lexer::code_only(&read(&path)))
            .collect();
        for dependency in &package.dependencies {
            let name = dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_");
            if !code.iter().any(|code| mentions(code, &name)) {
                findings.push(format!("{}: {}", package.name, dependency.name));
            }
        }
    }
    none("A dependency that nothing uses costs build time.", &findings);
}

/// True if the name stands in the code as a word before `::`, after `use`, or as a derive's or macro's path.
fn mentions(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = &code.as_bytes()[..at];
        let after = &code[at + name.len()..];
        let begins = before.last().is_none_or(|byte| !lexer::is_word(*byte) && *byte != b'.');
        let imported = code[..at].trim_end().ends_with("use") && after.starts_with([';', ' ']);
        begins && (after.starts_with("::") || imported)
    })
}

#[test]
fn versions_and_lints_stand_in_the_workspace_alone() {
    let mut findings = Vec::new();
    for package in packages() {
        let path = package.manifest_path.as_std_path();
        let (text, mut section) = (read(path), String::new());
        for line in text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        {
            if line.starts_with('[') {
                section = line.to_owned();
            } else if section.contains("dependencies") && !line.contains("workspace = true") {
                findings.push(format!("{}: {line}", shown(path)));
            }
        }
        if !text.contains("[lints]\nworkspace = true") {
            findings.push(format!("{} does not take the workspace's lints", shown(path)));
        }
    }
    none("A version stands in the root manifest, once.", &findings);
}
