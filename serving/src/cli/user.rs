//! `bilten user`: the first account of an installation, and any later one that may do everything.

use super::connection::Connection;
use crate::config::Config;
use anyhow::{Result, bail};
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal};

#[derive(Debug, Args)]
pub(crate) struct UserCommand {
    /// The e-mail address to log in with
    email: String,

    /// The person's name
    #[arg(long)]
    name: Option<String>,
}

pub(crate) async fn run(config: &Config, command: UserCommand) -> Result<()> {
    let password = read_password()?;
    let connection = Connection::open(config).await?;
    let input = json!({ "email": command.email, "name": command.name, "password": password, "platform_admin": true });
    let created = connection
        .json::<Value>(connection.request(Method::POST, "/v1/users").json(&input))
        .await;
    connection.close().await?;
    created?;
    super::serve::say(&format!("{} can log in now", command.email));
    Ok(())
}

/// From standard input, never from an argument: arguments stand in the shell's history and in the process list.
fn read_password() -> Result<String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        super::serve::say("The password, 8 characters or more (it is shown while you type; or pipe it in):");
    }
    let mut password = String::new();
    stdin.lock().read_line(&mut password)?;
    let password = password.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        bail!("no password came in on standard input");
    }
    Ok(password)
}
