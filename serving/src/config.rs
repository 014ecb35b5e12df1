//! What can be set, from flags and environment variables. The four addresses choose the backends, and no code after
//! `wiring` asks which ones they are.

use crate::{
    home::Home,
    payments::StripeOptions,
    roles::{ProcessRole, ProcessRoles},
    tools::ToolOptions,
};
use clap::Args;
use lakehouse::LakeOptions;
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

    /// The server that a command talks to, instead of the one on the data folder: the address of any process with the
    /// roles api and query, or of what stands before them
    #[arg(long, env = "BILTEN_SERVER", global = true, value_name = "URL", requires = "token")]
    pub server: Option<String>,

    /// A platform token, for --server
    #[arg(
        long,
        env = "BILTEN_TOKEN",
        global = true,
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub token: Option<String>,

    /// The core's database, sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME [default: in the data folder]
    #[arg(
        long,
        env = "DATABASE_URL",
        global = true,
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Backends"
    )]
    pub database_url: Option<String>,

    /// The log of changes and interactions, file://DIR or kafka://HOST:PORT,… [default: in the data folder]
    #[arg(
        long,
        env = "EVENT_LOG_URL",
        global = true,
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Backends"
    )]
    pub event_log_url: Option<String>,

    /// The Delta Lake, file://DIR or s3://BUCKET/PREFIX [default: in the data folder]
    #[arg(
        long,
        env = "LAKE_URL",
        global = true,
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Backends"
    )]
    pub lake_url: Option<String>,

    /// Where mails go, file://DIR or smtp://USER:PASSWORD@HOST:PORT or smtps://…, with ?from=ADDRESS
    /// [default: in the data folder]
    #[arg(
        long,
        env = "MAIL_URL",
        global = true,
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Backends"
    )]
    pub mail_url: Option<String>,
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

    /// What this process does, of api, relay, sink, query and worker, separated by commas
    #[arg(long = "role", env = "BILTEN_ROLE", default_value = "all", value_name = "ROLES")]
    pub roles: ProcessRoles,

    /// The address that links in mails begin with [default: where this process listens]
    #[arg(long, env = "BILTEN_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,

    /// Let webhooks go to private addresses and over plain HTTP: for trying them out on one machine
    #[arg(long, env = "BILTEN_WEBHOOKS_ALLOW_PRIVATE", default_value_t = false)]
    pub webhooks_allow_private: bool,

    /// Most bytes of a remote lake's files that are kept in the data folder; 0: none
    #[arg(long, env = "BILTEN_CACHE_BYTES", default_value_t = 2 << 30, value_name = "N")]
    pub cache_bytes: u64,

    /// What one query may take of memory, in bytes; as many as six run at once
    #[arg(long, env = "BILTEN_QUERY_MEMORY_BYTES", default_value_t = query_memory_bytes(), value_name = "N",
        value_parser = clap::value_parser!(u64).range(16 << 20..))]
    pub query_memory_bytes: u64,

    /// Threads that compute queries [default: as many as the machine has cores]
    #[arg(long, env = "BILTEN_QUERY_THREADS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub query_threads: Option<u16>,

    /// Dashboards of your own: a folder with pages/*.yml, and templates/*.html to change their look. Read again when a
    /// file changes
    #[arg(long, env = "BILTEN_DASHBOARDS", value_name = "DIR")]
    pub dashboards: Option<PathBuf>,

    #[command(flatten)]
    pub tools: ToolOptions,

    #[command(flatten)]
    pub stripe: StripeOptions,
}

fn query_memory_bytes() -> u64 {
    LakeOptions::default().query_memory_bytes as u64
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

    pub fn mail_url(&self) -> String {
        self.mail_url.clone().unwrap_or_else(|| self.inside("file", "mail"))
    }

    /// Whether several processes can work on the same database and log.
    pub fn is_shared(&self) -> bool {
        self.database_url().starts_with("postgres") && self.event_log_url().starts_with("kafka://")
    }

    fn inside(&self, scheme: &str, name: &str) -> String {
        let home = std::path::absolute(&self.home).unwrap_or_else(|_| self.home.clone());
        format!("{scheme}://{}", home.join(name).display())
    }
}

impl ServeOptions {
    /// For a command that opens the folder itself: any free port, nobody else's business. Where others may be at work,
    /// it leaves their work to them.
    pub fn private(config: &Config) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tools: ToolOptions::default(),
            rate_limit: 0,
            public_url: None,
            webhooks_allow_private: false,
            roles: match config.is_shared() {
                true => ProcessRoles::of([ProcessRole::Api, ProcessRole::Query]),
                false => ProcessRoles::all(),
            },
            cache_bytes: 0,
            query_memory_bytes: query_memory_bytes(),
            query_threads: None,
            dashboards: None,
            stripe: StripeOptions::default(),
        }
    }
}
