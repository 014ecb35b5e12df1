//! A new file of the project is a reason to compile the crate again: its files travel in the binary.

use std::io::{Result, Write};

fn main() -> Result<()> {
    let folders = ["staging", "intermediate", "marts", "metrics", "questions"];
    folders
        .iter()
        .try_for_each(|folder| writeln!(std::io::stdout(), "cargo:rerun-if-changed={folder}"))
}
