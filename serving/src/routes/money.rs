use super::orders::readable_order;
use crate::{
    auth::{Caller, Identity},
    extract::{Body, Id, Once, Params},
    problem::{Problem, Result},
    resource::{DisputeResource, OrganizerResource, PayoutResource, RefundResource, Resource},
    secret::SecretQuery,
    view::{Moment, MoneyView, Page, PageQuery, page_of},
    wiring::App,
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{Currency, Money, OrderId, OrganizerId, TicketId, order::RefundReason, role::Permission};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::{
    ledger::{self, Accounts, Balance, Entry},
    orders::{self, RefundRequest},
    organizers,
    payments::{disputes, refunds},
    reconciliation::{self, DifferenceKind, Reconciliation},
};
use utoipa::ToSchema;

/// Either tickets or an amount.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundInput {
    /// These tickets become void, and what was paid for them goes back, at most what has not gone back yet. With the last of
    /// them the order is cancelled.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    tickets: Option<Vec<TicketId>>,
    /// So much goes back, and the tickets stay.
    #[serde(default)]
    amount: Option<MoneyView>,
}

/// Give a part of an order's money back
///
/// The refund is `pending` until the payment provider reports. Refunds never exceed what was paid: if tickets become void
/// for which no money is left, or none was asked, the answer is 204.
#[utoipa::path(post, path = "/v1/orders/{order_id}/refunds", tag = "money", request_body = RefundInput,
    params(("order_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = RefundResource), (status = 204), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn refund_order(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(order_id): Id<OrderId>,
    Once {
        body,
        key,
        request_hash,
    }: Once<RefundInput>,
) -> Result<Response> {
    let order = orders::get(&mut app.store.read().await?, order_id).await?;
    identity.require(order.organizer_id, Permission::ManageEvents)?;
    let request = match (body.tickets, body.amount) {
        (Some(tickets), None) => RefundRequest::Tickets(tickets),
        (None, Some(amount)) => RefundRequest::Amount(Money::new(amount.amount_minor, amount.currency)),
        _ => return Err(Problem::invalid("", "name either tickets or an amount")),
    };
    let refund = app
        .write_once("refunds", key, request_hash, identity.actor(), move |tx| {
            Box::pin(orders::refund(tx, order_id, request, RefundReason::Staff))
        })
        .await?;
    Ok(match refund {
        Some(refund) => (StatusCode::CREATED, Json(RefundResource::from(refund))).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// List an order's refunds, the oldest first
#[utoipa::path(get, path = "/v1/orders/{order_id}/refunds", tag = "money", security(()),
    params(("order_id" = String, Path), SecretQuery),
    responses((status = 200, body = Vec<RefundResource>), (status = 404, body = Problem)))]
pub async fn list_refunds(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Id(order_id): Id<OrderId>,
    query: SecretQuery,
) -> Result<Json<Vec<RefundResource>>> {
    let mut db = app.store.read().await?;
    readable_order(&app, &mut db, caller, order_id, query.secret).await?;
    let refunds = refunds::of_order(&mut db, order_id).await?;
    Ok(Json(refunds.into_iter().map(Resource::from).collect()))
}

/// List an organizer's disputes (chargebacks), the newest 200 first
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/disputes", tag = "money",
    params(("organizer_id" = String, Path)),
    responses((status = 200, body = Vec<DisputeResource>), (status = 404, body = Problem)))]
pub async fn list_disputes(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
) -> Result<Json<Vec<DisputeResource>>> {
    identity.require(organizer_id, Permission::ReadOrders)?;
    let disputes = disputes::of_organizer(&mut app.store.read().await?, organizer_id).await?;
    Ok(Json(disputes.into_iter().map(Resource::from).collect()))
}

/// The five accounts of the double-entry ledger, a debit positive; their sum is zero.
#[derive(Serialize, ToSchema)]
pub struct AccountsView {
    /// What payment providers hold.
    provider_minor: i64,
    /// Negative: what the platform owes the organizer.
    organizer_minor: i64,
    /// Negative: the platform's fees.
    platform_minor: i64,
    /// Negative: what is on its way back to buyers.
    buyers_minor: i64,
    /// What banks hold back until disputes are decided.
    disputed_minor: i64,
}

impl From<Accounts> for AccountsView {
    fn from(accounts: Accounts) -> Self {
        let Accounts {
            provider_minor,
            organizer_minor,
            platform_minor,
            buyers_minor,
            disputed_minor,
        } = accounts;
        Self {
            provider_minor,
            organizer_minor,
            platform_minor,
            buyers_minor,
            disputed_minor,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct BalanceView {
    #[schema(value_type = String, example = "EUR")]
    currency: Currency,
    /// What the platform owes the organizer: the next payout. Negative if the organizer owes it.
    owed: MoneyView,
    accounts: AccountsView,
}

impl From<Balance> for BalanceView {
    fn from(balance: Balance) -> Self {
        Self {
            currency: balance.currency,
            owed: Money::new(-balance.accounts.organizer_minor, balance.currency).into(),
            accounts: balance.accounts.into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct EntryView {
    entry_id: String,
    /// `payment`, `unapplied`, `refund`, `refund_paid`, `refund_failed`, `dispute`, `dispute_won`, `dispute_lost`,
    /// `payout`
    kind: &'static str,
    /// The payment, refund, dispute or payout that it is about.
    subject_id: String,
    #[schema(value_type = String, example = "EUR")]
    currency: Currency,
    accounts: AccountsView,
    posted_at: Moment,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        Self {
            entry_id: entry.entry_id.to_string(),
            kind: entry.kind.as_str(),
            subject_id: entry.subject_id,
            currency: entry.currency,
            accounts: entry.accounts.into(),
            posted_at: Moment(entry.posted_at),
        }
    }
}

/// Show what an organizer's accounts have come to, a row a currency
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/balances", tag = "money",
    params(("organizer_id" = String, Path)),
    responses((status = 200, body = Vec<BalanceView>), (status = 404, body = Problem)))]
pub async fn show_balances(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
) -> Result<Json<Vec<BalanceView>>> {
    identity.require(organizer_id, Permission::ReadOrders)?;
    let balances = ledger::balances(&mut app.store.read().await?, organizer_id).await?;
    Ok(Json(balances.into_iter().map(BalanceView::from).collect()))
}

/// List the ledger's entries, the newest first
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/ledger", tag = "money",
    params(("organizer_id" = String, Path), PageQuery),
    responses((status = 200, body = Page<EntryView>), (status = 404, body = Problem)))]
pub async fn list_ledger_entries(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<EntryView>>> {
    identity.require(organizer_id, Permission::ReadOrders)?;
    let found = ledger::entries(&mut app.store.read().await?, organizer_id, query.request()?).await?;
    Ok(Json(page_of(found, EntryView::from)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PayoutInput {
    #[schema(value_type = String, example = "EUR")]
    currency: Currency,
    /// What the bank statement will show.
    reference: Option<String>,
}

/// Write down that the platform paid an organizer all it owes in a currency
///
/// For the platform's operator, who makes the transfer: this program moves no money between banks.
#[utoipa::path(post, path = "/v1/organizers/{organizer_id}/payouts", tag = "money", request_body = PayoutInput,
    params(("organizer_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = PayoutResource), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn make_payout(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Once {
        body,
        key,
        request_hash,
    }: Once<PayoutInput>,
) -> Result<(StatusCode, Json<PayoutResource>)> {
    identity.require_platform()?;
    let payout = app
        .write_once("payouts", key, request_hash, identity.actor(), move |tx| {
            Box::pin(ledger::pay_out(tx, organizer_id, body.currency, body.reference))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(payout.into())))
}

/// List an organizer's payouts, the newest 200 first
#[utoipa::path(get, path = "/v1/organizers/{organizer_id}/payouts", tag = "money",
    params(("organizer_id" = String, Path)),
    responses((status = 200, body = Vec<PayoutResource>), (status = 404, body = Problem)))]
pub async fn list_payouts(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
) -> Result<Json<Vec<PayoutResource>>> {
    identity.require(organizer_id, Permission::ReadOrders)?;
    let payouts = ledger::payouts(&mut app.store.read().await?, organizer_id).await?;
    Ok(Json(payouts.into_iter().map(Resource::from).collect()))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformFeeInput {
    /// Basis points: 250 is 2.5 %.
    #[schema(example = 250)]
    platform_fee_bps: i64,
}

/// Set what the platform keeps of an organizer's payments from now on
#[utoipa::path(put, path = "/v1/organizers/{organizer_id}/platform-fee", tag = "money",
    request_body = PlatformFeeInput, params(("organizer_id" = String, Path)),
    responses((status = 200, body = OrganizerResource), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn set_platform_fee(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(organizer_id): Id<OrganizerId>,
    Body(input): Body<PlatformFeeInput>,
) -> Result<Json<OrganizerResource>> {
    identity.require_platform()?;
    let organizer = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(organizers::set_platform_fee(tx, organizer_id, input.platform_fee_bps))
        })
        .await?;
    Ok(Json(organizer.into()))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconcileInput {
    /// A day that is over, UTC.
    #[schema(example = "2026-11-24")]
    day: String,
}

/// A day of the payment provider's reports, held against what is stored here.
#[derive(Serialize, ToSchema)]
pub struct ReconciliationView {
    provider: String,
    day: String,
    finished_at: Moment,
    /// What the provider reported in the day.
    reports: u64,
    /// Those that had not arrived, and have been applied by this.
    caught_up: u64,
    differences: Vec<DifferenceView>,
}

#[derive(Serialize, ToSchema)]
pub struct DifferenceView {
    /// `unknown_payment`, `mismatch`, `not_reported`, `refund_waits`
    #[schema(value_type = String)]
    kind: DifferenceKind,
    payment: String,
    detail: String,
}

impl From<Reconciliation> for ReconciliationView {
    fn from(done: Reconciliation) -> Self {
        let differences = done.differences.into_iter().map(|difference| DifferenceView {
            kind: difference.kind,
            payment: difference.payment,
            detail: difference.detail,
        });
        Self {
            provider: done.provider,
            day: done.day,
            finished_at: Moment(done.finished_at),
            reports: done.reports,
            caught_up: done.caught_up,
            differences: differences.collect(),
        }
    }
}

/// Hold a day of the provider's reports against what is stored
///
/// It happens by itself once a day; this does it now, or again.
#[utoipa::path(post, path = "/v1/reconciliations", tag = "money", request_body = ReconcileInput,
    responses((status = 200, body = ReconciliationView), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn reconcile(
    State(app): State<Arc<App>>,
    identity: Identity,
    Body(input): Body<ReconcileInput>,
) -> Result<Json<ReconciliationView>> {
    identity.require_platform()?;
    let done = reconciliation::run(&app.store, app.payments.provider(), &input.day).await?;
    Ok(Json(done.into()))
}

/// List the last 100 reconciled days, the newest first
#[utoipa::path(get, path = "/v1/reconciliations", tag = "money",
    responses((status = 200, body = Vec<ReconciliationView>), (status = 403, body = Problem)))]
pub async fn list_reconciliations(
    State(app): State<Arc<App>>,
    identity: Identity,
) -> Result<Json<Vec<ReconciliationView>>> {
    identity.require_platform()?;
    let days = reconciliation::list(&mut app.store.read().await?, 100).await?;
    Ok(Json(days.into_iter().map(ReconciliationView::from).collect()))
}
