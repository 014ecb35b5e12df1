//! Who may import whom. The list is architecture.md's; a new line in it is a design decision.

use crate::{files_ending, lexer, none, read, root, shown};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

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

/// A family of crates, known by how their names begin, and the one crate of ours that may import it. The first that
/// fits counts.
const OWNERS: &[(&str, &str)] = &[
    // What is spoken over the wire, and not how rows are stored or computed.
    ("arrow_flight", "serving"),
    ("pgwire", "serving"),
    ("prost", "serving"),
    ("tonic", "serving"),
    ("sqlx", "transactional"),
    ("rdkafka", "ingest"),
    ("deltalake", "lakehouse"),
    ("datafusion", "lakehouse"),
    ("arrow", "lakehouse"),
    ("parquet", "lakehouse"),
    ("object_store", "lakehouse"),
    ("axum", "serving"),
    ("lettre", "serving"),
    ("utoipa", "serving"),
    ("tower", "serving"),
];

struct Package {
    name: String,
    manifest: PathBuf,
    /// What the manifest calls them, and what the code does.
    dependencies: Vec<(String, String)>,
}

/// The workspace as cargo sees it. (A crate for this would turn on a feature of serde_json, and with it everything that
/// parses JSON would be compiled once more for the tests.)
fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version=1"])
        .current_dir(root())
        .output();
    let metadata: Value = serde_json::from_slice(&metadata.unwrap().stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let dependency = |found: &Value| {
        let name = text(&found["name"]);
        let in_code = found["rename"].as_str().unwrap_or(&name).replace('-', "_");
        (name, in_code)
    };
    let package = |found: &Value| Package {
        name: text(&found["name"]),
        manifest: text(&found["manifest_path"]).into(),
        dependencies: found["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .map(dependency)
            .collect(),
    };
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

impl Package {
    fn folder(&self) -> &Path {
        self.manifest.parent().unwrap()
    }
}

#[test]
fn a_crate_imports_only_what_the_architecture_allows() {
    let packages = packages();
    let ours: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut findings = Vec::new();
    for Package {
        name: importer,
        dependencies,
        ..
    } in &packages
    {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| name == importer) else {
            findings.push(format!("{importer} has no place in the import graph"));
            continue;
        };
        let imported = dependencies.iter().map(|(name, _)| name.as_str());
        let wrong = imported.filter(|name| ours.contains(name) && importer != name && !allowed.contains(name));
        findings.extend(wrong.map(|name| format!("{importer} imports {name}")));
    }
    none("Only the edges of architecture.md exist.", &findings);
}

#[test]
fn a_family_of_third_party_crates_has_one_owner() {
    let mut findings = Vec::new();
    for package in packages() {
        for (name, _) in &package.dependencies {
            let owner = OWNERS
                .iter()
                .find(|(family, _)| name.replace('-', "_").starts_with(family));
            if let Some((_, owner)) = owner.filter(|(_, owner)| *owner != package.name) {
                findings.push(format!("{} imports {name}, which is {owner}'s", package.name));
            }
        }
    }
    none("What others need of a family, its owner re-exports.", &findings);
}

#[test]
fn every_dependency_is_used() {
    let mut findings = Vec::new();
    let packages = packages();
    for package in &packages {
        let here = package.folder();
        // A crate that lies inside another one's folder is not part of it.
        let inner = packages
            .iter()
            .map(Package::folder)
            .filter(|other| *other != here && other.starts_with(here));
        let inner: Vec<&Path> = inner.collect();
        let own = |path: &PathBuf| path.starts_with(here) && !inner.iter().any(|inner| path.starts_with(inner));
        let files = files_ending("rs").into_iter().filter(own);
        let code: Vec<String> = files.map(|path| lexer::code_only(&read(&path))).collect();
        for (name, in_code) in &package.dependencies {
            if !code.iter().any(|code| mentions(code, in_code)) {
                findings.push(format!("{}: {name}", package.name));
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
        let path = &package.manifest;
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
