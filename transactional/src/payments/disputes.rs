//! Disputes (chargebacks): the buyer's bank takes the money back at once, and gives it again if the dispute is won. What
//! the bank says is a fact, whatever was refunded meanwhile; only that it takes more than came can't be.

use super::{Applied, Report, ReportedOutcome, Sale};
use crate::{
    Result, Source, Stored, Tx,
    ledger::{self, Accounts},
    rows,
    sql::binds,
};
use domain::{
    DisputeId, OrderId, OrganizerId,
    changes::Dispute,
    order::{DisputeStatus, EntryKind, PaymentStatus},
};

/// What a provider says of a dispute. The end of one may be told before its beginning.
pub(super) async fn reported(tx: &mut Tx, sale: &mut Sale, report: &Report) -> Result<Applied> {
    let payment = &sale.paid.payment;
    let amount = report.amount.amount_minor;
    let Some(named) = report.subject_ref.as_deref() else {
        return Ok(Applied::Mismatch);
    };
    let known = rows::find::<Dispute>(
        tx,
        "t.provider = $1 and t.provider_ref = $2",
        binds![report.provider, named],
    );
    let mut dispute = match known.await?.into_iter().next() {
        Some(dispute) if report.outcome == ReportedOutcome::DisputeOpened || dispute.status != DisputeStatus::Open => {
            return Ok(Applied::Repeated);
        }
        Some(dispute) if dispute.amount_minor != amount => return Ok(Applied::Mismatch),
        Some(dispute) => dispute,
        None if amount > payment.amount_minor - sale.paid.disputed_minor => return Ok(Applied::Mismatch),
        None => open(tx, sale, report, named)?,
    };
    let payment = &sale.paid.payment;
    let subject = dispute.dispute_id.to_string();
    match report.outcome {
        ReportedOutcome::DisputeWon => {
            dispute.status = DisputeStatus::Won;
            tx.change("dispute.won", &mut dispute)?;
            shift(tx, sale, -amount);
            let payment = &sale.paid.payment;
            ledger::post(tx, EntryKind::DisputeWon, payment, subject, -Accounts::dispute(amount));
        }
        ReportedOutcome::DisputeLost => {
            dispute.status = DisputeStatus::Lost;
            tx.change("dispute.lost", &mut dispute)?;
            let accounts = Accounts::dispute_lost(amount, payment.status == PaymentStatus::Succeeded);
            ledger::post(tx, EntryKind::DisputeLost, payment, subject, accounts);
        }
        _ => {}
    }
    Ok(Applied::Done(report.outcome))
}

fn open(tx: &mut Tx, sale: &mut Sale, report: &Report, named: &str) -> Result<Stored<Dispute>> {
    let payment = &sale.paid.payment;
    let dispute = Dispute {
        dispute_id: DisputeId::new(),
        payment_id: payment.payment_id,
        order_id: payment.order_id,
        event_id: payment.event_id,
        provider: payment.provider.clone(),
        provider_ref: named.to_owned(),
        status: DisputeStatus::Open,
        amount_minor: report.amount.amount_minor,
        currency: payment.currency,
    };
    let dispute = tx.create(payment.organizer_id, "dispute.opened", dispute)?;
    let accounts = Accounts::dispute(dispute.amount_minor);
    ledger::post(
        tx,
        EntryKind::Dispute,
        payment,
        dispute.dispute_id.to_string(),
        accounts,
    );
    shift(tx, sale, dispute.amount_minor);
    Ok(dispute)
}

/// So much more of the payment is out of reach for refunds.
fn shift(tx: &mut Tx, sale: &mut Sale, by: i64) {
    let sql = "update payments set disputed_minor = disputed_minor + $2 where payment_id = $1";
    tx.defer(sql, binds![sale.paid.payment.payment_id, by], 1);
    sale.paid.disputed_minor += by;
}

/// The oldest first.
pub async fn of_order(db: &mut impl Source, id: OrderId) -> Result<Vec<Stored<Dispute>>> {
    rows::find(db, "t.order_id = $1 order by t.dispute_id", binds![id]).await
}

/// Of an organizer, the newest first: those that wait for evidence are the open ones.
pub async fn of_organizer(db: &mut impl Source, id: OrganizerId) -> Result<Vec<Stored<Dispute>>> {
    let newest = "t.organizer_id = $1 order by t.dispute_id desc limit 200";
    rows::find(db, newest, binds![id]).await
}
