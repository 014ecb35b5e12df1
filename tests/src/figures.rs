//! Every metric, held against the core's own tables.

use crate::{
    Home, Server,
    load::eventually,
    python::{python, script},
};
use std::{collections::BTreeMap, process::Command};

/// How many figures of each metric, other than nothing, were the same. Nothing may go on in the server meanwhile.
#[track_caller]
pub fn agree_with_the_core(home: &Home, server: &Server) -> BTreeMap<String, u64> {
    // Python reads the lake's files too, which come behind what queries see.
    let waiting = "select sum(tail_rows) from system.tables";
    eventually("all is in the lake's files", || {
        (server.admin().count(waiting) == 0).then_some(())
    });
    let mut compare = Command::new(python());
    compare.arg(script("core_figures.py"));
    compare.args([home.path().join("core.db"), home.path().join("lake")]);
    let url = format!("http://{}", server.address());
    let output = compare.args([&url, server.admin_token()]).output();
    let output = output.expect("Python can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
