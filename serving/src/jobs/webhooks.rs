//! Delivers changes to webhook endpoints: makes deliveries of new changes, and attempts those whose time has come.
//! Endpoints don't wait for each other; each is sent one delivery at a time, in the order of changes. After a failure
//! the endpoint's other deliveries wait for the next round, and the failed one for its pause.

use crate::wiring::App;
use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{Timestamp, WebhookEndpointId, message::DeliveryStatus};
use hmac::{Hmac, KeyInit, Mac};
use metrics::counter;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use sha2::Sha256;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use transactional::webhooks::{self, Attempt, DueDelivery};

const EVERY: Duration = Duration::from_millis(500);
/// Endpoints that are sent to at once.
const AT_ONCE: usize = 16;
const TOGETHER: i64 = 500;

/// The endpoints that are being sent to.
#[derive(Default)]
struct Running {
    tasks: JoinSet<WebhookEndpointId>,
    endpoints: HashSet<WebhookEndpointId>,
}

pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut running = Running::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = round(&app, &mut running).await {
            tracing::warn!(
                error = format!("{error:#}"),
                "webhooks wait; the next round tries again"
            );
        }
    }
}

async fn round(app: &Arc<App>, running: &mut Running) -> Result<()> {
    while webhooks::fan_out(&app.store).await? {}
    while let Some(ended) = running.tasks.try_join_next() {
        match ended {
            Ok(endpoint) => running.endpoints.remove(&endpoint),
            // Which one it was is not known; what runs besides is finished first.
            Err(_) => {
                running.tasks.shutdown().await;
                running.endpoints.clear();
                break;
            }
        };
    }
    let mut due: HashMap<WebhookEndpointId, Vec<DueDelivery>> = HashMap::new();
    for delivery in webhooks::due(&app.store, Timestamp::now(), TOGETHER).await? {
        if !running.endpoints.contains(&delivery.webhook_endpoint_id) {
            due.entry(delivery.webhook_endpoint_id).or_default().push(delivery);
        }
    }
    for (endpoint, deliveries) in due {
        if running.endpoints.len() >= AT_ONCE {
            break;
        }
        running.endpoints.insert(endpoint);
        let app = app.clone();
        running.tasks.spawn(async move {
            if let Err(error) = deliver(&app, deliveries).await {
                tracing::warn!(error = format!("{error:#}"), %endpoint, "a webhook's delivery could not be recorded");
            }
            endpoint
        });
    }
    Ok(())
}

/// To one endpoint, in order, up to the first that fails.
async fn deliver(app: &App, deliveries: Vec<DueDelivery>) -> Result<()> {
    for delivery in deliveries {
        let attempt = attempt(app, &delivery).await?;
        let id = delivery.webhook_delivery_id;
        let status = app
            .store
            .write("system", move |tx| Box::pin(webhooks::record(tx, id, attempt)))
            .await?;
        counter!("bilten_webhook_attempts_total", "outcome" => status.as_str()).increment(1);
        if status != DeliveryStatus::Delivered {
            break;
        }
    }
    Ok(())
}

async fn attempt(app: &App, delivery: &DueDelivery) -> Result<Attempt> {
    let at = Timestamp::now();
    let headers = headers(delivery, at)?;
    let sent = app.outgoing.post(&delivery.url, headers, delivery.body.clone()).await;
    let at = Timestamp::now();
    Ok(match sent {
        Ok(answer) => Attempt {
            response_status: Some(answer.status),
            reason: None,
            retry_after: answer.retry_after,
            at,
        },
        Err(reason) => Attempt {
            response_status: None,
            reason: Some(reason),
            retry_after: None,
            at,
        },
    })
}

/// The headers of Standard Webhooks 1.0. The id stays the same over all attempts, the time is the attempt's, and there is
/// a signature for each secret, separated by spaces.
/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
fn headers(delivery: &DueDelivery, at: Timestamp) -> Result<HeaderMap> {
    let (id, seconds) = (delivery.webhook_delivery_id, at.as_millis() / 1_000);
    let signed = format!("{id}.{seconds}.{}", delivery.body);
    let signatures: Vec<String> = delivery
        .secrets
        .iter()
        .map(|secret| sign(secret, &signed))
        .collect::<Result<_>>()?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("webhook-id", HeaderValue::try_from(id.to_string())?);
    headers.insert("webhook-timestamp", HeaderValue::from(seconds));
    headers.insert("webhook-signature", HeaderValue::try_from(signatures.join(" "))?);
    Ok(headers)
}

fn sign(secret: &str, text: &str) -> Result<String> {
    let secret = secret
        .strip_prefix("whsec_")
        .context("the secret is not one of a webhook")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(secret)?)?;
    mac.update(text.as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::WebhookDeliveryId;

    #[test]
    fn the_signature_is_over_id_time_and_body() {
        let delivery = DueDelivery {
            webhook_delivery_id: "01932c07-1d5a-7cc0-8000-000000000001"
                .parse::<WebhookDeliveryId>()
                .unwrap(),
            webhook_endpoint_id: WebhookEndpointId::new(),
            url: "https://example.org".into(),
            secrets: [[7; 32], [8; 32]]
                .map(|secret| format!("whsec_{}", STANDARD.encode(secret)))
                .into(),
            body: "{\"type\":\"order.paid\"}".into(),
        };
        let headers = headers(&delivery, Timestamp::from_millis(1_674_087_231_999)).unwrap();
        assert_eq!(headers["webhook-timestamp"], "1674087231");
        // Computed with Python's hmac over the same text.
        let signatures = headers["webhook-signature"].to_str().unwrap();
        let (new, old) = signatures.split_once(' ').unwrap();
        assert_eq!(new, "v1,Ys9UkI658VfkUVQCipoAJ4vzWarYinVpVSqOSNGJfb8=");
        assert!(old.starts_with("v1,") && old != new, "{signatures}");
    }
}
