//! Money that moves without a request: refunds that their provider has to be asked for, those of whole events, and the
//! day's reconciliation.

use crate::wiring::App;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use transactional::{
    payments::{event_refunds, refunds},
    reconciliation,
};

const EVERY: Duration = Duration::from_secs(1);
/// Refunds that are asked for before the next look.
const TOGETHER: i64 = 50;
const LOOK: Duration = Duration::from_secs(600);

/// Asks for refunds as they come.
pub async fn refund(app: Arc<App>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = refunds::ask(&app.store, app.payments.provider(), TOGETHER).await {
            tracing::warn!(%error, "refunds could not be asked for; the next second tries again");
        }
    }
}

/// Goes on with the refunds of cancelled events, where whoever led before has stopped.
pub async fn refund_events(app: Arc<App>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let more = event_refunds::go_on(&app.store).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "refunds of whole events can't go on; the next second tries again");
            false
        });
        if more {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Reconciles each day once it is over.
pub async fn reconcile(app: Arc<App>, stop: CancellationToken) {
    loop {
        if let Err(error) = reconcile_due(&app).await {
            tracing::warn!(%error, "the day could not be reconciled; it is tried again in ten minutes");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn reconcile_due(app: &App) -> transactional::Result<()> {
    let provider = app.payments.provider();
    let Some(day) = reconciliation::due(&app.store, provider.name()).await? else {
        return Ok(());
    };
    let done = reconciliation::run(&app.store, provider, &day).await?;
    match done.differences.len() {
        0 => tracing::info!(
            day,
            reports = done.reports,
            caught_up = done.caught_up,
            "payments reconciled"
        ),
        differences => tracing::error!(
            day,
            differences,
            "payments differ from the provider's: see /v1/reconciliations"
        ),
    }
    Ok(())
}
