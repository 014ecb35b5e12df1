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

use super::{DRAIN, Entrance, connections};
use futures::StreamExt;
use login::Cancels;
use std::{pin::pin, sync::Arc};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// What all connections share.
#[derive(Clone)]
struct Postgres {
    entrance: Entrance,
    cancels: Cancels,
}

/// Takes connections until it is told to stop.
pub(super) async fn serve(entrance: Entrance, listener: TcpListener, stop: CancellationToken) {
    let postgres = Arc::new(Postgres {
        entrance,
        cancels: Cancels::default(),
    });
    let mut incoming = pin!(connections(listener));
    let mut open = JoinSet::new();
    loop {
        let connection = tokio::select! {
            () = stop.cancelled() => break,
            Some(connection) = incoming.next() => connection,
            Some(_) = open.join_next() => continue,
        };
        let (postgres, stop) = (Arc::clone(&postgres), stop.clone());
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
