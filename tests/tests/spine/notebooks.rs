//! Notebooks run from top to bottom against the demo's world, and are kept without outputs.

use crate::shared::until;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tests::{Home, python::python};

fn notebooks() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../notebooks");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "ipynb"))
        .collect();
    found.sort();
    found
}

#[test]
fn every_notebook_runs_in_the_demo_and_stores_no_outputs() {
    let home = Home::new();
    let server = home.demo();
    let admin = server.admin();
    until("the world is filled", || {
        let file = fs::read_to_string(home.path().join("demo.json")).unwrap_or_default();
        file.contains("\"filled\": true")
    });
    until("somebody has bought in the shop", || {
        admin.count("select count(*) from marts.funnel where paid > 0") > 0
    });
    admin.post("/v1/transforms/sales/run", &json!({})).expect(200);

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/run_notebook.py");
    let ran = Command::new(python())
        .arg(script)
        .args(notebooks())
        .env("BILTEN_URL", format!("http://{}", server.address()))
        .env("BILTEN_TOKEN", server.admin_token())
        .env("BILTEN_LAKE", home.path().join("lake"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("IPYTHONDIR", home.beside("ipython"))
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let told = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(told.lines().count(), notebooks().len(), "{told}");
    server.stop();
}
