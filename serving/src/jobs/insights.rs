//! Makes the reports that are due, and looks at alert rules once a minute. Whoever answers queries does, one process at a
//! time; the mails go out where mails are sent.

use crate::{
    insights,
    problem::{Problem, Result},
    wiring::App,
};
use domain::Timestamp;
use metrics::counter;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use transactional::insights::{alerts, reports};

const EVERY: Duration = Duration::from_secs(1);
const TOGETHER: i64 = 50;
/// The lake is a second behind at most. One that is further behind has figures that mislead, so they are not looked at.
const CATCH_UP: Duration = Duration::from_secs(10);

/// Computes and queues reports as their times come.
pub async fn send_reports(app: Arc<App>, stop: CancellationToken) {
    every_second(stop, "reports wait", || report_due(&app)).await;
}

pub async fn watch_metrics(app: Arc<App>, stop: CancellationToken) {
    every_second(stop, "alert rules wait", || look_due(&app)).await;
}

async fn every_second<F: Future<Output = Result<()>>>(
    stop: CancellationToken,
    trouble: &'static str,
    mut round: impl FnMut() -> F,
) {
    loop {
        let next = async {
            tokio::time::sleep(EVERY).await;
            round().await
        };
        tokio::select! {
            () = stop.cancelled() => return,
            done = next => {
                if let Err(error) = done {
                    tracing::warn!(%error, "{trouble}; the next second tries again");
                }
            }
        }
    }
}

async fn report_due(app: &App) -> Result<()> {
    let due = reports::due(&app.store, Timestamp::now(), TOGETHER).await?;
    if due.is_empty() || !is_up_to_date(app).await? {
        return Ok(());
    }
    for due in due {
        let (id, at) = (due.report.report_id, Timestamp::now());
        let outcome = match insights::guarded(insights::figures(app, &due.report, at)).await {
            Ok(figures) => {
                let sent = app.store.write("system", move |tx| {
                    Box::pin(async move { reports::sent(tx, due, figures, at).await })
                });
                if sent.await? { "sent" } else { "overtaken" }
            }
            Err(problem) => {
                tracing::warn!(report = %id, error = %problem, "a report can't be made; it is tried again in some minutes");
                let why = problem.detail;
                let noted = app.store.write("system", move |tx| {
                    Box::pin(async move { reports::failed(tx, id, why, at).await })
                });
                noted.await?;
                "failed"
            }
        };
        counter!("bilten_reports_total", "outcome" => outcome).increment(1);
    }
    Ok(())
}

async fn look_due(app: &App) -> Result<()> {
    let due = alerts::due(&app.store, Timestamp::now(), TOGETHER).await?;
    if due.is_empty() || !is_up_to_date(app).await? {
        return Ok(());
    }
    for rule in due {
        let (look, words) = insights::look(app, &rule).await;
        let outcome = if look.seen.is_ok() { "seen" } else { "failed" };
        counter!("bilten_alert_looks_total", "outcome" => outcome).increment(1);
        let recorded = app.store.write("system", move |tx| {
            Box::pin(async move { alerts::record(tx, rule, look, words).await })
        });
        recorded.await?;
    }
    Ok(())
}

/// Whether queries see all that is committed now.
async fn is_up_to_date(app: &App) -> Result<bool> {
    let committed = app.store.committed_now().await?;
    match app.queries()?.wait_for(committed, CATCH_UP).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == lakehouse::ErrorKind::Timeout => Err(Problem::new(
            "unavailable",
            "the lake is behind the core, and figures of before would mislead",
        )),
        Err(error) => Err(error.into()),
    }
}
