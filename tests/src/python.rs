//! Scripts in Python: the readers of others, and the search for texts in every byte.

use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

/// The Python that has the readers: the Makefile makes it.
pub fn python() -> PathBuf {
    let made = std::env::var_os("BILTEN_PYTHON").map(PathBuf::from);
    let own = std::env::current_exe().unwrap();
    let beside = || {
        own.ancestors()
            .map(|folder| folder.join("python/bin/python"))
            .find(|path| path.exists())
    };
    made.or_else(beside)
        .expect("Python with deltalake and polars is made by `make python`")
}

/// One of the scripts.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name)
}

/// The files in which each text stands, and how many were searched.
#[derive(Debug)]
pub struct Found {
    pub files: i64,
    pub parquet: i64,
    found: BTreeMap<String, Vec<String>>,
}

impl Found {
    /// Looks below a folder, in every byte and in compressed values as well.
    #[track_caller]
    pub fn below(folder: &Path, texts: &[&str]) -> Self {
        let script = script("find_text.py");
        let output = Command::new(python()).arg(script).arg(folder).args(texts).output();
        let output = output.expect("Python can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let looked: Value = serde_json::from_slice(&output.stdout).unwrap();
        Self {
            files: looked["files"].as_i64().unwrap(),
            parquet: looked["parquet"].as_i64().unwrap(),
            found: serde_json::from_value(looked["found"].clone()).unwrap(),
        }
    }

    /// Relative to the folder.
    #[track_caller]
    pub fn places(&self, text: &str) -> Vec<&str> {
        self.found[text].iter().map(String::as_str).collect()
    }
}
