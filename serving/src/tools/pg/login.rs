//! Who connects, and whose statement it is that somebody asks to cancel.

use super::{
    Postgres,
    error::{error, fatal},
};
use crate::problem::Problem;
use async_trait::async_trait;
use domain::OrganizerId;
use futures::{Sink, SinkExt};
use lakehouse::Session;
use pgwire::{
    api::{
        ClientInfo, METADATA_DATABASE, PgWireConnectionState, PidSecretKeyGenerator, RandomPidSecretKeyGenerator,
        auth::{
            DefaultServerParameterProvider, StartupHandler, finish_authentication, protocol_negotiation,
            save_startup_parameters_to_metadata,
        },
        cancel::CancelHandler,
    },
    error::{PgWireError, PgWireResult},
    messages::{
        PgWireBackendMessage, PgWireFrontendMessage,
        cancel::CancelRequest,
        startup::{Authentication, SecretKey},
    },
};
use std::{
    collections::{BTreeSet, HashMap},
    fmt::Debug,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio_util::sync::CancellationToken;

/// Like PostgreSQL's own, so that drivers know what they may expect.
const SERVER_VERSION: &str = "15.0 (Bilten)";

/// Statements and portals that a connection may keep under names; a driver's pool has some hundred.
const MOST_NAMES: usize = 500;

/// A connection that has logged in.
pub(super) struct Login {
    address: IpAddr,
    token: String,
    organizer: Option<OrganizerId>,
    running: Arc<Mutex<CancellationToken>>,
    names: Mutex<BTreeSet<(u8, String)>>,
    _registered: Registered,
}

impl Login {
    pub(super) async fn session(&self, postgres: &Postgres) -> PgWireResult<Session> {
        let session = postgres.entrance.session(self.address, &self.token, self.organizer);
        // Whoever is not known any more is out; other trouble passes.
        session.await.map_err(|problem| match problem.code.as_ref() {
            "unauthenticated" => fatal(problem),
            _ => error(problem),
        })
    }

    /// Remembers that something is kept under a name, of a kind as the protocol knows them.
    pub(super) fn keep(&self, kind: u8, name: &str) -> PgWireResult<()> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MOST_NAMES {
            let many = format!("a connection keeps at most {MOST_NAMES} statements and portals: close some");
            return Err(error(Problem::new("resources_exhausted", many)));
        }
        names.insert((kind, name.to_owned()));
        Ok(())
    }

    /// The one of this name, or all of the kind, is not kept any more.
    pub(super) fn forget(&self, kind: u8, name: Option<&str>) -> Vec<String> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = names.extract_if(.., |(known, kept)| {
            *known == kind && name.is_none_or(|name| name == kept)
        });
        gone.map(|(_, name)| name).collect()
    }

    /// The next statement begins; what cancels it is this.
    pub(super) fn begin(&self) -> CancellationToken {
        let token = CancellationToken::new();
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = token.clone();
        token
    }
}

/// What was told to a connection: its number, and the secret that cancels its statement.
type CancelKey = (i32, Vec<u8>);
/// What cancels the statement that a connection has now.
type Running = Arc<Mutex<CancellationToken>>;

/// The connections by the secret that was told to each.
#[derive(Clone, Default)]
pub(super) struct Cancels(Arc<Mutex<HashMap<CancelKey, Running>>>);

struct Registered {
    key: CancelKey,
    cancels: Cancels,
}

impl Cancels {
    fn register(&self, pid: i32, key: &SecretKey) -> (Running, Registered) {
        let (key, running) = ((pid, key.to_bytes().to_vec()), Arc::default());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(key.clone(), Arc::clone(&running));
        let cancels = self.clone();
        (running, Registered { key, cancels })
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut all = self.cancels.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.key);
    }
}

#[async_trait]
impl CancelHandler for Cancels {
    async fn on_cancel_request(&self, request: CancelRequest) {
        let key = (request.pid, request.secret_key.to_bytes().to_vec());
        let running = {
            let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.get(&key).cloned()
        };
        if let Some(running) = running {
            running.lock().unwrap_or_else(PoisonError::into_inner).cancel();
        }
    }
}

#[async_trait]
impl StartupHandler for Postgres {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match message {
            PgWireFrontendMessage::Startup(startup) => {
                protocol_negotiation(client, &startup).await?;
                save_startup_parameters_to_metadata(client, &startup);
                let address = client.socket_addr().ip();
                self.entrance.admit(address).map_err(fatal)?;
                self.entrance.app.limits.public(address).map_err(fatal)?;
                client.set_state(PgWireConnectionState::AuthenticationInProgress);
                let ask = PgWireBackendMessage::Authentication(Authentication::CleartextPassword);
                client.send(ask).await?;
                Ok(())
            }
            PgWireFrontendMessage::PasswordMessageFamily(password) => {
                let token = password.into_password()?.password;
                let organizer = client.metadata().get(METADATA_DATABASE);
                let organizer = organizer.and_then(|name| name.parse::<OrganizerId>().ok());
                let address = client.socket_addr().ip();
                let session = self.entrance.session(address, &token, organizer).await;
                session.map_err(fatal)?;
                let (_, key) = RandomPidSecretKeyGenerator::default().generate(client);
                let pid = rand::random_range(1..i32::MAX);
                client.set_pid_and_secret_key(pid, key.clone());
                let (running, registered) = self.cancels.register(pid, &key);
                client.session_extensions().insert(Login {
                    address,
                    token,
                    organizer,
                    running,
                    names: Mutex::default(),
                    _registered: registered,
                });
                finish_authentication(client, &parameters()).await
            }
            _ => Err(fatal(Problem::new("unauthenticated", "log in first"))),
        }
    }
}

fn parameters() -> DefaultServerParameterProvider {
    let mut parameters = DefaultServerParameterProvider::default();
    parameters.server_version = SERVER_VERSION.to_owned();
    parameters.search_path = "lake".to_owned();
    parameters.time_zone = "UTC".to_owned();
    parameters.is_superuser = false;
    parameters.default_transaction_read_only = true;
    parameters
}
