//! Brings marts up to what has come. Their answers are right without it; it keeps what an answer has to add small.

use std::time::Duration;
use tokio_util::sync::CancellationToken;
use transforms::{How, Runner};

/// A mart's answer adds what came since the last run, so a run more often would only write more files.
const EVERY: Duration = Duration::from_secs(10);

pub async fn run(runner: Runner, stop: CancellationToken) {
    loop {
        let attempt = async {
            tokio::time::sleep(EVERY).await;
            runner.run_due().await
        };
        let ran = tokio::select! {
            () = stop.cancelled() => return,
            ran = attempt => ran,
        };
        for (transform, ran) in ran {
            match ran {
                Ok(ran) if ran.how == How::Unchanged => {}
                Ok(ran) => {
                    metrics::counter!("bilten_transform_runs_total", "transform" => transform.clone()).increment(1);
                    metrics::histogram!("bilten_transform_run_seconds", "transform" => transform)
                        .record(ran.took.as_secs_f64());
                }
                Err(error) => {
                    let seconds = runner.rest(&transform).as_secs();
                    tracing::warn!(transform, %error, seconds, "a mart can't be brought up to date; then it is tried again")
                }
            }
        }
    }
}
