//! `bilten erase`.

use super::connection::Connection;
use crate::config::Config;
use anyhow::{Result, bail};
use clap::Args;
use domain::{OrganizerId, PersonId};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct EraseCommand {
    /// The person's id or, with --organizer, e-mail address
    person: String,

    /// The organizer whose customer has the e-mail address
    #[arg(long, value_name = "ID")]
    organizer: Option<OrganizerId>,

    /// How long the lake's old files stay for queries that run, in seconds
    #[arg(long, default_value = "90", value_parser = seconds, value_name = "SECONDS")]
    grace: u64,

    /// Only ask for it; a server goes on with it
    #[arg(long)]
    no_wait: bool,
}

pub(crate) async fn run(config: &Config, command: EraseCommand) -> Result<()> {
    let connection = Connection::to_existing(config).await?;
    let erased = erase(&connection, &command).await;
    connection.close().await?;
    show(&erased?)
}

async fn erase(connection: &Connection, command: &EraseCommand) -> Result<Value> {
    let (path, body) = match (command.person.parse::<PersonId>(), command.organizer) {
        (Ok(id), _) => (
            format!("/v1/people/{id}/erasure"),
            json!({ "grace_seconds": command.grace }),
        ),
        (Err(_), Some(organizer)) => (
            format!("/v1/organizers/{organizer}/erasures"),
            json!({ "email": command.person, "grace_seconds": command.grace }),
        ),
        (Err(_), None) => bail!("this is no person's id; for an e-mail address, name the organizer with --organizer"),
    };
    let mut erasure: Value = connection
        .json(connection.request(Method::POST, &path).json(&body))
        .await?;
    if command.no_wait && connection.is_remote() {
        return Ok(erasure);
    }
    let path = format!("/v1/erasures/{}", erasure["erasure_id"].as_str().unwrap_or_default());
    while erasure["finished_at"].is_null() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        erasure = connection.json(connection.request(Method::GET, &path)).await?;
    }
    Ok(erasure)
}

/// `60` or `60s`.
fn seconds(text: &str) -> Result<u64, String> {
    let digits = text.strip_suffix('s').unwrap_or(text);
    digits.parse().map_err(|_| "a number of seconds, such as 60".to_owned())
}

#[expect(clippy::print_stdout, reason = "this is the command line's own output")]
fn show(erasure: &Value) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(erasure)?);
    Ok(())
}
