//! The other side of the test provider: a provider like any other, only that it lives in this process. It decides by the
//! payment method which reports it sends and when, signs them, and they are verified and applied as a webhook's would
//! be. Like a real one it does not forget: after a restart it goes on with the payments that are still pending.

use super::is_transient;
use crate::wiring::App;
use domain::{Timestamp, changes::Payment};
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use transactional::{
    Result, Store,
    payments::{self, PaymentProvider, Report, TestProvider},
};

/// Payments whose reports are still to come; more wait for the next restart's look at what is pending.
const MOST_WAITING: usize = 100_000;
const RETRY: Duration = Duration::from_secs(2);

pub(super) struct TestBank {
    provider: TestProvider,
    due: mpsc::Sender<Due>,
}

/// A report and when it is to be sent. The heap's smallest is the next.
struct Due {
    at: Instant,
    report: Report,
}

impl TestBank {
    pub(super) fn new(provider: TestProvider, store: Store) -> (Self, PaymentReports) {
        let (due, reports) = mpsc::channel(MOST_WAITING);
        let bank = Self {
            provider: provider.clone(),
            due,
        };
        let reports = PaymentReports {
            provider,
            store,
            reports,
            heap: BinaryHeap::new(),
        };
        (bank, reports)
    }

    pub(super) fn start(&self, payment: &Payment, method: &str) {
        for (delay, report) in self.provider.schedule(payment, method) {
            let at = Instant::now() + delay;
            if self.due.try_send(Due { at, report }).is_err() {
                tracing::warn!("too many test payments wait; theirs are reported after the next restart");
            }
        }
    }
}

/// The sending half of the test provider.
pub struct PaymentReports {
    provider: TestProvider,
    store: Store,
    reports: mpsc::Receiver<Due>,
    heap: BinaryHeap<Reverse<Due>>,
}

impl PaymentReports {
    pub async fn run(mut self, app: Arc<App>, stop: CancellationToken) {
        if app.payments.provider().name() == self.provider.name()
            && let Err(error) = self.resume().await
        {
            tracing::warn!(%error, "pending test payments could not be read");
        }
        loop {
            let next = self.heap.peek().map(|Reverse(due)| due.at);
            let wait = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                due = self.reports.recv() => match due {
                    Some(due) => self.heap.push(Reverse(due)),
                    // Another provider is at work.
                    None => return stop.cancelled().await,
                },
                () = wait => if let Some(Reverse(due)) = self.heap.pop() { self.send(&app, due).await },
            }
        }
    }

    async fn resume(&mut self) -> Result<()> {
        let mut db = self.store.read().await?;
        for pending in payments::pending(&mut db, self.provider.name(), MOST_WAITING as i64).await? {
            let elapsed = Timestamp::now().since(pending.started_at);
            for (delay, report) in self.provider.schedule(&pending.payment, &pending.method) {
                let at = Instant::now() + delay.saturating_sub(elapsed);
                self.heap.push(Reverse(Due { at, report }));
            }
        }
        Ok(())
    }

    async fn send(&mut self, app: &App, due: Due) {
        let (signature, body) = match self.provider.sign(&due.report) {
            Ok(signed) => signed,
            Err(error) => return tracing::error!(%error, "a test payment's report could not be signed"),
        };
        match app.payments.take_report(Some(&signature), &body).await {
            Ok(_) => {}
            // Not taken, so it is sent again: what every provider does.
            Err(problem) if is_transient(&problem) => {
                self.heap.push(Reverse(Due {
                    at: Instant::now() + RETRY,
                    report: due.report,
                }));
            }
            Err(problem) => tracing::error!(%problem, "a test payment's report was refused"),
        }
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}
