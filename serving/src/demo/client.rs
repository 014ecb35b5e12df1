//! The API as somebody outside sees it: an address, and for staff a token.

use anyhow::{Context, Result, bail};
use domain::Timestamp;
use reqwest::{Method, RequestBuilder, header};
use serde_json::Value;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(15);
/// Lists longer than this have their end cut off: the demo's are far shorter.
const MOST_PAGES: usize = 20;

/// What the demo's imports named their events: others' events are left alone.
const OURS: &str = "demo:event:";

pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    pub(super) fn new(url: String, token: String) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { http, url, token })
    }

    /// As a member of the staff.
    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        answer(self.request(Method::GET, path).bearer_auth(&self.token)).await
    }

    /// As a member of the staff.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        answer(self.request(Method::POST, path).bearer_auth(&self.token).json(body)).await
    }

    /// As a buyer, with a key of its own, so that a repeat on a bad line would buy nothing twice.
    pub(super) async fn buy(&self, path: &str, key: &str, body: &Value) -> Result<Value> {
        answer(
            self.request(Method::POST, path)
                .header("Idempotency-Key", key)
                .json(body),
        )
        .await
    }

    /// As anyone.
    pub(super) async fn look(&self, path: &str) -> Result<Value> {
        answer(self.request(Method::GET, path)).await
    }

    /// As the payment provider, with its signature.
    pub(super) async fn report(&self, path: &str, signature: (&str, &str), body: Vec<u8>) -> Result<Value> {
        let request = self.request(Method::POST, path).header(signature.0, signature.1);
        answer(request.header(header::CONTENT_TYPE, "application/json").body(body)).await
    }

    pub(super) async fn send_lines(&self, path: &str, lines: &[Value]) -> Result<Value> {
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        answer(
            self.request(Method::POST, path)
                .header(header::CONTENT_TYPE, "application/x-ndjson")
                .body(body),
        )
        .await
    }

    /// All items of a list.
    pub(super) async fn all(&self, path: &str) -> Result<Vec<Value>> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let first = format!("{path}{joint}limit=200");
        let (mut items, mut next) = (Vec::new(), Some(first.clone()));
        for _ in 0..MOST_PAGES {
            let Some(page) = next.take() else { break };
            let mut page = self.get(&page).await?;
            if let Value::Array(found) = page["items"].take() {
                items.extend(found);
            }
            next = page["next_cursor"]
                .as_str()
                .map(|cursor| format!("{first}&cursor={cursor}"));
        }
        Ok(items)
    }

    /// The demo's events on sale that begin in a span of time.
    pub(super) async fn events(&self, from: Timestamp, before: Timestamp) -> Result<Vec<Value>> {
        let mut events = self
            .all(&format!("/v1/events?starts_from={from}&starts_before={before}"))
            .await?;
        events.retain(|event| event["source"].as_str().is_some_and(|source| source.starts_with(OURS)));
        Ok(events)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }
}

async fn answer(request: RequestBuilder) -> Result<Value> {
    let response = request.send().await.context("no answer")?;
    let status = response.status();
    let body = response.bytes().await.context("the answer broke off")?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if !status.is_success() {
        bail!(
            "{status}: {} ({})",
            body["detail"].as_str().unwrap_or_default(),
            body["code"].as_str().unwrap_or_default()
        );
    }
    Ok(body)
}

/// A text of an answer.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field]
        .as_str()
        .with_context(|| format!("the answer has no {field}"))
}
