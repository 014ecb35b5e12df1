//! A large lake, and the questions that are asked of it.

mod chance;
mod fill;
mod sales;
mod season;
mod stage;
mod visits;

use crate::report::{Report, say};
use std::{fs, path::PathBuf};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Another number, another season.
const SEED: u64 = 1;

pub(crate) struct Size {
    pub(crate) order_lines: u64,
    pub(crate) interactions: u64,
    /// Where the lake is kept; one that is there is used again.
    pub(crate) folder: Option<PathBuf>,
}

pub(crate) fn measure(size: &Size, report: &mut Report) {
    let temporary = TempDir::with_prefix("bilten-bench-").unwrap();
    let folder = size.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    let made = folder.join("season");
    let season = format!("{SEED} {} {}", size.order_lines, size.interactions);
    let url = format!("file://{}", folder.join("lake").display());
    let runtime = Runtime::new().unwrap();
    if fs::read_to_string(&made).is_ok_and(|made| made == season) {
        say(&format!("the lake in {} is used again", folder.display()));
    } else {
        let rate = runtime.block_on(fill::fill(&url, SEED, size.order_lines, size.interactions));
        report.add(
            "a season into a new lake, changes and interactions",
            rate,
            "rows/s",
            None,
        );
        fs::write(&made, season).unwrap();
    }
}
