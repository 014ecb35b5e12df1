//! Every command speaks HTTP: to the server that holds the data folder, or to one that it starts in its own process for
//! as long as it runs. So each command is written once, and what it does a program can do too.

use crate::{
    config::{Config, ServeOptions},
    home::RunningServer,
    server::Server,
};
use anyhow::{Context, Result, bail};
use reqwest::{Method, RequestBuilder, Response, header};
use serde::de::DeserializeOwned;
use std::time::{Duration, Instant};

/// How long to wait for a server that holds the folder but has not said yet where it listens.
const STARTING: Duration = Duration::from_secs(20);

pub(crate) struct Connection {
    http: reqwest::Client,
    url: String,
    token: String,
    /// The server in our own process, if there was none.
    own: Option<Server>,
}

impl Connection {
    /// For a command that only looks: an empty folder would give an answer about nothing.
    pub(crate) async fn to_existing(config: &Config) -> Result<Self> {
        if config.server.is_none() && config.database_url.is_none() && !config.home.join("core.db").exists() {
            bail!(
                "there is no data folder at {}; start with `bilten serve` or `bilten demo`, or name another with --home",
                config.home.display()
            );
        }
        Self::open(config).await
    }

    pub(crate) async fn open(config: &Config) -> Result<Self> {
        if let Some((server, token)) = config.server.clone().zip(config.token.clone()) {
            return Self::to(server.trim_end_matches('/').to_owned(), token, None);
        }
        let home = config.home();
        let started = Instant::now();
        loop {
            if let Some(held) = home.hold()? {
                let server = Server::start(held, config, &ServeOptions::private(config)).await?;
                server.catch_up().await;
                return Self::to(
                    server.running().url.clone(),
                    server.running().admin_token.clone(),
                    Some(server),
                );
            }
            if let Some(running) = home.running_server()? {
                let RunningServer { url, admin_token, .. } = running;
                return Self::to(url, admin_token, None);
            }
            if started.elapsed() > STARTING {
                bail!(
                    "the data folder {} is in use by another process that does not say where it listens; \
                     wait until it has ended, or use another folder with --home",
                    home.path().display()
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) fn to(url: String, token: String, own: Option<Server>) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { http, url, token, own })
    }

    /// True if a server was running already.
    pub(crate) fn is_remote(&self) -> bool {
        self.own.is_none()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token)
    }

    pub(crate) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let bytes = send(request)
            .await?
            .bytes()
            .await
            .context("the server's answer broke off")?;
        serde_json::from_slice(&bytes).context("the server's answer is not what this version of bilten expects")
    }

    /// Ends our own server, if there is one: what was answered is durable, and what is in the lake's tail is committed.
    pub(crate) async fn close(self) -> Result<()> {
        match self.own {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }
}

/// Sends, and turns a problem into an error that reads as a sentence.
pub(crate) async fn send(request: RequestBuilder) -> Result<Response> {
    let response = request.send().await.context("the server does not answer")?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/problem+json"));
    let text = response.text().await.unwrap_or_default();
    if is_problem {
        let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        bail!(
            "{}: {} ({})",
            problem["title"].as_str().unwrap_or("the server refused"),
            problem["detail"].as_str().unwrap_or(""),
            problem["code"].as_str().unwrap_or("")
        );
    }
    bail!("the server answered {status}: {text}")
}
