//! `bilten audit`.

use super::connection::Connection;
use crate::config::Config;
use anyhow::{Result, bail};
use clap::Args;
use reqwest::Method;
use serde_json::Value;

#[derive(Debug, Args)]
pub(crate) struct AuditCommand {
    /// Print the whole report as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(config: &Config, command: AuditCommand) -> Result<()> {
    let connection = Connection::to_existing(config).await?;
    let report = connection
        .json::<Value>(connection.request(Method::POST, "/v1/audit"))
        .await;
    connection.close().await?;
    let report = report?;
    match command.json {
        true => show_json(&report)?,
        false => show(&report),
    }
    match report["clean"].as_bool() {
        Some(true) => Ok(()),
        _ => bail!("lake and core differ, or the core does not add up"),
    }
}

#[expect(clippy::print_stdout, reason = "this is the command line's own output")]
fn show_json(report: &Value) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(report)?);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is the command line's own output")]
fn show(report: &Value) {
    println!(
        "{:<15} {:>10} {:>10} {:>16} {:>20}  lake",
        "entity", "rows", "changes", "money (minor)", "digest"
    );
    for entity in report["entities"].as_array().into_iter().flatten() {
        let core = &entity["core"];
        println!(
            "{:<15} {:>10} {:>10} {:>16} {:>20}  {}",
            entity["entity"].as_str().unwrap_or_default(),
            core["rows"].to_string(),
            core["changes"].to_string(),
            core["money_minor"].to_string(),
            core["digest"].to_string(),
            match entity["clean"].as_bool() {
                Some(true) => "the same".to_owned(),
                _ => format!(
                    "DIFFERS: {} in the lake: {}",
                    entity["first_difference"], entity["lake"]
                ),
            }
        );
    }
    for broken in report["broken_invariants"].as_array().into_iter().flatten() {
        println!("core: {}", broken.as_str().unwrap_or_default());
    }
    let verdict = if report["clean"] == true { "clean" } else { "NOT CLEAN" };
    println!(
        "{verdict} at position {}, in {} ms",
        report["position"], report["duration_ms"]
    );
}
