//! Payments: what providers report, believed once. A report may come twice, late, out of order, or at the same moment
//! as its twin; it causes one transition at most.

mod provider;
mod test_provider;

pub use provider::{NextStep, PaymentProvider, Report, ReportedOutcome};
pub use test_provider::{METHODS, SIGNATURE_HEADER, TestProvider};

use crate::{
    Error, Result, Source, Stored, Tx, orders, rows,
    sql::{self, Columns, Value, binds},
};
use domain::{
    Money, OrderId, PaymentId, Timestamp,
    changes::{Event, Hold, Order, Payment},
    order::PaymentStatus,
};
use std::sync::{Arc, LazyLock};

/// What a report led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The order is paid.
    Succeeded,
    Failed,
    /// The money came, but the order can't be filled any more: it has to go back.
    Unapplied,
    /// Known already, or overtaken by a later one.
    Repeated,
    /// The amount is not the one that was asked for. Stored, and not believed.
    Mismatch,
    /// Nothing is stored, so that the provider's next delivery is asked afresh.
    UnknownPayment,
}

/// A payment that waits for its provider.
#[derive(Clone, Debug)]
pub struct PendingPayment {
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

/// The oldest first.
pub async fn pending(db: &mut impl Source, provider: &str, limit: i64) -> Result<Vec<PendingPayment>> {
    let columns = rows::columns::<Payment>("t");
    let sql = format!(
        "select {columns}, t.method as method, t.started_at as started_at from payments t
         where t.status = 'pending' and t.provider = $1 order by t.started_at limit $2"
    );
    let rows = sql::all(db, sql, binds![provider, limit]).await?;
    let read = |row| {
        Ok(PendingPayment {
            payment: rows::decode(row, 0)?,
            method: Columns::text(row, "method")?,
            started_at: Columns::time(row, "started_at")?,
        })
    };
    rows.iter().map(read).collect()
}

/// The provider is asked after the commit, and knows the payment by our id: no network inside a command.
pub(crate) fn start(tx: &mut Tx, order: &Stored<Order>, provider: String, method: String) -> Result<Stored<Payment>> {
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
    };
    let private = [
        ("method", Value::Text(method)),
        ("started_at", Value::Int(tx.now().as_micros())),
    ];
    tx.create_with(order.organizer_id, "payment.started", payment, &private)
}

/// Applies what a provider reported.
pub async fn report(tx: &mut Tx, report: Report) -> Result<Applied> {
    let Some(mut sale) = Sale::find(tx, &report).await? else {
        return Ok(Applied::UnknownPayment);
    };
    let payment = &sale.payment;
    let plan = match (payment.status, report.outcome) {
        _ if sale.known => Applied::Repeated,
        _ if report.amount != Money::new(payment.amount_minor, payment.currency) => Applied::Mismatch,
        // Success is the last word: money that came is there, whatever was said before.
        (PaymentStatus::Pending | PaymentStatus::Failed, ReportedOutcome::Succeeded) => Applied::Succeeded,
        (PaymentStatus::Pending, ReportedOutcome::Failed) => Applied::Failed,
        _ => Applied::Repeated,
    };
    if !sale.known {
        remember(tx, &report, plan);
    }
    match plan {
        Applied::Succeeded => succeed(tx, &mut sale).await,
        Applied::Failed => {
            sale.payment.status = PaymentStatus::Failed;
            tx.change("payment.failed", &mut sale.payment)?;
            Ok(plan)
        }
        _ => Ok(plan),
    }
}

async fn succeed(tx: &mut Tx, sale: &mut Sale) -> Result<Applied> {
    let filled = if orders::may_be_filled(&sale.order, &sale.event) {
        orders::fulfil(tx, &mut sale.order, sale.hold.as_mut()).await?.is_some()
    } else {
        false
    };
    let (status, change_type, applied) = if filled {
        (PaymentStatus::Succeeded, "payment.succeeded", Applied::Succeeded)
    } else {
        (PaymentStatus::Unapplied, "payment.unapplied", Applied::Unapplied)
    };
    sale.payment.status = status;
    tx.change(change_type, &mut sale.payment)?;
    Ok(applied)
}

/// Stores the report, so that it is known when it comes again.
fn remember(tx: &mut Tx, report: &Report, plan: Applied) {
    let sql = "insert into provider_events
                   (provider, ext_id, provider_ref, outcome, amount_minor, currency, received_at, applied)
               values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let applied = match plan {
        Applied::Mismatch => "mismatch",
        Applied::Repeated => "ignored",
        _ => "applied",
    };
    let values = binds![
        report.provider,
        report.ext_id,
        report.provider_ref,
        report.outcome.as_str(),
        report.amount.amount_minor,
        report.amount.currency,
        tx.batch_time,
        applied,
    ];
    tx.defer(sql, values, 1);
}

/// A payment with everything that its success changes.
struct Sale {
    payment: Stored<Payment>,
    order: Stored<Order>,
    event: Stored<Event>,
    hold: Option<Stored<Hold>>,
    /// This very report has been here before.
    known: bool,
}

impl Sale {
    async fn find(tx: &mut Tx, report: &Report) -> Result<Option<Self>> {
        static SQL: LazyLock<Arc<String>> = LazyLock::new(|| {
            let (payment, order) = (rows::columns::<Payment>("p"), rows::columns::<Order>("o"));
            let (event, hold) = (rows::columns::<Event>("e"), rows::columns::<Hold>("h"));
            Arc::new(format!(
                "select {payment}, {order}, {event}, {hold}, v.ext_id as known from payments p
                 join orders o on o.order_id = p.order_id
                 join events e on e.event_id = o.event_id
                 left join holds h on h.hold_id = o.hold_id
                 left join provider_events v on v.provider = p.provider and v.ext_id = $3
                 where p.provider = $1 and p.provider_ref = $2"
            ))
        });
        let values = binds![report.provider, report.provider_ref, report.ext_id];
        let Some(row) = sql::optional(tx, SQL.clone(), values).await? else {
            return Ok(None);
        };
        let order = rows::width::<Payment>();
        let event = order + rows::width::<Order>();
        let hold = event + rows::width::<Event>();
        Ok(Some(Self {
            payment: rows::decode(&row, 0)?,
            order: rows::decode(&row, order)?,
            event: rows::decode(&row, event)?,
            hold: rows::decode_optional(&row, hold)?,
            known: row.maybe_text("known")?.is_some(),
        }))
    }
}

/// A report that is not what its signature says, or no report at all.
pub(crate) fn bad_report(code: &'static str, message: &str) -> Error {
    Error::refused(code, message)
}
