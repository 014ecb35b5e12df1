//! Brings marts up to what has come. Their answers are right without it; it keeps what an answer has to add small.

use std::time::Duration;
use tokio_util::sync::CancellationToken;
use transforms::{How, Runner};

/// A mart's answer adds what came since the last run, so a run more often would only write more files.
const EVERY: Duration = Duration::from_secs(10);
const AFTER_A_FAILURE: Duration = Duration::from_secs(60);

pub async fn run(runner: Runner, stop: CancellationToken) {
    let mut pause = EVERY;
    loop {
        let attempt = async {
            tokio::time::sleep(pause).await;
            runner.run_due().await
        };
        let ran = tokio::select! {
            () = stop.cancelled() => return,
            ran = attempt => ran,
        };
        pause = match ran {
            Ok(ran) => {
                for ran in ran.iter().filter(|ran| ran.how != How::Unchanged) {
                    metrics::counter!("bilten_transform_runs_total", "model" => ran.model.clone()).increment(1);
                    metrics::histogram!("bilten_transform_run_seconds", "model" => ran.model.clone())
                        .record(ran.took.as_secs_f64());
                }
                EVERY
            }
            Err(error) => {
                tracing::warn!(%error, "marts can't be brought up to date; it is tried again");
                AFTER_A_FAILURE
            }
        };
    }
}
