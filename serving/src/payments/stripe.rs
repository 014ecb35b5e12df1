//! Stripe: payments by its hosted Checkout page, refunds, disputes, and its signed events.
//!
//! Written against the API's documented shapes (<https://docs.stripe.com/api>): `POST /v1/checkout/sessions`, `POST
//! /v1/refunds`, `GET /v1/events`, and webhooks signed as <https://docs.stripe.com/webhooks#verify-manually> says. A
//! payment and a refund carry our ids as metadata and as idempotency keys, so that asking twice does once.

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use clap::Args;
use domain::{Money, Timestamp, changes::Payment};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;
use std::time::Duration;
use transactional::{
    Error, Result, Store,
    payments::{
        NextStep, PaymentProvider, Report, ReportedOutcome,
        refunds::{DueRefund, RefundAnswer},
    },
};
use url::form_urlencoded::Serializer;

/// How Stripe is reached. Without a key, payments go to the test provider.
#[derive(Clone, Debug, Default, Args)]
pub struct StripeOptions {
    /// Stripe's secret key: payments go to Stripe, and no longer to the test provider
    #[arg(
        long,
        env = "STRIPE_SECRET_KEY",
        hide_env_values = true,
        value_name = "KEY",
        help_heading = "Payments",
        requires = "stripe_webhook_secret"
    )]
    pub stripe_secret_key: Option<String>,

    /// The signing secret of the webhook at Stripe that posts to /v1/webhooks/payments/stripe
    #[arg(
        long,
        env = "STRIPE_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET",
        help_heading = "Payments"
    )]
    pub stripe_webhook_secret: Option<String>,

    /// Where Stripe sends buyers back to; {order_id} stands for the order [default: the order's page]
    #[arg(long, env = "STRIPE_RETURN_URL", value_name = "URL", help_heading = "Payments")]
    pub stripe_return_url: Option<String>,

    /// Stripe's API
    #[arg(
        long,
        env = "STRIPE_API_URL",
        default_value = "https://api.stripe.com",
        value_name = "URL",
        help_heading = "Payments"
    )]
    pub stripe_api_url: String,
}

pub struct Stripe {
    http: reqwest::Client,
    secret_key: String,
    webhook_secret: String,
    return_url: Option<String>,
    api_url: String,
}

/// How far a webhook's time may be from ours: an older one could be played again.
const TOLERANCE: Duration = Duration::from_secs(300);
const TIMEOUT: Duration = Duration::from_secs(20);
const PAGE: usize = 100;

/// The events that this program takes.
const EVENTS: [&str; 9] = [
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.closed",
    "checkout.session.expired",
];

#[derive(Deserialize)]
struct Event {
    id: String,
    r#type: String,
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    object: Value,
}

impl Stripe {
    /// None if there is no key.
    pub fn new(options: &StripeOptions) -> anyhow::Result<Option<Self>> {
        let (Some(secret_key), Some(webhook_secret)) = (&options.stripe_secret_key, &options.stripe_webhook_secret)
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            http: reqwest::Client::builder().timeout(TIMEOUT).build()?,
            secret_key: secret_key.clone(),
            webhook_secret: webhook_secret.clone(),
            return_url: options.stripe_return_url.clone(),
            api_url: options.stripe_api_url.trim_end_matches('/').to_owned(),
        }))
    }

    /// `once`: the idempotency key.
    async fn post(&self, path: &str, form: &[(&str, String)], once: String) -> Result<Value> {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self
            .http
            .request(Method::POST, format!("{}{path}", self.api_url))
            .header("Idempotency-Key", once)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        self.send(request).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let unavailable = |error: reqwest::Error| Error::Unavailable(format!("Stripe: {}", error.without_url()));
        let response = request
            .bearer_auth(&self.secret_key)
            .send()
            .await
            .map_err(unavailable)?;
        let status = response.status();
        let body: Value = response.json().await.map_err(unavailable)?;
        if status.is_success() {
            return Ok(body);
        }
        let message = body["error"]["message"].as_str().unwrap_or("no reason given");
        // Whether money can be had back is Stripe's to say; that the request was wrong or too early is not.
        match status {
            StatusCode::BAD_REQUEST | StatusCode::PAYMENT_REQUIRED => Err(Error::conflict(
                "provider_refused",
                format!("the payment provider refused: {message}"),
            )),
            _ => Err(Error::Unavailable(format!("Stripe answered {status}: {message}"))),
        }
    }

    fn report(&self, event: &Event) -> Result<Option<Report>> {
        let object = &event.data.object;
        let text = |field: &str| object[field].as_str().map(str::to_owned);
        let ours = |field: &str| object["metadata"][field].as_str().map(str::to_owned);
        let (outcome, amount_field, external_ref) = match event.r#type.as_str() {
            "payment_intent.succeeded" => (ReportedOutcome::Succeeded, "amount_received", text("id")),
            "payment_intent.payment_failed" | "payment_intent.canceled" => {
                (ReportedOutcome::Failed, "amount", text("id"))
            }
            "checkout.session.expired" => (ReportedOutcome::Failed, "amount_total", text("payment_intent")),
            "refund.created" | "refund.updated" | "refund.failed" => match object["status"].as_str() {
                Some("succeeded") => (ReportedOutcome::Refunded, "amount", text("payment_intent")),
                Some("failed" | "canceled") => (ReportedOutcome::RefundFailed, "amount", text("payment_intent")),
                _ => return Ok(None),
            },
            "charge.dispute.created" => (ReportedOutcome::DisputeOpened, "amount", text("payment_intent")),
            "charge.dispute.closed" => match object["status"].as_str() {
                Some("won" | "warning_closed") => (ReportedOutcome::DisputeWon, "amount", text("payment_intent")),
                Some("lost") => (ReportedOutcome::DisputeLost, "amount", text("payment_intent")),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let subject_ref = match outcome {
            ReportedOutcome::Succeeded | ReportedOutcome::Failed => None,
            _ => ours("refund_id").or_else(|| text("id")),
        };
        let amount = object[amount_field].as_i64();
        let currency = text("currency").map(|code| code.to_uppercase().parse());
        let (Some(amount), Some(Ok(currency))) = (amount, currency) else {
            return Err(unreadable());
        };
        Ok(Some(Report {
            provider: self.name().to_owned(),
            ext_id: event.id.clone(),
            provider_ref: ours("payment_id"),
            external_ref,
            subject_ref,
            outcome,
            amount: Money::new(amount, currency),
        }))
    }

    /// Whether `signature` is of this body, by our secret, and of these minutes.
    fn is_signed(&self, signature: &str, body: &[u8], now: Timestamp) -> bool {
        let parts = || signature.split(',').filter_map(|part| part.trim().split_once('='));
        let Some(time) = parts().find(|(key, _)| *key == "t").map(|(_, time)| time) else {
            return false;
        };
        let seconds = now.as_micros() / 1_000_000;
        let fresh = time
            .parse::<i64>()
            .is_ok_and(|at| at.abs_diff(seconds) <= TOLERANCE.as_secs());
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.webhook_secret.as_bytes()) else {
            return false;
        };
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(body);
        let signed = parts()
            .filter(|(key, _)| *key == "v1")
            .filter_map(|(_, hex)| from_hex(hex))
            .any(|given| mac.clone().verify_slice(&given).is_ok());
        fresh && signed
    }
}

#[async_trait]
impl PaymentProvider for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn signature_header(&self) -> &'static str {
        "stripe-signature"
    }

    fn methods(&self) -> &'static [&'static str] {
        &["stripe"]
    }

    async fn start(&self, payment: &Payment, _: &str, back: &str) -> Result<NextStep> {
        let (payment_id, order_id) = (payment.payment_id.to_string(), payment.order_id.to_string());
        let back = self
            .return_url
            .as_deref()
            .unwrap_or(back)
            .replace("{order_id}", &order_id);
        let form = [
            ("mode", "payment".to_owned()),
            ("client_reference_id", order_id.clone()),
            ("success_url", back.clone()),
            ("cancel_url", back),
            ("metadata[payment_id]", payment_id.clone()),
            ("payment_intent_data[metadata][payment_id]", payment_id.clone()),
            ("payment_intent_data[metadata][order_id]", order_id),
            ("line_items[0][quantity]", "1".to_owned()),
            ("line_items[0][price_data][product_data][name]", "Tickets".to_owned()),
            (
                "line_items[0][price_data][unit_amount]",
                payment.amount_minor.to_string(),
            ),
            (
                "line_items[0][price_data][currency]",
                payment.currency.as_str().to_lowercase(),
            ),
        ];
        let session = self.post("/v1/checkout/sessions", &form, payment_id).await?;
        match session["url"].as_str() {
            Some(url) => Ok(NextStep::Redirect(url.to_owned())),
            None => Err(Error::Unavailable("Stripe answered no address to pay at".into())),
        }
    }

    async fn refund(&self, due: &DueRefund) -> Result<RefundAnswer> {
        let payment_ref = due.payment_ref.clone();
        let payment_ref =
            payment_ref.ok_or_else(|| Error::Unavailable("Stripe's id of the payment is not known".into()))?;
        let refund_id = due.refund.refund_id.to_string();
        let form = [
            ("payment_intent", payment_ref.clone()),
            ("amount", due.refund.amount_minor.to_string()),
            ("metadata[refund_id]", refund_id.clone()),
            ("metadata[payment_id]", due.payment.payment_id.to_string()),
        ];
        let refund = match self.post("/v1/refunds", &form, refund_id.clone()).await {
            Ok(refund) => refund,
            // It never will be.
            Err(Error::Conflict(_)) => {
                return Ok(RefundAnswer::Reported(Report {
                    provider: self.name().to_owned(),
                    ext_id: format!("refused:{refund_id}"),
                    provider_ref: Some(due.payment.provider_ref.clone()),
                    external_ref: Some(payment_ref),
                    subject_ref: Some(refund_id),
                    outcome: ReportedOutcome::RefundFailed,
                    amount: Money::new(due.refund.amount_minor, due.refund.currency),
                }));
            }
            Err(error) => return Err(error),
        };
        match refund["id"].as_str() {
            Some(id) => Ok(RefundAnswer::Accepted(id.to_owned())),
            None => Err(Error::Unavailable("Stripe answered a refund without an id".into())),
        }
    }

    fn verify(&self, signature: Option<&str>, body: &[u8]) -> Result<Option<Report>> {
        if !signature.is_some_and(|signature| self.is_signed(signature, body, Timestamp::now())) {
            return Err(Error::refused(
                "bad_signature",
                "the signature is not Stripe's, or it is older than five minutes",
            ));
        }
        let event: Event = serde_json::from_slice(body).map_err(|_| unreadable())?;
        self.report(&event)
    }

    /// Stripe keeps its events for thirty days.
    async fn reports(&self, _: &Store, from: Timestamp, to: Timestamp) -> Result<Vec<Report>> {
        let (mut reports, mut after) = (Vec::new(), None::<String>);
        loop {
            let url = format!(
                "{}/v1/events?{}",
                self.api_url,
                events_query(from, to, after.as_deref())
            );
            let page = self.send(self.http.request(Method::GET, url)).await?;
            let events: Vec<Event> = serde_json::from_value(page["data"].clone()).map_err(|_| unreadable())?;
            for event in &events {
                reports.extend(self.report(event)?);
            }
            after = events.last().map(|event| event.id.clone());
            if page["has_more"] != true || after.is_none() {
                // Stripe tells the newest first; they are applied as they happened.
                reports.reverse();
                return Ok(reports);
            }
        }
    }
}

fn events_query(from: Timestamp, to: Timestamp, after: Option<&str>) -> String {
    let seconds = |at: Timestamp| (at.as_micros() / 1_000_000).to_string();
    let mut query = Serializer::new(String::new());
    query
        .append_pair("limit", &PAGE.to_string())
        .append_pair("created[gte]", &seconds(from))
        .append_pair("created[lt]", &seconds(to))
        .extend_pairs(EVENTS.map(|event| ("types[]", event)))
        .extend_pairs(after.map(|after| ("starting_after", after)));
    query.finish()
}

fn unreadable() -> Error {
    Error::refused("invalid", "this is no event of Stripe that can be read")
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .bytes()
        .map(|c| char::from(c).to_digit(16).map(|d| d as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
