//! Who connects, and whose statement it is that somebody asks to cancel.

use super::{Door, error, fatal};
use crate::{
    auth::{self, Identity},
    problem::Problem,
};
use async_trait::async_trait;
use domain::OrganizerId;
use futures::{Sink, SinkExt};
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
    collections::HashMap,
    fmt::Debug,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio_util::sync::CancellationToken;

/// Like PostgreSQL's own, so that drivers know what they may expect.
const SERVER_VERSION: &str = "15.0 (Bilten)";

/// A connection that has logged in.
pub(super) struct Login {
    token: String,
    organizer: Option<OrganizerId>,
    running: Arc<Mutex<CancellationToken>>,
    _registered: Registered,
}

impl Login {
    /// The session of whoever has this token now.
    pub(super) async fn session(&self, door: &Door) -> PgWireResult<lakehouse::Session> {
        let identity = auth::bearer(&door.app, &self.token).await.map_err(ended)?;
        door.app.session_for(&identity, self.organizer).map_err(ended)
    }

    /// The next statement begins; what cancels it is this.
    pub(super) fn begin(&self) -> CancellationToken {
        let token = CancellationToken::new();
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = token.clone();
        token
    }
}

/// Whoever is not known any more is out; other trouble passes.
fn ended(problem: Problem) -> PgWireError {
    match problem.code.as_ref() {
        "unauthenticated" => fatal(problem),
        _ => error(problem),
    }
}

/// The connections by the secret that was told to each.
#[derive(Clone, Default)]
pub(super) struct Cancels(Arc<Mutex<HashMap<(i32, Vec<u8>), Arc<Mutex<CancellationToken>>>>>);

struct Registered {
    key: (i32, Vec<u8>),
    cancels: Cancels,
}

impl Cancels {
    fn register(&self, pid: i32, key: &SecretKey) -> (Arc<Mutex<CancellationToken>>, Registered) {
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
impl StartupHandler for Door {
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
                self.may_connect(client.socket_addr().ip()).map_err(fatal)?;
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
                self.identify(address, &token, organizer).await.map_err(fatal)?;
                let (_, key) = RandomPidSecretKeyGenerator::default().generate(client);
                let pid = rand::random_range(1..i32::MAX);
                client.set_pid_and_secret_key(pid, key.clone());
                let (running, registered) = self.cancels.register(pid, &key);
                client.session_extensions().insert(Login {
                    token,
                    organizer,
                    running,
                    _registered: registered,
                });
                finish_authentication(client, &parameters()).await
            }
            _ => Err(fatal(Problem::new("unauthenticated", "log in first"))),
        }
    }
}

impl Door {
    fn may_connect(&self, address: IpAddr) -> Result<(), Problem> {
        if !self.cleartext_from_anywhere && !address.to_canonical().is_loopback() {
            return Err(Problem::forbidden(
                "a token is not taken in the clear from another machine: put something that encrypts before Bilten, \
                 and tell it so with --sql-allow-cleartext",
            ));
        }
        self.app.limits.public(address)
    }

    /// Whether the token is good for a session. Who guesses waits.
    async fn identify(&self, address: IpAddr, token: &str, organizer: Option<OrganizerId>) -> Result<(), Problem> {
        let identity: Identity = match auth::bearer(&self.app, token).await {
            Ok(identity) => identity,
            Err(wrong) => return Err(self.app.limits.log_in(address).err().unwrap_or(wrong)),
        };
        self.app.session_for(&identity, organizer).map(drop)
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
