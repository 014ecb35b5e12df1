//! The lake for tools that speak PostgreSQL's protocol: psql, DBeaver, Metabase, Grafana, and every language's driver.
//!
//! One logs in with an API token as the password; the user name may be anything. The database is `bilten`, or the id of
//! the organizer whose rows are meant. Each statement asks anew who this is and runs in a session of that principal, so
//! a token that is revoked stops at the next statement, and what HTTP does not show is not shown here.
//!
//! A token is stored as a hash, and SCRAM would need the token itself. So it is sent in the clear, which is taken from
//! this machine alone, unless the operator says that something before Bilten encrypts the connection.

mod connection;
mod login;
mod query;
mod rows;
mod values;

use crate::{problem::Problem, wiring::App};
use login::Cancels;
use pgwire::error::{ErrorInfo, PgWireError};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// Tools keep connections that they do not use. Each has a task and some buffers.
const CONNECTIONS: usize = 200;
/// How long statements may take to end after a stop was asked for.
const DRAIN: Duration = Duration::from_secs(10);

/// What all connections share.
#[derive(Clone)]
pub(crate) struct Door {
    app: Arc<App>,
    cleartext_from_anywhere: bool,
    cancels: Cancels,
}

/// Takes connections until it is told to stop.
pub(crate) async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    cleartext_from_anywhere: bool,
    stop: CancellationToken,
) {
    let door = Arc::new(Door {
        app,
        cleartext_from_anywhere,
        cancels: Cancels::default(),
    });
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Too many open files, for one: it passes when others close.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Whoever comes when it is full is not kept waiting for a greeting.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        let (door, stop) = (Arc::clone(&door), stop.clone());
        connections.spawn(async move {
            let _place = place;
            if let Err(error) = connection::run(stream, peer, door, stop).await {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, ended).await.is_err() {
        tracing::warn!("some statements did not end in {DRAIN:?} and were cut off");
    }
}

/// Our code stands in the detail, and PostgreSQL's nearest in its own place.
fn refuse(severity: &str, problem: &Problem) -> PgWireError {
    let state = match problem.code.as_ref() {
        "invalid_sql" => "42601",
        "query_forbidden" | "forbidden" | "not_found" => "42501",
        "invalid_field" => "22023",
        "timeout" => "57014",
        "resources_exhausted" => "53200",
        "busy" | "too_many_requests" => "53300",
        "unauthenticated" => "28P01",
        "unavailable" => "58000",
        _ => "XX000",
    };
    let mut info = ErrorInfo::new(severity.to_owned(), state.to_owned(), problem.detail.clone());
    info.detail = Some(format!("code {}", problem.code));
    PgWireError::UserError(Box::new(info))
}

fn error(problem: impl Into<Problem>) -> PgWireError {
    refuse("ERROR", &problem.into())
}

fn fatal(problem: impl Into<Problem>) -> PgWireError {
    refuse("FATAL", &problem.into())
}
