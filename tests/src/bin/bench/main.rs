//! `make bench`: what the program reaches on this machine, against budgets that were set before it was written.
//!
//! Server and load share the machine's cores, as they do on a laptop, so every figure includes what it costs to ask.
//! The real binary is spoken to over HTTP; only log → lake runs in this process, where its CPU time can be told apart.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that can't go on ends"
)]

mod browser;
mod doors;
mod hot_event;
mod interactions;
mod lake;
mod log_to_lake;
mod machine;
mod many_files;
mod production;
mod report;
mod visibility;

use mimalloc::MiMalloc;
use report::Report;
use std::{path::PathBuf, time::Duration};
use tests::{Home, cluster::Services};

/// As the program has it, without huge pages too: what is asked in this process has to take as long as there.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const USAGE: &str =
    "--output DIR, --quick, --only PART, --lake DIR, --order-lines N, --interactions N, --question NAME";
/// What `--only` can name.
const PARTS: [&str; 5] = ["lake", "browser", "embedded", "services", "layout"];

struct Arguments {
    output: PathBuf,
    /// A tenth of everything: to see whether it runs.
    quick: bool,
    /// One of [`PARTS`], alone.
    only: Option<String>,
    lake: lake::Size,
}

impl Arguments {
    fn read() -> Self {
        let mut arguments = Self {
            output: "target/bench".into(),
            quick: false,
            only: None,
            lake: lake::Size {
                order_lines: 1_000_000,
                interactions: 10_000_000,
                folder: None,
                question: String::new(),
            },
        };
        let mut given = std::env::args().skip(1);
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--output" => arguments.output = given.next().expect("--output names a folder").into(),
                "--quick" => arguments.quick = true,
                "--only" => {
                    let part = given.next().filter(|part| PARTS.contains(&part.as_str()));
                    arguments.only = Some(part.unwrap_or_else(|| panic!("--only names one of {PARTS:?}")));
                }
                "--lake" => arguments.lake.folder = Some(given.next().expect("--lake names a folder").into()),
                "--question" => arguments.lake.question = given.next().expect("--question names a part of a name"),
                "--order-lines" => arguments.lake.order_lines = number(given.next()),
                "--interactions" => arguments.lake.interactions = number(given.next()),
                other => panic!("{other} is not known: {USAGE}"),
            }
        }
        arguments
    }

    fn has(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }

    fn lake(&self) -> lake::Size {
        let part = if self.quick { 10 } else { 1 };
        lake::Size {
            order_lines: self.lake.order_lines / part,
            interactions: self.lake.interactions / part,
            ..self.lake.clone()
        }
    }

    fn length(&self) -> Duration {
        Duration::from_secs(self.size(30) as u64)
    }

    fn size(&self, full: usize) -> usize {
        if self.quick { full / 10 } else { full }
    }
}

fn number(given: Option<String>) -> u64 {
    let digits = given.map(|text| text.replace('_', ""));
    digits.and_then(|text| text.parse().ok()).expect("a number")
}

fn main() {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_thp_disable(true).unwrap();
    let arguments = Arguments::read();
    let mut report = Report::new(arguments.quick);
    if arguments.has("lake") {
        lake::measure(&arguments.lake(), &mut report);
    }
    // Asked for by its name: it is about a decision, and not about a budget.
    if arguments.only.as_deref() == Some("layout") {
        lake::layout::measure(&arguments.lake(), &mut report);
    }
    if arguments.has("browser") {
        in_browser(&arguments, &mut report);
    }
    if arguments.has("embedded") {
        embedded(&arguments, &mut report);
    }
    if let Some(services) = arguments.has("services").then(Services::find).flatten() {
        production::against_python(&services, arguments.size(1_000_000), &mut report);
        production::measure(services, arguments.length(), arguments.size(10_000), &mut report);
    }
    report.write(&arguments.output);
}

fn in_browser(arguments: &Arguments, report: &mut Report) {
    let home = Home::new();
    let server = home.serve();
    machine::settle(&server);
    browser::measure(&server, arguments.length(), report);
    server.stop();
}

fn embedded(arguments: &Arguments, report: &mut Report) {
    let home = Home::new();
    let server = home.serve();
    machine::settle(&server);
    visibility::measure(&server, arguments.length(), report::at_most(500.0), report);
    let tickets = hot_event::measure(&server, arguments.size(10_000), report::at_least(1_000.0), report);
    doors::measure(&server, tickets, report);
    doors::measure_offline(&server, arguments.size(100_000), report);
    interactions::measure(&server, arguments.size(600_000), report);
    machine::settle(&server);
    report.add(
        "memory of the server after all of the above",
        machine::peak_mib(server.pid()),
        "MiB",
        Some(report::at_most(1536.0)),
    );
    machine::data_sizes(&server, &home, report);
    server.stop();

    log_to_lake::measure(arguments.size(2_000_000), report);
    many_files::measure(arguments.size(10_000), report);
}
