//! Who connects, and whose statement it is that somebody asks to cancel.

use super::{
    Postgres,
    error::{ended, error, fatal, said},
    settings::Settings,
};
use crate::{problem::Problem, tools::full};
use async_trait::async_trait;
use domain::OrganizerId;
use futures::{Sink, SinkExt};
use lakehouse::Session;
use pgwire::{
    api::{
        ClientInfo, METADATA_DATABASE, METADATA_USER, PgWireConnectionState, PidSecretKeyGenerator,
        RandomPidSecretKeyGenerator,
        auth::{
            DefaultServerParameterProvider, StartupHandler, finish_authentication, protocol_negotiation,
            save_startup_parameters_to_metadata,
        },
        cancel::CancelHandler,
    },
    error::{ErrorInfo, PgWireError, PgWireResult},
    messages::{
        PgWireBackendMessage, PgWireFrontendMessage,
        cancel::CancelRequest,
        startup::{Authentication, SecretKey},
    },
};
use std::{
    collections::{BTreeSet, HashMap},
    fmt::Debug,
    future::pending,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Like PostgreSQL's own, so that drivers know what they may expect.
const SERVER_VERSION: &str = "15.0 (Bilten)";

const DATABASE: &str = "bilten";

/// Statements and portals that a connection may keep under names; a driver's pool has some hundred.
const MOST_NAMES: usize = 500;

/// A connection that has logged in.
pub(super) struct Login {
    address: IpAddr,
    token: String,
    organizer: Option<OrganizerId>,
    running: Arc<Mutex<CancellationToken>>,
    names: Mutex<BTreeSet<(u8, String)>>,
    settings: Mutex<Settings>,
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
    pub(super) fn begin(&self) -> Stop {
        let cancelled = CancellationToken::new();
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = cancelled.clone();
        let limit = self.settings().statement_timeout();
        Stop {
            cancelled,
            late: limit.map(|limit| Instant::now() + limit),
        }
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What ends a statement before it is done.
pub(super) struct Stop {
    cancelled: CancellationToken,
    late: Option<Instant>,
}

impl Stop {
    /// Waits until it is to end, and tells why.
    pub(super) async fn stopped(&self) -> PgWireError {
        let late = async {
            match self.late {
                Some(late) => sleep_until(late).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.cancelled.cancelled() => PgWireError::QueryCanceled,
            () = late => {
                PgWireError::UserError(said("57014", "the statement ran longer than its statement_timeout"))
            }
        }
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
                let organizer = organizer(client.metadata()).map_err(ended)?;
                let settings = Settings::new(client.metadata()).map_err(ended)?;
                let address = client.socket_addr().ip();
                let session = self.entrance.session(address, &token, organizer).await;
                // Before the client is told that it is logged in.
                if !self.guest.sit(session.map_err(fatal)?.organizer()) {
                    return Err(fatal(full()));
                }
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
                    settings: Mutex::new(settings),
                    _registered: registered,
                });
                finish_authentication(client, &parameters()).await
            }
            _ => Err(fatal(Problem::new("unauthenticated", "log in first"))),
        }
    }
}

/// Whose rows are meant. Clients that are told of no database name it like the user.
fn organizer(startup: &HashMap<String, String>) -> Result<Option<OrganizerId>, Box<ErrorInfo>> {
    let Some(name) = startup.get(METADATA_DATABASE) else {
        return Ok(None);
    };
    match name.parse() {
        Ok(id) => Ok(Some(id)),
        Err(_) if name == DATABASE || startup.get(METADATA_USER) == Some(name) => Ok(None),
        Err(_) => Err(said(
            "3D000",
            &format!("there is no database \"{name}\": name {DATABASE}, or an organizer's id"),
        )),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_everybodys_or_an_organizers() {
        let of = |user: &str, database: Option<&str>| {
            let named = [("user", Some(user)), ("database", database)];
            let named = named
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
            organizer(&named.collect()).map_err(|refused| refused.code)
        };
        let id = "00000000-0000-7d2d-b056-e7baa28c6dec";
        assert_eq!(of("ada", None), Ok(None));
        assert_eq!(of("ada", Some("bilten")), Ok(None));
        assert_eq!(of("ada", Some("ada")), Ok(None));
        assert_eq!(of("ada", Some(id)), Ok(Some(id.parse().unwrap())));
        for unknown in ["nope", "", "'; drop", "00000000-0000-7d2d-b056"] {
            assert_eq!(of("ada", Some(unknown)), Err("3D000".to_owned()), "{unknown}");
        }
    }
}
