//! Ends what time has ended: holds, unpaid orders, events, sessions, idempotency keys. Selling does not wait for it:
//! a hold that needs the capacity of an expired one takes it at once.

use crate::wiring::App;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(1);

pub async fn run(app: Arc<App>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = app.store.sweep().await {
            tracing::warn!(%error, "what has expired could not be swept; the next second tries again");
        }
    }
}
