//! `bilten user`: the first account of an installation, and any later one that may do everything; and a way back in for
//! who has lost the second factor.

use super::connection::{Connection, send};
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

    /// Create nobody, but turn this user's second factor off
    #[arg(long, conflicts_with = "name")]
    turn_off_second_factor: bool,
}

pub(crate) async fn run(config: &Config, command: UserCommand) -> Result<()> {
    if command.turn_off_second_factor {
        return turn_off_second_factor(config, &command.email).await;
    }
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

async fn turn_off_second_factor(config: &Config, email: &str) -> Result<()> {
    let connection = Connection::open(config).await?;
    let request = connection.request(Method::POST, "/v1/users/turn-off-second-factor");
    let done = send(request.json(&json!({ "email": email }))).await;
    connection.close().await?;
    done?;
    super::serve::say(&format!("{email} logs in with the password alone now"));
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
