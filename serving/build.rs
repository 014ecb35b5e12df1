//! Nothing is built here. It has cargo see when the scanner page was built anew: the page is embedded, and a file that
//! was not there before would go unnoticed.

use std::io::Write;

fn main() -> std::io::Result<()> {
    writeln!(std::io::stdout(), "cargo::rerun-if-changed=../dashboards/scanner/dist")
}
