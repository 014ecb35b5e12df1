//! Refunds. What goes back is taken from what the payment still has in the same transaction, so refunds never exceed it;
//! then the provider is asked, after the commit and as often as it takes, and its report ends the refund.

use super::{Applied, PaymentProvider, Report, ReportedOutcome, Sale};
use crate::{
    Error, Result, Source, Store, Stored, Tx,
    ledger::{self, Accounts},
    rows,
    sql::{self, Columns, Value, binds},
};
use domain::{
    OrderId, PaymentId, RefundId, Timestamp,
    changes::{Order, Payment, Refund},
    order::{EntryKind, PaymentStatus, RefundReason, RefundStatus},
};
use std::time::Duration;

/// Where a request has the amount.
const AMOUNT: &str = "amount/amount_minor";

/// A payment and what of it is gone already.
pub(crate) struct Paid {
    pub(crate) payment: Stored<Payment>,
    pub(crate) refunded_minor: i64,
    /// In dispute or lost in one.
    pub(crate) disputed_minor: i64,
}

impl Paid {
    /// What can be refunded of it.
    pub(crate) fn room(&self) -> i64 {
        self.payment.amount_minor - self.refunded_minor - self.disputed_minor
    }

    fn applied(&self) -> bool {
        self.payment.status == PaymentStatus::Succeeded
    }

    /// The payment that paid the order.
    pub(crate) async fn of_order(db: &mut impl Source, id: OrderId) -> Result<Option<Self>> {
        let columns = rows::columns::<Payment>("p");
        let sql = format!(
            "select {columns}, p.refunded_minor as payment_refunded_minor, p.disputed_minor as payment_disputed_minor
             from payments p where p.order_id = $1 and p.status = 'succeeded'"
        );
        let row = sql::optional(db, sql, binds![id]).await?;
        row.map(|row| Self::read(&row, 0)).transpose()
    }

    pub(crate) fn read(row: &crate::dialect::Row, at: usize) -> Result<Self> {
        Ok(Self {
            payment: rows::decode(row, at)?,
            refunded_minor: row.int("payment_refunded_minor")?,
            disputed_minor: row.int("payment_disputed_minor")?,
        })
    }

    /// What is refunded of it changes by so much, in its own row, in its order, and in the ledger.
    fn shift(
        &mut self,
        tx: &mut Tx,
        order: &mut Stored<Order>,
        by: i64,
        (kind, refund_id, paid): (EntryKind, RefundId, Accounts),
    ) -> Result<()> {
        let (from, to) = (self.refunded_minor, self.refunded_minor + by);
        let sql = "update payments set refunded_minor = $3 where payment_id = $1 and refunded_minor = $2";
        tx.defer(sql, binds![self.payment.payment_id, from, to], 1);
        self.refunded_minor = to;
        let mut accounts = paid;
        if self.applied() {
            accounts = accounts.and(Accounts::refund(&self.payment, from, to)?);
            order.refunded_minor += by;
            let change_type = if by > 0 {
                "order.refunded"
            } else {
                "order.refund_failed"
            };
            tx.change(change_type, order)?;
        }
        if accounts != Accounts::default() {
            ledger::post(tx, kind, &self.payment, refund_id.to_string(), accounts);
        }
        Ok(())
    }
}

/// Asks for so much of a payment back.
pub(crate) fn request(
    tx: &mut Tx,
    paid: &mut Paid,
    order: &mut Stored<Order>,
    amount_minor: i64,
    reason: RefundReason,
) -> Result<Stored<Refund>> {
    if amount_minor <= 0 {
        return Err(Error::refused("invalid", "a refund is of 1 minor unit at least").at(AMOUNT));
    }
    if amount_minor > paid.room() {
        let message = format!("{} minor units of this payment can still be refunded", paid.room());
        return Err(Error::conflict("refund_too_large", message).at(AMOUNT));
    }
    let refund = record(paid, amount_minor, RefundStatus::Pending, reason);
    let now = Value::Int(tx.batch_time.as_micros());
    let private = [("requested_at", now.clone()), ("next_try_at", now)];
    let refund = tx.create_with(paid.payment.organizer_id, "refund.requested", refund, &private)?;
    let entry = (EntryKind::Refund, refund.refund_id, Accounts::default());
    paid.shift(tx, order, amount_minor, entry)?;
    Ok(refund)
}

fn record(paid: &Paid, amount_minor: i64, status: RefundStatus, reason: RefundReason) -> Refund {
    let payment = &paid.payment;
    Refund {
        refund_id: RefundId::new(),
        payment_id: payment.payment_id,
        order_id: payment.order_id,
        event_id: payment.event_id,
        provider: payment.provider.clone(),
        status,
        reason,
        amount_minor,
        currency: payment.currency,
    }
}

/// What a provider says of a refund.
pub(super) async fn reported(tx: &mut Tx, sale: &mut Sale, report: &Report) -> Result<Applied> {
    let amount = report.amount.amount_minor;
    let Some(mut refund) = find(tx, sale.paid.payment.payment_id, report.subject_ref.as_deref()).await? else {
        if report.outcome != ReportedOutcome::Refunded || amount > sale.paid.room() {
            return Ok(Applied::Mismatch);
        }
        let refund = record(&sale.paid, amount, RefundStatus::Succeeded, RefundReason::Provider);
        let external = report.subject_ref.clone().map_or(Value::NoText, Value::Text);
        let organizer = sale.paid.payment.organizer_id;
        let private = [
            ("requested_at", Value::Int(tx.batch_time.as_micros())),
            ("external_ref", external),
        ];
        let refund = tx.create_with(organizer, "refund.succeeded", refund, &private)?;
        let entry = (EntryKind::Refund, refund.refund_id, Accounts::refund_paid(amount));
        sale.paid.shift(tx, &mut sale.order, amount, entry)?;
        return Ok(Applied::Done(report.outcome));
    };
    if (refund.amount_minor, refund.currency) != (amount, report.amount.currency) {
        return Ok(Applied::Mismatch);
    }
    match (refund.status, report.outcome) {
        (RefundStatus::Pending, ReportedOutcome::Refunded) => {
            refund.status = RefundStatus::Succeeded;
            tx.change("refund.succeeded", &mut refund)?;
            let (kind, subject) = (EntryKind::RefundPaid, refund.refund_id.to_string());
            ledger::post(tx, kind, &sale.paid.payment, subject, Accounts::refund_paid(amount));
        }
        (RefundStatus::Pending | RefundStatus::Succeeded, ReportedOutcome::RefundFailed) => {
            let came_back = match refund.status {
                RefundStatus::Succeeded => -Accounts::refund_paid(amount),
                _ => Accounts::default(),
            };
            refund.status = RefundStatus::Failed;
            tx.change("refund.failed", &mut refund)?;
            let entry = (EntryKind::RefundFailed, refund.refund_id, came_back);
            sale.paid.shift(tx, &mut sale.order, -amount, entry)?;
        }
        _ => return Ok(Applied::Repeated),
    }
    answered(tx, refund.refund_id, None).await?;
    Ok(Applied::Done(report.outcome))
}

/// By our own id of it, or by the provider's.
async fn find(tx: &mut Tx, payment: PaymentId, named: Option<&str>) -> Result<Option<Stored<Refund>>> {
    let condition = "t.payment_id = $1 and (t.refund_id = $2 or t.external_ref = $2)";
    let found = rows::find(tx, condition, binds![payment, named]).await?;
    Ok(found.into_iter().next())
}

pub async fn get(db: &mut impl Source, id: RefundId) -> Result<Stored<Refund>> {
    rows::get(db, &id).await
}

/// The oldest first.
pub async fn of_order(db: &mut impl Source, id: OrderId) -> Result<Vec<Stored<Refund>>> {
    rows::find(db, "t.order_id = $1 order by t.refund_id", binds![id]).await
}

/// A refund that its provider has to be asked for.
#[derive(Clone, Debug)]
pub struct DueRefund {
    pub refund: Stored<Refund>,
    pub payment: Stored<Payment>,
    /// The provider's own id of the payment, if it has told one.
    pub payment_ref: Option<String>,
    /// How it was paid.
    pub method: String,
    pub tries: i64,
}

/// What a provider answers when it is asked for a refund.
#[derive(Clone, Debug)]
pub enum RefundAnswer {
    /// It will report, under this id of its own.
    Accepted(String),
    /// It has done it, or never will.
    Reported(Report),
}

const SOONEST: Duration = Duration::from_secs(2);
const LATEST: Duration = Duration::from_secs(3600);

/// Asks the provider for every refund that is due, and applies what it answers. How many were due.
pub async fn ask(store: &Store, provider: &dyn PaymentProvider, limit: i64) -> Result<usize> {
    let due = due(&mut store.read().await?, provider.name(), limit).await?;
    for refund in &due {
        let id = refund.refund.refund_id;
        match provider.refund(refund).await {
            Ok(RefundAnswer::Reported(report)) => {
                let actor = format!("provider:{}", provider.name());
                let applied = store.write(actor, |tx| Box::pin(super::report(tx, report))).await?;
                tracing::debug!(%id, ?applied, "a refund was answered");
            }
            Ok(RefundAnswer::Accepted(external)) => {
                store
                    .write("system", move |tx| Box::pin(answered(tx, id, Some(external))))
                    .await?;
            }
            Err(error) => {
                let wait = LATEST.min(SOONEST * 2_u32.saturating_pow(refund.tries.clamp(0, 20) as u32));
                tracing::warn!(%id, %error, ?wait, "a refund was not taken by its provider; it is asked again");
                store
                    .write("system", move |tx| Box::pin(postpone(tx, id, wait)))
                    .await?;
            }
        }
    }
    Ok(due.len())
}

async fn due(db: &mut impl Source, provider: &str, limit: i64) -> Result<Vec<DueRefund>> {
    let (refund, payment) = (rows::columns::<Refund>("r"), rows::columns::<Payment>("p"));
    let sql = format!(
        "select {refund}, {payment}, p.external_ref as payment_ref, p.method as method, r.tries as tries
         from refunds r join payments p on p.payment_id = r.payment_id
         where r.next_try_at <= $1 and r.provider = $2 and r.status = 'pending' order by r.next_try_at limit $3"
    );
    let rows = sql::all(db, sql, binds![Timestamp::now(), provider, limit]).await?;
    let read = |row| {
        Ok(DueRefund {
            refund: rows::decode(row, 0)?,
            payment: rows::decode(row, rows::width::<Refund>())?,
            payment_ref: Columns::maybe_text(row, "payment_ref")?,
            method: Columns::text(row, "method")?,
            tries: Columns::int(row, "tries")?,
        })
    };
    rows.iter().map(read).collect()
}

/// The provider need not be asked again.
async fn answered(tx: &mut Tx, id: RefundId, external_ref: Option<String>) -> Result<()> {
    let sql = "update refunds set next_try_at = null, external_ref = coalesce($2, external_ref) where refund_id = $1";
    sql::execute(tx, sql, binds![id, external_ref]).await?;
    Ok(())
}

async fn postpone(tx: &mut Tx, id: RefundId, wait: Duration) -> Result<()> {
    let sql = "update refunds set next_try_at = $2, tries = tries + 1 where refund_id = $1 and next_try_at is not null";
    sql::execute(tx, sql, binds![id, tx.batch_time + wait]).await?;
    Ok(())
}
