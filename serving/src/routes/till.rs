//! Orders that are not paid online at once: approval, and money from hand to hand.

use crate::{
    auth::Identity,
    extract::{Body, Id},
    problem::{Problem, Result},
    resource::{OrderResource, RefundResource},
    wiring::App,
};
use axum::{Json, extract::State};
use domain::{OrderId, OrganizerId, RefundId, role::Permission};
use serde::Deserialize;
use std::sync::Arc;
use transactional::{orders, payments::refunds};
use utoipa::ToSchema;

/// Approve an order
///
/// Of an event with `approval_required`. The buyer is mailed the order's link and can pay; a free order is paid with
/// it. To say no, cancel the order.
#[utoipa::path(post, path = "/v1/orders/{order_id}/approve", tag = "money", params(("order_id" = String, Path)),
    responses((status = 200, body = OrderResource), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn approve_order(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(order_id): Id<OrderId>,
) -> Result<Json<OrderResource>> {
    let order = orders::get(&mut app.store.read().await?, order_id).await?;
    may_sell(&identity, order.organizer_id)?;
    let approve = app
        .store
        .write(identity.actor(), move |tx| Box::pin(orders::approve(tx, order_id)));
    Ok(Json(approve.await?.into()))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TillPaymentInput {
    /// How it was paid, in a word.
    #[schema(example = "cash", min_length = 1, max_length = 40)]
    method: String,
}

/// Say that an order was paid at the door
///
/// All of it, to the organizer's own till; the platform's fee for it is in the ledger. A second call finds the order
/// paid and answers 409, so that nobody pays twice.
#[utoipa::path(post, path = "/v1/orders/{order_id}/till-payment", tag = "money", request_body = TillPaymentInput,
    params(("order_id" = String, Path)),
    responses((status = 200, body = OrderResource), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn take_till_payment(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(order_id): Id<OrderId>,
    Body(input): Body<TillPaymentInput>,
) -> Result<Json<OrderResource>> {
    let order = orders::get(&mut app.store.read().await?, order_id).await?;
    may_sell(&identity, order.organizer_id)?;
    let method = input.method.trim().to_owned();
    if !(1..=40).contains(&method.chars().count()) || method.chars().any(char::is_control) {
        return Err(Problem::invalid(
            "/method",
            "a method is one line of 1 to 40 characters",
        ));
    }
    let take = app.store.write(identity.actor(), move |tx| {
        Box::pin(orders::take_payment(tx, order_id, method))
    });
    Ok(Json(take.await?.into()))
}

/// Say that a refund was handed over
///
/// What was paid at the door goes back from hand to hand: its refund is pending until staff say so here.
#[utoipa::path(post, path = "/v1/refunds/{refund_id}/hand-over", tag = "money", params(("refund_id" = String, Path)),
    responses((status = 200, body = RefundResource), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn hand_over_refund(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(refund_id): Id<RefundId>,
) -> Result<Json<RefundResource>> {
    let refund = refunds::get(&mut app.store.read().await?, refund_id).await?;
    may_sell(&identity, refund.organizer_id)?;
    let give = app
        .store
        .write(identity.actor(), move |tx| Box::pin(orders::hand_over(tx, refund_id)));
    Ok(Json(give.await?.into()))
}

fn may_sell(identity: &Identity, organizer: OrganizerId) -> Result<()> {
    identity.require(organizer, Permission::ManageEvents)
}
