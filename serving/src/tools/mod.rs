//! SQL for tools, beside HTTP: PostgreSQL's protocol and Arrow Flight SQL.
//!
//! Both know by an API token who asks, ask anew with every statement, and ask the lake through `App::session_for`, as
//! HTTP does. So a token that is revoked stops at the next statement, and what HTTP does not show is not shown here.
//!
//! A token is stored as a hash, and what proves one without sending it would need the token itself. So it comes in the
//! clear, which is taken from this machine alone, unless the operator says that something before Bilten encrypts.

mod flight;
mod lobby;
mod pg;

use crate::{
    auth,
    problem::{Problem, Result},
    roles::{ProcessRole, ProcessRoles},
    wiring::App,
};
use anyhow::{Context, bail};
use clap::Args;
use domain::OrganizerId;
use futures::{Stream, stream};
use lakehouse::Session;
use lobby::{Guest, Lobby};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// How long statements may take to end after a stop was asked for.
const DRAIN: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "SQL for tools")]
pub struct ToolOptions {
    /// Where PostgreSQL's clients connect, with an API token as the password [default: nowhere; in the demo at the port
    /// after --listen's]
    #[arg(long, env = "BILTEN_PG_LISTEN", value_name = "ADDRESS:PORT")]
    pub pg_listen: Option<SocketAddr>,

    /// Where Arrow Flight SQL's clients connect, with the same [default: nowhere; in the demo at the port after that]
    #[arg(long, env = "BILTEN_FLIGHT_LISTEN", value_name = "ADDRESS:PORT")]
    pub flight_listen: Option<SocketAddr>,

    /// Let clients on other machines send tokens there in the clear: where something before Bilten encrypts
    #[arg(long, env = "BILTEN_SQL_ALLOW_CLEARTEXT", default_value_t = false)]
    pub sql_allow_cleartext: bool,
}

/// Where tools connect.
pub(crate) struct Listeners {
    pg: Option<TcpListener>,
    flight: Option<TcpListener>,
    cleartext_from_anywhere: bool,
}

impl Listeners {
    pub(crate) async fn bind(options: &ToolOptions, roles: &ProcessRoles) -> anyhow::Result<Self> {
        let any = options.pg_listen.is_some() || options.flight_listen.is_some();
        if any && !roles.has(ProcessRole::Query) {
            bail!("--pg-listen and --flight-listen are for processes with the role query: only they can answer SQL");
        }
        Ok(Self {
            pg: bind(options.pg_listen, "--pg-listen").await?,
            flight: bind(options.flight_listen, "--flight-listen").await?,
            cleartext_from_anywhere: options.sql_allow_cleartext,
        })
    }

    /// PostgreSQL's and Flight's.
    pub(crate) fn addresses(&self) -> std::io::Result<[Option<SocketAddr>; 2]> {
        let address = |listener: &Option<TcpListener>| listener.as_ref().map(TcpListener::local_addr).transpose();
        Ok([address(&self.pg)?, address(&self.flight)?])
    }

    /// Answers until it is told to stop.
    pub(crate) fn serve(self, app: &Arc<App>, stop: &CancellationToken) -> JoinSet<()> {
        let entrance = Entrance {
            app: app.clone(),
            cleartext_from_anywhere: self.cleartext_from_anywhere,
        };
        let mut serving = JoinSet::new();
        if let Some(listener) = self.pg {
            serving.spawn(pg::serve(entrance.clone(), listener, stop.clone()));
        }
        if let Some(listener) = self.flight {
            serving.spawn(flight::serve(entrance, listener, stop.clone()));
        }
        serving
    }
}

async fn bind(address: Option<SocketAddr>, option: &str) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    let bound = TcpListener::bind(address).await;
    bound
        .map(Some)
        .with_context(|| format!("{address} can't be listened on; choose another address with {option}"))
}

/// A connection, in the lobby at first.
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    guest: Arc<Guest>,
}

/// Connections as they come.
fn connections(listener: TcpListener) -> impl Stream<Item = Connection> + Send {
    stream::unfold((listener, Lobby::new()), |(listener, lobby)| async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    let guest = lobby.enter();
                    return Some((Connection { stream, peer, guest }, (listener, lobby)));
                }
                Err(error) => {
                    // Too many open files, for one: it passes when others close.
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    })
}

/// There are as many connections as there may be.
fn full() -> Problem {
    Problem::new("busy", "too many connections are open: close some that are not used")
}

/// Who may come in, and as whom.
#[derive(Clone)]
struct Entrance {
    app: Arc<App>,
    cleartext_from_anywhere: bool,
}

impl Entrance {
    fn admit(&self, address: IpAddr) -> Result<()> {
        if self.cleartext_from_anywhere || address.to_canonical().is_loopback() {
            return Ok(());
        }
        Err(Problem::forbidden(
            "a token is not taken in the clear from another machine: put something that encrypts before Bilten, and \
             tell it so with --sql-allow-cleartext",
        ))
    }

    /// The session of whoever has this token now. Who guesses waits.
    async fn session(&self, address: IpAddr, token: &str, organizer: Option<OrganizerId>) -> Result<Session> {
        let identity = match auth::bearer(&self.app, token).await {
            Ok(identity) => identity,
            Err(wrong) if wrong.code == "unauthenticated" => {
                return Err(self.app.limits.log_in(address).err().unwrap_or(wrong));
            }
            Err(trouble) => return Err(trouble),
        };
        self.app.session_for(&identity, organizer)
    }
}
