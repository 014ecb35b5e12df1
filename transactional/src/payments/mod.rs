//! Payments: what providers report, believed once. A report may come twice, late, out of order, or at the same moment
//! as its twin; it causes one transition at most.

pub mod disputes;
pub mod event_refunds;
mod provider;
pub mod refunds;
mod test_provider;

pub use provider::{NextStep, PaymentProvider, Report, ReportedOutcome};
pub use test_provider::{METHODS, SIGNATURE_HEADER, TestProvider};

use crate::{
    Error, Result, Source, Stored, Tx,
    ledger::{self, Accounts},
    orders, rows,
    sql::{self, Columns, Value, binds},
};
use domain::{
    Money, OrderId, PaymentId, Timestamp,
    changes::{Event, Hold, Order, Payment},
    message::Language,
    order::{EntryKind, PaymentStatus, RefundReason},
    pricing::{WHOLE_BPS, share},
};
use refunds::Paid;
use std::sync::{Arc, LazyLock};

/// The provider of what is paid at the door: the organizer's own till.
pub const TILL: &str = "till";

/// What a report led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was believed, and what it says has become so.
    Done(ReportedOutcome),
    /// The money came, but the order can't be filled any more: it goes back.
    Unapplied,
    /// Known already, or overtaken by a later one.
    Repeated,
    /// It can't be: another amount or currency than was asked for, or more back than came. Stored, and not believed.
    Mismatch,
    /// Nothing is stored, so that the provider's next delivery is asked afresh.
    UnknownPayment,
}

/// A payment and how it was to be paid.
#[derive(Clone, Debug)]
pub struct StartedPayment {
    pub payment: Stored<Payment>,
    pub method: String,
    pub started_at: Timestamp,
}

pub async fn get(db: &mut impl Source, id: PaymentId) -> Result<Stored<Payment>> {
    rows::get(db, &id).await
}

pub async fn of_order(db: &mut impl Source, id: OrderId) -> Result<Vec<Stored<Payment>>> {
    rows::find(db, "t.order_id = $1 order by t.payment_id", binds![id]).await
}

/// Those that wait for their provider, the oldest first.
pub async fn pending(db: &mut impl Source, provider: &str, limit: i64) -> Result<Vec<StartedPayment>> {
    find_started(
        db,
        "t.provider = $1 and t.status = 'pending' order by t.started_at limit $2",
        binds![provider, limit],
    )
    .await
}

/// Those of which a provider may have reported something in that time: it has as long as orders wait, and as long again.
pub(crate) async fn started(
    db: &mut impl Source,
    provider: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<StartedPayment>> {
    let condition = "t.provider = $1 and t.started_at >= $2 and t.started_at < $3";
    find_started(db, condition, binds![provider, from - orders::PAYABLE_FOR * 2, to]).await
}

async fn find_started(
    db: &mut impl Source,
    condition: &'static str,
    values: Vec<Value>,
) -> Result<Vec<StartedPayment>> {
    let columns = rows::columns::<Payment>("t");
    let sql =
        format!("select {columns}, t.method as method, t.started_at as started_at from payments t where {condition}");
    let rows = sql::all(db, sql, values).await?;
    let read = |row| {
        Ok(StartedPayment {
            payment: rows::decode(row, 0)?,
            method: Columns::text(row, "method")?,
            started_at: Columns::time(row, "started_at")?,
        })
    };
    rows.iter().map(read).collect()
}

/// The provider is asked after the commit, and knows the payment by our id: no network inside a command.
pub(crate) fn start(
    tx: &mut Tx,
    order: &Stored<Order>,
    platform_fee_bps: i64,
    provider: String,
    method: String,
) -> Result<Stored<Payment>> {
    let payment_id = PaymentId::new();
    let payment = Payment {
        payment_id,
        order_id: order.order_id,
        event_id: order.event_id,
        provider,
        provider_ref: payment_id.to_string(),
        status: PaymentStatus::Pending,
        amount_minor: order.total_minor,
        currency: order.currency,
        platform_fee_minor: share(order.total_minor, platform_fee_bps, WHOLE_BPS)?,
    };
    let private = [
        ("method", Value::Text(method)),
        ("started_at", Value::Int(tx.now().as_micros())),
    ];
    tx.create_with(order.organizer_id, "payment.started", payment, &private)
}

/// Applies what a provider reported.
pub async fn report(tx: &mut Tx, report: Report) -> Result<Applied> {
    use ReportedOutcome as Told;
    let Some(mut sale) = Sale::find(tx, &report).await? else {
        return Ok(Applied::UnknownPayment);
    };
    if sale.known {
        return Ok(Applied::Repeated);
    }
    let applied = match report.outcome {
        Told::Succeeded | Told::Failed => settle(tx, &mut sale, &report).await?,
        _ if !sale.could_give_back(&report) => Applied::Mismatch,
        Told::Refunded | Told::RefundFailed => {
            sale.must_have_succeeded(tx).await?;
            refunds::reported(tx, &mut sale, &report).await?
        }
        Told::DisputeOpened | Told::DisputeWon | Told::DisputeLost => {
            sale.must_have_succeeded(tx).await?;
            disputes::reported(tx, &mut sale, &report).await?
        }
    };
    remember(tx, &sale, &report, applied);
    Ok(applied)
}

/// The end of a payment.
async fn settle(tx: &mut Tx, sale: &mut Sale, report: &Report) -> Result<Applied> {
    let payment = &mut sale.paid.payment;
    if report.amount != Money::new(payment.amount_minor, payment.currency) {
        return Ok(Applied::Mismatch);
    }
    match (payment.status, report.outcome) {
        // Success is the last word: money that came is there, whatever was said before.
        (PaymentStatus::Pending | PaymentStatus::Failed, ReportedOutcome::Succeeded) => succeed(tx, sale).await,
        (PaymentStatus::Pending, ReportedOutcome::Failed) => {
            payment.status = PaymentStatus::Failed;
            tx.change("payment.failed", payment)?;
            Ok(Applied::Done(report.outcome))
        }
        _ => Ok(Applied::Repeated),
    }
}

async fn succeed(tx: &mut Tx, sale: &mut Sale) -> Result<Applied> {
    let filled = if orders::may_be_filled(&sale.order, &sale.event) {
        orders::fulfil(tx, &mut sale.order, sale.hold.as_mut(), sale.language)
            .await?
            .is_some()
    } else {
        false
    };
    let payment = &mut sale.paid.payment;
    let subject = payment.payment_id.to_string();
    if filled {
        payment.status = PaymentStatus::Succeeded;
        tx.change("payment.succeeded", payment)?;
        ledger::post(tx, EntryKind::Payment, payment, subject, Accounts::payment(payment));
        return Ok(Applied::Done(ReportedOutcome::Succeeded));
    }
    payment.status = PaymentStatus::Unapplied;
    tx.change("payment.unapplied", payment)?;
    ledger::post(tx, EntryKind::Unapplied, payment, subject, Accounts::unapplied(payment));
    let all = sale.paid.room();
    refunds::request(tx, &mut sale.paid, &mut sale.order, all, RefundReason::Unapplied)?;
    Ok(Applied::Unapplied)
}

/// Stores the report, so that it is known when it comes again, and the provider's own name of the payment.
fn remember(tx: &mut Tx, sale: &Sale, report: &Report, applied: Applied) {
    if let (None, Some(external)) = (&sale.external_ref, &report.external_ref) {
        let sql = "update payments set external_ref = $2 where payment_id = $1";
        tx.defer(sql, binds![sale.paid.payment.payment_id, external], 1);
    }
    let sql = "insert into provider_events
                   (provider, ext_id, provider_ref, outcome, amount_minor, currency, received_at, applied)
               values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let applied = match applied {
        Applied::Mismatch => "mismatch",
        Applied::Repeated => "ignored",
        _ => "applied",
    };
    let values = binds![
        report.provider,
        report.ext_id,
        sale.paid.payment.provider_ref,
        report.outcome.as_str(),
        report.amount.amount_minor,
        report.amount.currency,
        tx.batch_time,
        applied,
    ];
    tx.defer(sql, values, 1);
}

/// A payment with everything that a report of it may change.
pub(crate) struct Sale {
    pub(crate) paid: Paid,
    pub(crate) order: Stored<Order>,
    event: Stored<Event>,
    hold: Option<Stored<Hold>>,
    external_ref: Option<String>,
    /// The buyer's.
    language: Language,
    /// This very report has been here before.
    known: bool,
}

impl Sale {
    /// By our own name of the payment, or by the provider's.
    async fn find(tx: &mut Tx, report: &Report) -> Result<Option<Self>> {
        static BY_OURS: LazyLock<Arc<String>> = LazyLock::new(|| Sale::sql("provider_ref"));
        static BY_THEIRS: LazyLock<Arc<String>> = LazyLock::new(|| Sale::sql("external_ref"));
        let (sql, named) = match (&report.provider_ref, &report.external_ref) {
            (Some(ours), _) => (BY_OURS.clone(), ours),
            (None, Some(theirs)) => (BY_THEIRS.clone(), theirs),
            (None, None) => return Ok(None),
        };
        let values = binds![report.provider, named, report.ext_id];
        let Some(row) = sql::optional(tx, sql, values).await? else {
            return Ok(None);
        };
        let order = rows::width::<Payment>();
        let event = order + rows::width::<Order>();
        let hold = event + rows::width::<Event>();
        Ok(Some(Self {
            paid: Paid::read(&row, 0)?,
            order: rows::decode(&row, order)?,
            event: rows::decode(&row, event)?,
            hold: rows::decode_optional(&row, hold)?,
            external_ref: row.maybe_text("external_ref")?,
            language: row.parse("language")?,
            known: row.maybe_text("known")?.is_some(),
        }))
    }

    /// Whether so much can go back of the payment at all.
    fn could_give_back(&self, report: &Report) -> bool {
        let payment = &self.paid.payment;
        report.amount.currency == payment.currency && (1..=payment.amount_minor).contains(&report.amount.amount_minor)
    }

    /// Money goes back only where some came: if that has not been told yet, it is now.
    async fn must_have_succeeded(&mut self, tx: &mut Tx) -> Result<()> {
        if matches!(self.paid.payment.status, PaymentStatus::Pending | PaymentStatus::Failed) {
            succeed(tx, self).await?;
        }
        Ok(())
    }

    fn sql(named: &str) -> Arc<String> {
        let (payment, order) = (rows::columns::<Payment>("p"), rows::columns::<Order>("o"));
        let (event, hold) = (rows::columns::<Event>("e"), rows::columns::<Hold>("h"));
        // The money columns are also in the order: the payment's have names of their own.
        Arc::new(format!(
            "select {payment}, {order}, {event}, {hold}, v.ext_id as known, p.external_ref as external_ref,
                 o.language as language, p.refunded_minor as payment_refunded_minor, p.disputed_minor as payment_disputed_minor
             from payments p
             join orders o on o.order_id = p.order_id
             join events e on e.event_id = o.event_id
             left join holds h on h.hold_id = o.hold_id
             left join provider_events v on v.provider = p.provider and v.ext_id = $3
             where p.provider = $1 and p.{named} = $2"
        ))
    }
}

/// A report that is not what its signature says, or no report at all.
pub(crate) fn bad_report(code: &'static str, message: &str) -> Error {
    Error::refused(code, message)
}
