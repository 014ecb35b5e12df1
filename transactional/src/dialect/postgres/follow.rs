//! Commits of other processes, told by the server. A notification wakes at once, and a look each second makes up for
//! those that got lost with a connection.

use super::super::{CONNECTING, Db};
use crate::{outbox, sql::Statement, store::Peek};
use sqlx::{Pool, postgres::PgListener};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

const CHANNEL: &str = "bilten_committed";
const LOOK: Duration = Duration::from_secs(1);

pub(crate) fn announcement(position: i64) -> Statement {
    Statement::new(format!("notify {CHANNEL}, '{position}'"), vec![])
}

pub(crate) async fn follow_commits(url: &str, readers: Pool<Db>, committed: Arc<watch::Sender<i64>>) {
    let mut told = false;
    loop {
        if let Err(error) = follow(url, &readers, &committed, &mut told).await
            && !std::mem::replace(&mut told, true)
        {
            tracing::warn!(%error, "the database does not tell of commits now; they are asked for each second");
        }
        look(&readers, &committed).await;
        sleep(LOOK).await;
    }
}

/// Ends when the connection can't be made or kept; `told` is false again once it stands.
async fn follow(url: &str, readers: &Pool<Db>, committed: &watch::Sender<i64>, told: &mut bool) -> sqlx::Result<()> {
    let listening = async {
        let mut listener = PgListener::connect(url).await?;
        listener.listen(CHANNEL).await.map(|()| listener)
    };
    let late = |_| sqlx::Error::PoolTimedOut;
    let mut listener = timeout(CONNECTING, listening).await.map_err(late)??;
    *told = false;
    look(readers, committed).await;
    loop {
        match timeout(LOOK, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => {
                if let Ok(position) = notification.payload().parse() {
                    advance(committed, position);
                }
            }
            Ok(Err(error)) => return Err(error),
            // The connection was lost and made again, or nothing was told for a while.
            Ok(Ok(None)) | Err(_) => look(readers, committed).await,
        }
    }
}

async fn look(readers: &Pool<Db>, committed: &watch::Sender<i64>) {
    let Ok(connection) = readers.acquire().await else {
        return;
    };
    if let Ok((position, _)) = outbox::committed(&mut Peek(connection)).await {
        advance(committed, position);
    }
}

/// Positions only grow, whoever tells them first.
pub(crate) fn advance(committed: &watch::Sender<i64>, position: i64) {
    committed.send_if_modified(|last| {
        let grows = position > *last;
        *last = position.max(*last);
        grows
    });
}
