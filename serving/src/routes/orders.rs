use super::events::require_event;
use crate::{
    auth::{Caller, Identity},
    extract::{Body, Id, Once, Params},
    problem::{Problem, Result},
    resource::{OrderResource, PaymentResource, RefundResource, Resource, TicketResource},
    secret::{SecretHeader, SecretQuery},
    view::{Page, PageQuery, page},
    wiring::App,
};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
};
use domain::{
    Email, EventId, HoldId, OrderId, TicketId, changes::Order, message::Language, order::RefundReason, role::Permission,
};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc};
use transactional::{
    Reader, Stored,
    orders::{self, Checkout, HowToPay, OrderFilter},
    people, tickets,
};
use utoipa::{IntoParams, ToSchema};

/// The payment method of who pays later.
const AT_DOOR: &str = "at_door";

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderInput {
    #[schema(value_type = String)]
    hold_id: HoldId,
    buyer: BuyerInput,
    /// How the payment provider is to be paid. The test provider takes `test_ok`, `test_declined`, `test_late`,
    /// `test_duplicated`, `test_reordered`, and `test_manual`, which reports nothing by itself. `at_door`, if the event
    /// allows it: the tickets come at once, and the order stays pending until it is paid.
    #[schema(example = "test_ok")]
    payment_method: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BuyerInput {
    #[schema(value_type = String, example = "ada@example.org")]
    email: Email,
    name: Option<String>,
    phone: Option<String>,
}

/// An order as its buyer sees it.
#[derive(Serialize, ToSchema)]
pub struct OrderView {
    #[serde(flatten)]
    pub(super) order: OrderResource,
    /// Who has it may see the order and its tickets: it belongs into the buyer's link, and nowhere else.
    pub(super) secret: String,
    /// Its payments, the newest first. None for a free order.
    pub(super) payments: Vec<PaymentResource>,
    /// What went back, the oldest first.
    pub(super) refunds: Vec<RefundResource>,
    /// Where the buyer pays, if the payment provider has a page for it.
    pub(super) payment_url: Option<String>,
}

/// A payment that was started.
#[derive(Serialize, ToSchema)]
pub struct PaymentView {
    #[serde(flatten)]
    payment: PaymentResource,
    /// Where the buyer pays, if the payment provider has a page for it.
    payment_url: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct TicketView {
    #[serde(flatten)]
    ticket: TicketResource,
    /// Who will come with it, if somebody was named.
    holder_name: Option<String>,
    /// What the ticket's QR code holds.
    code: String,
}

/// Check out: turn a hold into an order
///
/// A free order is paid at once. Otherwise it is pending until the payment provider reports, and its tickets stay held;
/// or, if it is paid at the door or waits for the organizer's approval, its tickets are reserved without end.
#[utoipa::path(post, path = "/v1/orders", tag = "storefront", request_body = OrderInput, security(()),
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = OrderView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn check_out(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Once {
        body,
        key,
        request_hash,
    }: Once<OrderInput>,
) -> Result<(StatusCode, Json<OrderView>)> {
    let (how, method) = match body.payment_method.as_str() {
        AT_DOOR => (HowToPay::AtDoor, String::new()),
        _ => {
            let method = known_method(&app, body.payment_method)?;
            let provider = app.payments.provider().name().to_owned();
            (
                HowToPay::Now {
                    provider,
                    method: method.clone(),
                },
                method,
            )
        }
    };
    let checkout = Checkout {
        hold_id: body.hold_id,
        email: body.buyer.email,
        name: body.buyer.name,
        phone: body.buyer.phone,
        language: language(&headers),
        how,
    };
    let placed = app
        .write_once("orders", key, request_hash, "storefront".into(), move |tx| {
            Box::pin(async move { orders::checkout(tx, checkout).await })
        })
        .await?;
    let payment_url = match &placed.payment {
        Some(payment) => {
            let back = app.order_page(payment.order_id);
            app.payments.start(payment, &method, &back).await?
        }
        None => None,
    };
    let secret = app.store.order_secret(placed.order.order_id);
    let payments = placed.payment.into_iter().map(Resource::from).collect();
    Ok((
        StatusCode::CREATED,
        Json(OrderView {
            order: placed.order.into(),
            secret,
            payments,
            refunds: Vec::new(),
            payment_url,
        }),
    ))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentInput {
    /// As at checkout.
    #[schema(example = "test_ok")]
    payment_method: String,
}

/// Pay a pending order: for the first time if it was reserved, or again after a payment failed
///
/// The tickets stay held while the order is pending, so a buyer whose card was declined can try another one.
#[utoipa::path(post, path = "/v1/orders/{order_id}/payments", tag = "storefront", security(()),
    request_body = PaymentInput,
    params(("order_id" = String, Path), SecretQuery, ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = PaymentView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn pay_order(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Id(order_id): Id<OrderId>,
    query: SecretQuery,
    Once {
        body,
        key,
        request_hash,
    }: Once<PaymentInput>,
) -> Result<(StatusCode, Json<PaymentView>)> {
    readable_order(&app, &mut app.store.read().await?, caller, order_id, query.secret).await?;
    let method = known_method(&app, body.payment_method)?;
    let (provider, by) = (app.payments.provider().name().to_owned(), method.clone());
    let payment = app
        .write_once("payments", key, request_hash, "storefront".into(), move |tx| {
            Box::pin(async move { orders::pay(tx, order_id, provider, by).await })
        })
        .await?;
    let back = app.order_page(order_id);
    let payment_url = app.payments.start(&payment, &method, &back).await?;
    let payment = payment.into();
    Ok((StatusCode::CREATED, Json(PaymentView { payment, payment_url })))
}

/// What the browser asks for is what the buyer is written to in.
pub(super) fn language(headers: &HeaderMap) -> Language {
    let tags = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    Language::nearest(tags.unwrap_or_default())
}

fn known_method(app: &App, method: String) -> Result<String> {
    if app.payments.provider().methods().contains(&method.as_str()) {
        return Ok(method);
    }
    Err(Problem::invalid(
        "/payment_method",
        "the payment provider does not know this method",
    ))
}

/// Show an order's tickets with their codes
///
/// While the order waits for its approval, none are shown.
#[utoipa::path(get, path = "/v1/orders/{order_id}/tickets", tag = "storefront", security(()),
    params(("order_id" = String, Path), SecretQuery),
    responses((status = 200, body = Vec<TicketView>), (status = 404, body = Problem)))]
pub async fn list_order_tickets(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Id(order_id): Id<OrderId>,
    query: SecretQuery,
) -> Result<Json<Vec<TicketView>>> {
    let mut db = app.store.read().await?;
    let order = readable_order(&app, &mut db, caller, order_id, query.secret).await?;
    let tickets = match order.awaits_approval {
        true => Vec::new(),
        false => tickets::of_order(&mut db, order_id).await?,
    };
    let mut names = HashMap::new();
    for holder in tickets
        .iter()
        .map(|ticket| ticket.person_id)
        .filter(|id| *id != order.person_id)
    {
        names.insert(holder, people::get(&mut db, holder).await?.value.name);
    }
    drop(db);
    let mut views = Vec::with_capacity(tickets.len());
    for ticket in tickets {
        views.push(TicketView {
            holder_name: names.remove(&ticket.person_id).flatten(),
            code: app.store.ticket_code(&ticket).await?,
            ticket: ticket.into(),
        });
    }
    Ok(Json(views))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CancelQuery {
    /// The order's secret, for buyers; or in the header `Bilten-Secret`. Staff need none.
    secret: Option<String>,
    /// For staff: `false` keeps the money.
    refund: Option<bool>,
}

/// Cancel an order and its tickets
///
/// What was paid goes back, less what went back already. A buyer, who has the order's secret, may do it until the
/// event's `refundable_until` and while no ticket was used; an order that is not paid yet, at any time.
#[utoipa::path(post, path = "/v1/orders/{order_id}/cancel", tag = "storefront", security(()),
    params(("order_id" = String, Path), CancelQuery, ("Bilten-Secret" = Option<String>, Header)),
    responses((status = 200, body = OrderResource), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn cancel_order(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Id(order_id): Id<OrderId>,
    SecretHeader(header): SecretHeader,
    Params(query): Params<CancelQuery>,
) -> Result<Json<OrderResource>> {
    if let Some(secret) = header.or(query.secret) {
        if !app.store.is_order_secret(order_id, &secret) {
            return Err(Problem::not_found("order"));
        }
        let cancel = app
            .store
            .write("buyer", move |tx| Box::pin(orders::cancel_by_buyer(tx, order_id)));
        return Ok(Json(cancel.await?.into()));
    }
    let identity = caller.ok_or_else(|| Problem::not_found("order"))?;
    let order = orders::get(&mut app.store.read().await?, order_id).await?;
    identity.require(order.organizer_id, Permission::ManageEvents)?;
    let refund = query.refund.unwrap_or(true).then_some(RefundReason::Staff);
    let order = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { orders::cancel(tx, order_id, refund).await })
        })
        .await?;
    Ok(Json(order.into()))
}

/// Mail the order's link to its buyer again
///
/// To the address that the order was placed with, at most once a minute.
#[utoipa::path(post, path = "/v1/orders/{order_id}/link", tag = "storefront", security(()),
    params(("order_id" = String, Path), SecretQuery),
    responses((status = 202), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn send_order_link(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Id(order_id): Id<OrderId>,
    query: SecretQuery,
) -> Result<StatusCode> {
    let actor = actor(caller.as_ref());
    readable_order(&app, &mut app.store.read().await?, caller, order_id, query.secret).await?;
    let sent = app
        .store
        .write(actor, move |tx| Box::pin(orders::send_link_again(tx, order_id)));
    sent.await?;
    Ok(StatusCode::ACCEPTED)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HolderInput {
    #[schema(example = "Grace Hopper")]
    name: String,
}

/// Say who will come with a ticket
#[utoipa::path(put, path = "/v1/orders/{order_id}/tickets/{ticket_id}/holder", tag = "storefront", security(()),
    request_body = HolderInput,
    params(("order_id" = String, Path), ("ticket_id" = String, Path), SecretQuery),
    responses((status = 200, body = TicketResource), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn name_ticket_holder(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path((order_id, ticket_id)): Path<(String, String)>,
    query: SecretQuery,
    Body(input): Body<HolderInput>,
) -> Result<Json<TicketResource>> {
    let order_id: OrderId = order_id.parse().map_err(|_| Problem::not_found("order"))?;
    let ticket_id: TicketId = ticket_id.parse().map_err(|_| Problem::not_found("ticket"))?;
    let actor = actor(caller.as_ref());
    readable_order(&app, &mut app.store.read().await?, caller, order_id, query.secret).await?;
    let ticket = app
        .store
        .write(actor, move |tx| {
            Box::pin(orders::name_holder(tx, order_id, ticket_id, input.name))
        })
        .await?;
    Ok(Json(ticket.into()))
}

/// Whoever is known, or else the buyer, who came with the order's secret.
fn actor(caller: Option<&Identity>) -> String {
    caller.map_or_else(|| "buyer".to_owned(), Identity::actor)
}

/// List an event's orders, the newest first
#[utoipa::path(get, path = "/v1/events/{event_id}/orders", tag = "orders",
    params(("event_id" = String, Path), PageQuery), responses((status = 200, body = Page<OrderResource>)))]
pub async fn list_event_orders(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<OrderResource>>> {
    require_event(&app, &identity, event_id, Permission::ReadOrders).await?;
    let filter = OrderFilter {
        event_id: Some(event_id),
        ..OrderFilter::default()
    };
    Ok(Json(page(
        orders::list(&mut app.store.read().await?, filter, query.request()?).await?,
    )))
}

/// The order, for its organizer's staff and for who has its secret. For anyone else it does not exist.
pub(super) async fn readable_order(
    app: &App,
    db: &mut Reader,
    caller: Option<Identity>,
    order_id: OrderId,
    secret: Option<String>,
) -> Result<Stored<Order>> {
    let order = orders::get(db, order_id).await?;
    let by_secret = secret.is_some_and(|secret| app.store.is_order_secret(order_id, &secret));
    if by_secret || caller.is_some_and(|identity| identity.may(order.organizer_id, Permission::ReadOrders)) {
        return Ok(order);
    }
    Err(Problem::not_found("order"))
}
