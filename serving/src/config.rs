//! What can be set, from flags and environment variables. The three addresses choose the backends, and no code after
//! `wiring` asks which ones they are.

use crate::home::Home;
use clap::Args;
use std::{net::SocketAddr, path::PathBuf};

#[derive(Clone, Debug, Args)]
pub struct Config {
    /// The data folder
    #[arg(
        long,
        env = "BILTEN_HOME",
        default_value = "./bilten-data",
        global = true,
        value_name = "DIR"
    )]
    pub home: PathBuf,

    /// The core's database, sqlite://PATH [default: in the data folder]
    #[arg(
        long,
        env = "DATABASE_URL",
        global = true,
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Backends"
    )]
    pub database_url: Option<String>,

    /// The log of changes and interactions, file://DIR [default: in the data folder]
    #[arg(
        long,
        env = "EVENT_LOG_URL",
        global = true,
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Backends"
    )]
    pub event_log_url: Option<String>,

    /// The Delta Lake, file://DIR [default: in the data folder]
    #[arg(
        long,
        env = "LAKE_URL",
        global = true,
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Backends"
    )]
    pub lake_url: Option<String>,
}

/// How a server meets the world, beside its backends.
#[derive(Clone, Debug, Args)]
pub struct ServeOptions {
    /// Where to listen
    #[arg(
        long,
        env = "BILTEN_LISTEN",
        default_value = "127.0.0.1:8484",
        value_name = "ADDRESS:PORT"
    )]
    pub listen: SocketAddr,

    /// Requests a second that one address may make to the public routes; 0: no limit
    #[arg(long, env = "BILTEN_RATE_LIMIT", default_value_t = 100, value_name = "N")]
    pub rate_limit: u32,
}

impl Config {
    pub fn home(&self) -> Home {
        Home::new(&self.home)
    }

    pub fn database_url(&self) -> String {
        self.database_url
            .clone()
            .unwrap_or_else(|| self.inside("sqlite", "core.db"))
    }

    pub fn event_log_url(&self) -> String {
        self.event_log_url.clone().unwrap_or_else(|| self.inside("file", "log"))
    }

    pub fn lake_url(&self) -> String {
        self.lake_url.clone().unwrap_or_else(|| self.inside("file", "lake"))
    }

    fn inside(&self, scheme: &str, name: &str) -> String {
        let home = std::path::absolute(&self.home).unwrap_or_else(|_| self.home.clone());
        format!("{scheme}://{}", home.join(name).display())
    }
}

impl ServeOptions {
    /// For a command that opens the folder itself: any free port, nobody else's business.
    pub fn private() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            rate_limit: 0,
        }
    }
}
