//! The lake for tools that speak Arrow Flight SQL: ADBC drivers in Python, R, Go and Java, and what builds on them.
//! Rows stay in Arrow's columns from the query to the client.
//!
//! Every call says who it comes from, by a Bearer token in the header `authorization`, or by the log-in with user name
//! and password that drivers make of theirs: the password is the token. The header `bilten-organizer` names the
//! organizer whose rows are meant, where there are several. The server remembers no statement: a handle is the
//! statement itself, and gives nobody a right, because whoever comes with it is asked who they are.

mod handle;
mod service;
mod tables;

use super::{Connection, DRAIN, Entrance, connections, full, lobby::Guest};
use crate::problem::{Problem, Result};
use arrow_flight::flight_service_server::FlightServiceServer;
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use domain::OrganizerId;
use futures::StreamExt;
use lakehouse::Session;
use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Status,
    metadata::MetadataMap,
    transport::{Server, server::Connected},
};

/// A statement and its values; nothing is uploaded here.
const MESSAGE_BYTES: usize = 256 << 10;
/// One client's calls at a time. Each query waits for a turn anyway.
const CALLS_A_CONNECTION: u32 = 16;
/// Peers that are gone without a word are found out.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Drivers write user names and passwords with the signs at the end that fill up a group, or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Clone)]
struct Flight {
    entrance: Entrance,
}

/// Answers until it is told to stop.
pub(super) async fn serve(entrance: Entrance, listener: TcpListener, stop: CancellationToken) {
    let service = FlightServiceServer::new(Flight { entrance }).max_decoding_message_size(MESSAGE_BYTES);
    let incoming = connections(listener).map(|connection| io::Result::Ok(Incoming::new(connection)));
    let serving = Server::builder()
        .max_concurrent_streams(CALLS_A_CONNECTION)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        ended = serving => if let Err(error) = ended {
            tracing::error!(%error, "Flight SQL is not served any more");
        },
        () = drained => tracing::warn!("some statements of Flight's clients did not end in {DRAIN:?} and were cut off"),
    }
}

impl Flight {
    /// The session of whoever calls.
    async fn session<T>(&self, request: &Request<T>) -> Result<Session, Status> {
        let peer = request.extensions().get::<Peer>();
        let Peer { address, guest } = peer.ok_or_else(|| Status::internal("a call without an address"))?;
        let address = *address;
        self.entrance.admit(address).map_err(refuse)?;
        let organizer = organizer(request.metadata()).map_err(refuse)?;
        let token = token(request.metadata()).map_err(refuse)?;
        let session = self.entrance.session(address, &token, organizer).await;
        let session = session.map_err(refuse)?;
        match guest.sit(session.organizer()) {
            true => Ok(session),
            false => Err(refuse(full())),
        }
    }
}

/// From `Bearer TOKEN`, or `Basic` with any user name and the token as the password.
fn token(metadata: &MetadataMap) -> Result<String> {
    let wrong = || {
        Problem::new(
            "unauthenticated",
            "send authorization: Bearer <token>, or the token as a password",
        )
    };
    let value = metadata.get("authorization").and_then(|value| value.to_str().ok());
    let (scheme, secret) = value.and_then(|value| value.split_once(' ')).ok_or_else(wrong)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(secret.trim().to_owned());
    }
    let decoded = BASE64
        .decode(secret.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded
        .filter(|_| scheme.eq_ignore_ascii_case("basic"))
        .ok_or_else(wrong)?;
    decoded
        .split_once(':')
        .map(|(_, password)| password.to_owned())
        .ok_or_else(wrong)
}

fn organizer(metadata: &MetadataMap) -> Result<Option<OrganizerId>> {
    let Some(value) = metadata.get("bilten-organizer") else {
        return Ok(None);
    };
    let id = value.to_str().ok().and_then(|text| text.parse().ok());
    id.map(Some)
        .ok_or_else(|| Problem::invalid("/bilten-organizer", "this is not an organizer's id"))
}

/// Our code stands behind the message, and gRPC's nearest in its own place.
fn refuse(problem: impl Into<Problem>) -> Status {
    let problem = problem.into();
    let message = problem.to_string();
    match problem.code.as_ref() {
        "invalid_sql" | "invalid_field" => Status::invalid_argument(message),
        "query_forbidden" | "forbidden" => Status::permission_denied(message),
        "not_found" => Status::not_found(message),
        "unauthenticated" => Status::unauthenticated(message),
        "timeout" => Status::deadline_exceeded(message),
        "resources_exhausted" | "busy" | "too_many_requests" => Status::resource_exhausted(message),
        "unavailable" => Status::unavailable(message),
        "conflict" => Status::failed_precondition(message),
        _ => Status::internal(message),
    }
}

/// Who calls over a connection.
#[derive(Clone)]
struct Peer {
    address: IpAddr,
    guest: Arc<Guest>,
}

/// A connection that ends when nobody logs in over it.
struct Incoming {
    connection: Connection,
    shown_out: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Incoming {
    fn new(connection: Connection) -> Self {
        let shown_out = Box::pin(Arc::clone(&connection.guest).shown_out());
        Self { connection, shown_out }
    }

    fn stream(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.connection.stream)
    }
}

impl Connected for Incoming {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        Peer {
            address: self.connection.peer.ip(),
            guest: Arc::clone(&self.connection.guest),
        }
    }
}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.shown_out.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.stream().poll_read(context, buffer)
    }
}

impl AsyncWrite for Incoming {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged_in(value: &str) -> Result<String> {
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", value.parse().unwrap());
        token(&metadata)
    }

    #[test]
    fn a_password_is_a_token_however_long_the_name_and_however_it_is_filled_up() {
        // me, ada and jane
        for text in ["bWU6c2VjcmV0", "YWRhOnNlY3JldA==", "amFuZTpzZWNyZXQ="] {
            for text in [text, text.trim_end_matches('=')] {
                assert_eq!(logged_in(&format!("Basic {text}")).unwrap(), "secret", "{text}");
            }
        }
        assert_eq!(logged_in("bearer secret").unwrap(), "secret");
        for wrong in ["Basic secret", "Basic c2VjcmV0", "secret", "Digest YWRhOnNlY3JldA=="] {
            assert!(logged_in(wrong).is_err(), "{wrong}");
        }
    }
}
