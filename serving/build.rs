//! Nothing is built here. It has cargo see when pages and scripts were built or written anew: they are embedded, and a
//! file that was not there before would go unnoticed.

use std::io::Write;

fn main() -> std::io::Result<()> {
    for folder in ["scanner/dist", "islands/dist", "pages", "templates"] {
        writeln!(std::io::stdout(), "cargo::rerun-if-changed=../dashboards/{folder}")?;
    }
    Ok(())
}
