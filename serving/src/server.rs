//! A running Bilten: the backends, the background work and the HTTP listener, started and stopped as one.

use crate::{
    config::{Config, ServeOptions},
    home::{HeldHome, OwnProcess, RunningServer},
    listen, router,
    tools::Listeners,
    wiring::{App, Wiring},
};
use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// How long open requests may take to end after a stop was asked for.
const DRAIN: Duration = Duration::from_secs(10);

pub struct Server {
    running: RunningServer,
    wiring: Wiring,
    listener: JoinHandle<()>,
    tools: JoinSet<()>,
    stop: CancellationToken,
    // Last: the folder is let go of when everything in it is closed.
    held: HeldHome,
}

impl Server {
    pub async fn start(held: HeldHome, config: &Config, options: &ServeOptions) -> Result<Self> {
        // A shell allows a thousand at first, which connections and the lake's files soon take.
        if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
        let admin_token = format!("bilten_admin_{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
        let listener = TcpListener::bind(options.listen).await.with_context(|| {
            format!(
                "{} can't be listened on; choose another address with --listen",
                options.listen
            )
        })?;
        let tools = Listeners::bind(&options.tools, &options.roles).await?;
        let [postgres, flight] = tools.addresses()?;
        let url = format!("http://{}", listener.local_addr()?);
        let own = OwnProcess {
            process_id: held.process_id()?,
            url: url.clone(),
            admin_token: admin_token.clone(),
        };
        let wiring = Wiring::open(config, options, &own).await?;
        let stop = wiring.app().stopping.clone();
        let router = router::build(wiring.app());
        let listener = tokio::spawn(listen::serve(listener, router, listen::PATIENCE, stop.clone()));
        let running = RunningServer {
            url,
            admin_token,
            pid: std::process::id(),
            postgres,
            flight,
        };
        let tools = tools.serve(wiring.app(), &stop);
        held.announce(&running)?;
        Ok(Self {
            running,
            wiring,
            listener,
            tools,
            stop,
            held,
        })
    }

    pub fn running(&self) -> &RunningServer {
        &self.running
    }

    pub fn app(&self) -> &Arc<App> {
        self.wiring.app()
    }

    /// Comes back with the reason if the server can't go on.
    pub async fn failed(&self) -> String {
        self.wiring.failed().await
    }

    /// Waits until queries see all that the core has committed: after a crash, the log is read again first.
    pub async fn catch_up(&self) {
        self.wiring.catch_up().await;
    }

    /// Takes no more requests, lets those that run end, and closes everything in the order in which data flows.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        let abort = self.listener.abort_handle();
        match tokio::time::timeout(DRAIN, self.listener).await {
            Ok(joined) => joined.context("the listener failed")?,
            Err(_) => {
                abort.abort();
                tracing::warn!("some requests did not end in {DRAIN:?} and were cut off");
            }
        }
        self.tools.join_all().await;
        self.wiring.close().await?;
        drop(self.held);
        Ok(())
    }
}
