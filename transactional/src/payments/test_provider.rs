//! A provider without a bank: the payment method says what will be reported, and when. What it reports is a function
//! of the payment alone, so that a test or a demo can be run again.

use super::{
    NextStep, PaymentProvider, Report, ReportedOutcome, bad_report,
    refunds::{DueRefund, RefundAnswer},
};
use crate::{Result, Store, orders::PAYABLE_FOR, secrets};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Money, Timestamp, changes::Payment};
use hmac::Mac;
use std::time::Duration;

/// The header that carries the signature of a webhook's body.
pub const SIGNATURE_HEADER: &str = "bilten-signature";

/// `test_late`: after the order has expired. `test_reordered`: an earlier failure arrives after the success.
/// `test_no_refunds`: the payment succeeds, and every refund of it fails. `test_manual`: never by itself.
pub const METHODS: [&str; 7] = [
    "test_ok",
    "test_declined",
    "test_late",
    "test_duplicated",
    "test_reordered",
    "test_no_refunds",
    "test_manual",
];

#[derive(Clone)]
pub struct TestProvider {
    secret: Vec<u8>,
}

impl TestProvider {
    pub fn new(secret: &[u8]) -> Self {
        Self {
            secret: secret.to_vec(),
        }
    }

    /// Every delivery for this payment: how long after its start, and what.
    pub fn schedule(&self, payment: &Payment, method: &str) -> Vec<(Duration, Report)> {
        let report = |number: u32, outcome| Report {
            provider: self.name().to_owned(),
            ext_id: format!("{}:{number}", payment.provider_ref),
            provider_ref: Some(payment.provider_ref.clone()),
            external_ref: None,
            subject_ref: None,
            outcome,
            amount: Money::new(payment.amount_minor, payment.currency),
        };
        let success = |number| report(number, ReportedOutcome::Succeeded);
        let failure = |number| report(number, ReportedOutcome::Failed);
        let soon = Duration::from_millis;
        match method {
            "test_ok" | "test_no_refunds" => vec![(soon(0), success(1))],
            "test_declined" => vec![(soon(0), failure(1))],
            "test_late" => vec![(PAYABLE_FOR * 2, success(1))],
            "test_duplicated" => vec![(soon(0), success(1)), (soon(0), success(1)), (soon(300), success(1))],
            "test_reordered" => vec![(soon(0), success(2)), (soon(200), failure(1))],
            _ => Vec::new(),
        }
    }

    /// The body of a webhook and its signature.
    pub fn sign(&self, report: &Report) -> Result<(String, Vec<u8>)> {
        let body = serde_json::to_vec(report)?;
        let mut mac = secrets::mac(&self.secret);
        mac.update(&body);
        Ok((URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()), body))
    }
}

#[async_trait]
impl PaymentProvider for TestProvider {
    fn name(&self) -> &'static str {
        "test"
    }

    fn signature_header(&self) -> &'static str {
        SIGNATURE_HEADER
    }

    fn methods(&self) -> &'static [&'static str] {
        &METHODS
    }

    async fn start(&self, _: &Payment, _: &str, _: &str) -> Result<NextStep> {
        Ok(NextStep::Wait)
    }

    async fn refund(&self, due: &DueRefund) -> Result<RefundAnswer> {
        let outcome = match due.method.as_str() {
            "test_no_refunds" => ReportedOutcome::RefundFailed,
            _ => ReportedOutcome::Refunded,
        };
        Ok(RefundAnswer::Reported(Report {
            provider: self.name().to_owned(),
            ext_id: format!("{}:1", due.refund.refund_id),
            provider_ref: Some(due.payment.provider_ref.clone()),
            external_ref: None,
            subject_ref: Some(due.refund.refund_id.to_string()),
            outcome,
            amount: Money::new(due.refund.amount_minor, due.refund.currency),
        }))
    }

    fn verify(&self, signature: Option<&str>, body: &[u8]) -> Result<Option<Report>> {
        let signature = signature
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
            .unwrap_or_default();
        let mut mac = secrets::mac(&self.secret);
        mac.update(body);
        mac.verify_slice(&signature)
            .map_err(|_| bad_report("bad_signature", "the signature is not this provider's"))?;
        let report: Report = serde_json::from_slice(body)
            .map_err(|error| bad_report("invalid", &format!("this is no report: {error}")))?;
        if report.provider != self.name() || report.ext_id.len() > 200 {
            return Err(bad_report("invalid", "this is no report of this provider"));
        }
        Ok(Some(report))
    }

    /// It keeps no books: what it reported follows from the payments that it was told of.
    async fn reports(&self, store: &Store, from: Timestamp, to: Timestamp) -> Result<Vec<Report>> {
        let mut reports = Vec::new();
        for started in super::started(&mut store.read().await?, self.name(), from, to).await? {
            for (delay, report) in self.schedule(&started.payment, &started.method) {
                let at = started.started_at + delay;
                if from <= at && at < to {
                    reports.push(report);
                }
            }
        }
        Ok(reports)
    }
}
