//! What runs in a browser. The tests themselves stand beside the pages and are run by Node; here they get what they are
//! about: the verdicts of the domain, and a server with doors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what can't be set up is a failed test"
)]

mod dashboards;
mod pages;
mod scanner;
mod twin;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Runs the tests of a part of `dashboards/` by this configuration of it, and fails with all that they say.
#[track_caller]
fn vitest(part: &str, configuration: &str, variable: (&str, &str)) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboards").join(part);
    let vitest = page.join("node_modules/vitest/vitest.mjs");
    assert!(
        vitest.exists(),
        "the pages are not built: `make pages` does it, and says what the machine lacks"
    );
    let output = Command::new("node")
        .arg(vitest)
        .args(["run", "--config", configuration])
        .current_dir(&page)
        .env("NO_COLOR", "1")
        .env(variable.0, variable.1)
        .output()
        .expect("the pages' tests need Node.js: `tests/needs.sh` says how to get it");
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A place for a file that a test hands over, and that is gone with the folder.
fn file_in(folder: &tempfile::TempDir, name: &str, content: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}
