//! The lake for tools that speak PostgreSQL's protocol: psql, DBeaver, Metabase, Grafana, and every language's driver.
//!
//! One logs in with an API token as the password; the user name may be anything. The database is `bilten`, or the id of
//! the organizer whose rows are meant.

mod connection;
mod error;
mod login;
mod prepared;
mod query;
mod rows;
mod settings;
mod values;

use super::{DRAIN, Entrance, connections, lobby::Guest};
use futures::StreamExt;
use login::Cancels;
use std::{pin::pin, sync::Arc};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// What answers over one connection. All but the guest is shared by all of them.
#[derive(Clone)]
struct Postgres {
    entrance: Entrance,
    cancels: Cancels,
    guest: Arc<Guest>,
}

/// Takes connections until it is told to stop.
pub(super) async fn serve(entrance: Entrance, listener: TcpListener, stop: CancellationToken) {
    let cancels = Cancels::default();
    let mut incoming = pin!(connections(listener));
    let mut open = JoinSet::new();
    loop {
        let connection = tokio::select! {
            () = stop.cancelled() => break,
            Some(connection) = incoming.next() => connection,
            Some(_) = open.join_next() => continue,
        };
        let postgres = Arc::new(Postgres {
            entrance: entrance.clone(),
            cancels: cancels.clone(),
            guest: Arc::clone(&connection.guest),
        });
        let stop = stop.clone();
        open.spawn(async move {
            if let Err(error) = connection::run(connection, postgres, stop).await {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
    let ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, ended).await.is_err() {
        tracing::warn!("some statements of PostgreSQL's clients did not end in {DRAIN:?} and were cut off");
    }
}
