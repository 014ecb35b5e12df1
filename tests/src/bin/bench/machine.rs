//! The machine, the versions, and how much data there was.

use crate::report::Report;
use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use tests::{Home, Server, program};

/// Waits until nothing is left to do from before.
pub(crate) fn settle(server: &Server) {
    let admin = server.admin();
    let started = Instant::now();
    let behind = || admin.get("/v1/status").expect(200)["behind"] != 0;
    while behind() && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    // One commit interval, so that the next figure doesn't pay for the last one's files.
    std::thread::sleep(Duration::from_secs(3));
}

pub(crate) fn describe() -> Vec<(String, String)> {
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into());
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory: f64 = field("/proc/meminfo", "MemTotal")
        .and_then(|text| leading(&text))
        .unwrap_or_default();
    [
        (
            "machine",
            format!("{cores} × {processor}, {:.1} GiB", memory / (1 << 20) as f64),
        ),
        ("kernel", said("uname", &["-sr"])),
        ("bilten", said(program(), &["--version"])),
        (
            "commit",
            said(
                "git",
                &["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short", "HEAD"],
            ),
        ),
        ("compiler", said("rustc", &["--version"])),
        (
            "profile",
            "dev: level 1, hot packages level 3, the same as the demo's".to_owned(),
        ),
        (
            "load",
            "in the same machine, so server and clients share its cores".to_owned(),
        ),
    ]
    .map(|(what, value)| (what.to_owned(), value))
    .into()
}

/// The most memory that a process has had, in MiB.
pub(crate) fn peak_mib(pid: u32) -> f64 {
    let peak = field(&format!("/proc/{pid}/status"), "VmHWM").and_then(|text| leading(&text));
    peak.unwrap_or_default() / 1024.0
}

/// CPU time that this process has used.
pub(crate) fn own_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in parentheses: user and system time are the 12th and 13th field, in ticks of 10 ms.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}

pub(crate) fn data_sizes(server: &Server, home: &Home, report: &mut Report) {
    let admin = server.admin();
    for table in [
        "order_changes",
        "ticket_changes",
        "payment_changes",
        "check_in_changes",
        "interactions",
    ] {
        let rows = admin.count(&format!("select count(*) from {table}"));
        report.size(format!("rows in {table}"), rows as f64);
    }
    for folder in ["lake", "log"] {
        report.size(
            format!("MiB in {folder}/"),
            bytes(&home.path().join(folder), "") as f64 / f64::from(1 << 20),
        );
    }
}

/// Of all files below whose names end so.
pub(crate) fn bytes(path: &Path, ending: &str) -> u64 {
    match fs::read_dir(path) {
        Ok(entries) => entries
            .filter_map(Result::ok)
            .map(|entry| bytes(&entry.path(), ending))
            .sum(),
        Err(_) if !path.to_string_lossy().ends_with(ending) => 0,
        Err(_) => fs::metadata(path).map_or(0, |file| file.len()),
    }
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn leading(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

fn said(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| "unknown".into(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
