//! `bilten serve`.

use crate::{
    config::{Config, ServeOptions},
    home::HeldHome,
    server::Server,
};
use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

pub(crate) async fn run(config: &Config, options: &ServeOptions) -> Result<()> {
    let server = Server::start(hold(config)?, config, options).await?;
    say(&format!(
        "Bilten listens on {}  (data folder {}, API description at {}/docs, stop with Ctrl-C)",
        server.running().url,
        config.home.display(),
        server.running().url
    ));
    for (who, address) in server.running().for_tools() {
        say(&format!(
            "{who} clients connect to {address}, with an API token as the password"
        ));
    }
    let ended = until_the_end(&server).await;
    say("stopping: requests end, the lake takes what waits…");
    server.stop().await?;
    say("stopped");
    ended
}

/// Waits for the order to stop, or for what makes going on senseless.
pub(crate) async fn until_the_end(server: &Server) -> Result<()> {
    tokio::select! {
        result = until_told_to_stop() => result,
        why = server.failed() => bail!(why),
    }
}

/// The folder, or an error that says who has it.
pub(crate) fn hold(config: &Config) -> Result<HeldHome> {
    let home = config.home();
    if let Some(held) = home.hold()? {
        return Ok(held);
    }
    match home.running_server()? {
        Some(server) => bail!(
            "the data folder {} is in use by the server at {} (process {}); stop that one, or use another folder \
             with --home",
            home.path().display(),
            server.url,
            server.pid
        ),
        None => bail!(
            "the data folder {} is in use by another bilten process",
            home.path().display()
        ),
    }
}

/// Ctrl-C or a polite kill. A second one while we close ends the process at once; what was answered is durable anyway.
async fn until_told_to_stop() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("signals can't be taken")?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.context("signals can't be taken")?,
        _ = terminate.recv() => {}
    }
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
    Ok(())
}

#[expect(clippy::print_stderr, reason = "this is the command line's own output")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
