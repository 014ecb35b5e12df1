//! Background work: started and stopped in the order in which data flows through it.

use anyhow::{Context, Error, Result};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use transactional::Store;

#[derive(Default)]
pub struct Stages {
    running: Vec<(CancellationToken, JoinHandle<()>)>,
    failed: watch::Sender<Option<String>>,
    leads: watch::Sender<Vec<&'static str>>,
}

impl Stages {
    pub fn add<F>(&mut self, name: &'static str, run: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        // A task of its own, so that its panic is seen here.
        let (work, failed) = (tokio::spawn(run(stop.clone())), self.failed.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = work.await.map_err(Error::from).flatten() {
                failed.send_replace(Some(format!("the {name} can't go on: {error:#}")));
            }
        });
        self.running.push((stop, task));
    }

    /// Work for one process of the installation at a time: it runs while this one holds the lease of that name.
    pub fn lead<F>(
        &mut self,
        name: &'static str,
        store: Store,
        process_id: String,
        mut run: impl FnMut(CancellationToken) -> F + Send + 'static,
    ) where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let leads = self.leads.clone();
        self.add(name, |stop| async move {
            let lease = store.lease(name, process_id);
            let mut held = lease.held();
            while !stop.is_cancelled() {
                tokio::select! {
                    held = held.wait_for(|held| *held) => drop(held.context("the lease is lost for good")?),
                    () = stop.cancelled() => break,
                }
                leads.send_modify(|leads| leads.push(name));
                let term = stop.child_token();
                let work = run(term.clone());
                tokio::pin!(work);
                let ended = tokio::select! {
                    ended = &mut work => Some(ended),
                    _ = held.wait_for(|held| !*held) => None,
                };
                let ended = match ended {
                    Some(ended) => ended,
                    None => {
                        term.cancel();
                        work.await
                    }
                };
                leads.send_modify(|leads| leads.retain(|lead| *lead != name));
                ended?;
            }
            lease.release().await;
            Ok(())
        });
    }

    /// What this process leads at present.
    pub fn leads(&self) -> watch::Receiver<Vec<&'static str>> {
        self.leads.subscribe()
    }

    /// Comes back if something fails that waiting can't mend: then going on would only hide it.
    pub async fn failed(&self) -> String {
        let mut failed = self.failed.subscribe();
        match failed.wait_for(Option::is_some).await.map(|failed| failed.clone()) {
            Ok(Some(why)) => why,
            _ => std::future::pending().await,
        }
    }

    pub async fn stop(self) -> Result<()> {
        for (stop, stage) in self.running {
            stop.cancel();
            stage.await.context("a background task failed")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stage_that_panics_has_failed_and_says_why() {
        let mut stages = Stages::default();
        stages.add("clock", |_| async { panic!("it is thirteen") });
        let why = stages.failed().await;
        assert!(
            why.starts_with("the clock can't go on: ") && why.contains("thirteen"),
            "{why}"
        );
        stages.stop().await.unwrap();
    }
}
