//! The day's end: what a provider reported in a day is held against what is stored here. A report that never arrived is
//! applied now; what can't be mended is told.

use crate::{
    Error, Result, Source, Store, Tx,
    payments::{self, Applied, PaymentProvider, Report},
    sql::{self, Columns, binds},
};
use domain::{Money, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, time::Duration};

/// A day is from midnight to midnight, UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reconciliation {
    pub provider: String,
    /// `2026-11-24`
    pub day: String,
    pub finished_at: Timestamp,
    /// What the provider reported in the day.
    pub reports: u64,
    /// Those that had not arrived, and have been applied by this.
    pub caught_up: u64,
    pub differences: Vec<Difference>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    pub kind: DifferenceKind,
    /// The payment, by our id or else by the provider's.
    pub payment: String,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// The provider knows a payment that is not known here.
    UnknownPayment,
    /// Amount or currency can't be true.
    Mismatch,
    /// Stored here as reported, and the provider has no such report.
    NotReported,
    /// A refund has waited for its end for more than a day.
    RefundWaits,
}

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Clocks differ.
const SLACK: Duration = Duration::from_secs(2 * 3600);
/// How long before it arrived a report may have been made: providers send one again for three days, and what a
/// reconciliation catches up on is a day old at least.
const LATE: Duration = Duration::from_secs(4 * 24 * 3600);

/// Runs the day again if it was run before.
pub async fn run(store: &Store, provider: &dyn PaymentProvider, day: &str) -> Result<Reconciliation> {
    let (from, to) = span(day)?;
    if Timestamp::now() < to {
        return Err(Error::refused("invalid", "this day is not over yet (UTC)").at("day"));
    }
    let reports = provider.reports(store, from, to).await?;
    let mut done = Reconciliation {
        provider: provider.name().to_owned(),
        day: day.to_owned(),
        finished_at: Timestamp::now(),
        reports: reports.len() as u64,
        caught_up: 0,
        differences: Vec::new(),
    };
    for report in reports {
        done.hold_against(store, report).await?;
    }
    let around = provider.reports(store, from - LATE, to + SLACK).await?;
    let told: HashSet<String> = around.into_iter().map(|report| report.ext_id).collect();
    let mut db = store.read().await?;
    done.not_reported(&mut db, (from, to), &told).await?;
    done.waiting(&mut db, to - DAY).await?;
    drop(db);
    let kept = done.clone();
    store.write("system", |tx| Box::pin(keep(tx, kept))).await?;
    Ok(done)
}

impl Reconciliation {
    async fn hold_against(&mut self, store: &Store, report: Report) -> Result<()> {
        let known = "select applied from provider_events where provider = $1 and ext_id = $2";
        let mut db = store.peek().await?;
        let known = sql::optional(&mut db, known, binds![report.provider, report.ext_id]).await?;
        drop(db);
        let payment = report.provider_ref.clone().or_else(|| report.external_ref.clone());
        let detail = format!("{} of {} ({})", report.outcome.as_str(), report.amount, report.ext_id);
        let kind = match known {
            Some(row) if row.maybe_text("applied")?.as_deref() == Some("mismatch") => DifferenceKind::Mismatch,
            Some(_) => return Ok(()),
            None => {
                let actor = format!("provider:{}", self.provider);
                match store.write(actor, |tx| Box::pin(payments::report(tx, report))).await? {
                    Applied::UnknownPayment => DifferenceKind::UnknownPayment,
                    Applied::Mismatch => DifferenceKind::Mismatch,
                    Applied::Done(_) | Applied::Unapplied => {
                        self.caught_up += 1;
                        return Ok(());
                    }
                    Applied::Repeated => return Ok(()),
                }
            }
        };
        self.differs(kind, payment.unwrap_or_default(), detail);
        Ok(())
    }

    async fn not_reported(
        &mut self,
        db: &mut impl Source,
        (from, to): (Timestamp, Timestamp),
        told: &HashSet<String>,
    ) -> Result<()> {
        let sql = "select ext_id, provider_ref, outcome from provider_events
                   where provider = $1 and applied = 'applied' and received_at >= $2 and received_at < $3";
        for row in sql::all(db, sql, binds![self.provider, from, to]).await? {
            let (ext_id, outcome) = (row.text("ext_id")?, row.text("outcome")?);
            // What a provider answered to our own request is no report of its.
            let by_answer = outcome.starts_with("refund");
            if !told.contains(&ext_id) && !by_answer {
                let detail = format!("{outcome} ({ext_id})");
                self.differs(DifferenceKind::NotReported, row.text("provider_ref")?, detail);
            }
        }
        Ok(())
    }

    async fn waiting(&mut self, db: &mut impl Source, before: Timestamp) -> Result<()> {
        let sql = "select refund_id, payment_id, amount_minor, currency from refunds
                   where provider = $1 and status = 'pending' and requested_at < $2";
        for row in sql::all(db, sql, binds![self.provider, before]).await? {
            let amount = Money::new(row.int("amount_minor")?, row.parse("currency")?);
            let detail = format!("refund {} of {amount}", row.text("refund_id")?);
            self.differs(DifferenceKind::RefundWaits, row.text("payment_id")?, detail);
        }
        Ok(())
    }

    fn differs(&mut self, kind: DifferenceKind, payment: String, detail: String) {
        self.differences.push(Difference { kind, payment, detail });
    }
}

fn span(day: &str) -> Result<(Timestamp, Timestamp)> {
    let from = format!("{day}T00:00:00Z").parse::<Timestamp>();
    let from = from.map_err(|_| Error::refused("invalid", "a day is written as 2026-11-24").at("day"))?;
    Ok((from, from + DAY))
}

async fn keep(tx: &mut Tx, done: Reconciliation) -> Result<()> {
    let sql = "insert into reconciliations (provider, day, finished_at, report) values ($1, $2, $3, $4)
               on conflict (provider, day) do update set finished_at = excluded.finished_at, report = excluded.report";
    let report = serde_json::to_string(&done)?;
    sql::execute(tx, sql, binds![done.provider, done.day, done.finished_at, report]).await?;
    Ok(())
}

/// The newest first.
pub async fn list(db: &mut impl Source, limit: i64) -> Result<Vec<Reconciliation>> {
    let sql = "select report from reconciliations order by day desc, provider limit $1";
    let rows = sql::all(db, sql, binds![limit]).await?;
    let read = |row| Ok(serde_json::from_str(&Columns::text(row, "report")?)?);
    rows.iter().map(read).collect()
}

/// The last day that is over for long enough, if it has not been reconciled.
pub async fn due(store: &Store, provider: &str) -> Result<Option<String>> {
    let day = (Timestamp::now() - SLACK - DAY).to_string()[..10].to_owned();
    let sql = "select 1 as done from reconciliations where provider = $1 and day = $2";
    let mut db = store.peek().await?;
    let done = sql::optional(&mut db, sql, binds![provider, day]).await?;
    Ok(done.is_none().then_some(day))
}
