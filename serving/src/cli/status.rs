//! `bilten status`.

use super::connection::Connection;
use crate::config::Config;
use anyhow::Result;
use clap::Args;
use reqwest::Method;
use serde_json::Value;

#[derive(Debug, Args)]
pub(crate) struct StatusCommand {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[expect(clippy::print_stdout, reason = "this is the command line's own output")]
pub(crate) async fn run(config: &Config, command: StatusCommand) -> Result<()> {
    let connection = Connection::to_existing(config).await?;
    let status = connection
        .json::<Value>(connection.request(Method::GET, "/v1/status"))
        .await;
    let was_running = connection.is_remote();
    connection.close().await?;
    let status = status?;
    match command.json {
        true => println!("{}", serde_json::to_string_pretty(&status)?),
        false => show(&status, was_running),
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is the command line's own output")]
fn show(status: &Value, was_running: bool) {
    match was_running {
        true => println!(
            "server     running, version {}, for {} s",
            text(&status["version"]),
            status["uptime_s"]
        ),
        false => println!("server     not running (the folder was opened for this look)"),
    }
    println!(
        "core       last change {}, in the log up to {}",
        status["committed_seq"], status["relayed_seq"]
    );
    println!(
        "lake       shows changes up to {}, {} behind",
        status["visible_seq"], status["behind"]
    );
    for partition in status["partitions"].as_array().into_iter().flatten() {
        println!(
            "log        {}/{}: next offset {}, in files up to {}",
            text(&partition["topic"]),
            partition["partition"],
            partition["end_offset"],
            partition["committed_offset"]
        );
    }
    for process in status["processes"].as_array().into_iter().flatten() {
        let leads: Vec<&str> = process["leads"].as_array().into_iter().flatten().map(text).collect();
        println!(
            "process    {} ({}){}{}{}",
            text(&process["url"]),
            text(&process["roles"]),
            if leads.is_empty() {
                String::new()
            } else {
                format!(", leads {}", leads.join(" and "))
            },
            process["visible_seq"]
                .as_i64()
                .map(|seq| format!(", shows changes up to {seq}"))
                .unwrap_or_default(),
            process["trouble"]
                .as_str()
                .map(|why| format!(", IN TROUBLE: {why}"))
                .unwrap_or_default(),
        );
    }
    match &status["last_audit"] {
        Value::Null => println!("audit      none since the start; run `bilten audit`"),
        audit => println!(
            "audit      {} at position {}, {}",
            if audit["clean"] == true { "clean" } else { "NOT CLEAN" },
            audit["position"],
            text(&audit["at"])
        ),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
