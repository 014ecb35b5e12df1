//! The command line. Each command is a file; what they share is the connection and the way to show progress.

mod audit;
mod connection;
mod demo;
mod erase;
mod import;
mod progress;
mod serve;
mod sql;
mod status;
mod transform;
mod user;

use crate::{
    config::{Config, ServeOptions},
    telemetry::TelemetryOptions,
};
use anyhow::Result;
use clap::{Parser, Subcommand};

/// Bilten runs live events and helps to understand and reach their audience.
///
/// One program: a transactional core takes orders and check-ins, every change flows through a log into a Delta Lake,
/// and SQL over the lake sees it within a second. Start with `bilten demo`, or with `bilten serve` on an empty folder.
#[derive(Debug, Parser)]
#[command(name = "bilten", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    config: Config,

    #[command(flatten)]
    telemetry: TelemetryOptions,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API and the start page
    Serve(ServeOptions),
    /// Serve a made-up world of organizers and events, with live traffic, to look around in
    Demo(demo::DemoCommand),
    /// Ask the lake a question in SQL
    Sql(sql::SqlCommand),
    /// Bring in organizers, events and orders from elsewhere; running it again changes nothing
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Create an account that may do everything, to log in with
    User(user::UserCommand),
    /// Compute, test and describe the transforms of the SQL project
    #[command(subcommand)]
    Transform(transform::TransformCommand),
    /// Prove that the lake and the core agree, to the last row and cent
    Audit(audit::AuditCommand),
    /// Take a person's data out of the core, the log and the lake, for good, and report what was removed where
    Erase(erase::EraseCommand),
    /// Show what is running, how fresh the lake is, and what waits where
    Status(status::StatusCommand),
}

impl Cli {
    pub fn telemetry(&self) -> &TelemetryOptions {
        &self.telemetry
    }

    /// The roles of a command that serves. `None`: its output is for a person at once, so its log should not get
    /// between.
    pub fn serves_as(&self) -> Option<String> {
        match &self.command {
            Command::Serve(options) => Some(options.roles.to_string()),
            Command::Demo(command) => Some(command.roles()),
            _ => None,
        }
    }

    pub async fn run(self) -> Result<()> {
        let config = self.config;
        match self.command {
            Command::Serve(options) => serve::run(&config, &options).await,
            Command::Demo(command) => demo::run(&config, command).await,
            Command::Sql(command) => sql::run(&config, command).await,
            Command::Import(command) => import::run(&config, command).await,
            Command::User(command) => user::run(&config, command).await,
            Command::Transform(command) => transform::run(&config, command).await,
            Command::Audit(command) => audit::run(&config, command).await,
            Command::Erase(command) => erase::run(&config, command).await,
            Command::Status(command) => status::run(&config, command).await,
        }
    }
}
