//! Tells the other processes of the installation, through the database, that this one is there and how far it has come.

use crate::{home::OwnProcess, wiring::App};
use ingest::{CHANGES, INTERACTIONS};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use transactional::Process;

const EVERY: Duration = Duration::from_secs(2);

pub async fn run(app: Arc<App>, own: OwnProcess, leads: watch::Receiver<Vec<&'static str>>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let leading = leads.borrow().clone();
        let process = Process {
            process_id: own.process_id.clone(),
            roles: app.roles.to_string(),
            url: own.url.clone(),
            started_at: app.started_at,
            seen_at: app.started_at,
            report: report(&app, &leading).to_string(),
        };
        if let Err(error) = app.store.announce(process).await {
            tracing::warn!(%error, "this process can't be announced at present");
        }
        app.limits.forget_the_quiet();
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
    if let Err(error) = app.store.withdraw(own.process_id).await {
        tracing::warn!(%error, "this process stays on the list of processes for a few seconds");
    }
}

/// What of it changes while it works.
fn report(app: &App, leads: &[&'static str]) -> Value {
    let trouble = app.lake.as_ref().and_then(|lake| lake.trouble());
    let committed = app.lake.as_ref().map(|lake| {
        let partitions = [CHANGES, INTERACTIONS].into_iter().flat_map(|topic| {
            let partitions = app.log.partitions(topic).unwrap_or(0);
            (0..partitions).map(move |partition| (topic, partition))
        });
        partitions
            .map(|(topic, partition)| (format!("{topic}/{partition}"), json!(lake.committed(topic, partition))))
            .collect::<serde_json::Map<_, _>>()
    });
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "leads": leads,
        "visible_seq": app.queries().ok().map(|lake| lake.watermark()),
        "committed_offsets": committed,
        "trouble": trouble,
    })
}
