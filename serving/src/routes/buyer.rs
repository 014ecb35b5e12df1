//! What the pages of a buyer show: an order with all that it is about, and each ticket's code as a picture.

use super::orders::{OrderView, readable_order};
use crate::{
    auth::Caller,
    extract::{Id, Ids},
    problem::{Problem, Result},
    qr,
    resource::{EventResource, Resource, VenueResource},
    secret::SecretQuery,
    view::MoneyView,
    wiring::App,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderName, header},
};
use domain::{EventId, OrderId, TicketId, TicketTypeId, Timestamp};
use serde::Serialize;
use std::sync::Arc;
use transactional::{
    Kind, Reader, events, orders, organizers,
    payments::{self, refunds},
    ticket_types, tickets, venues,
};
use utoipa::ToSchema;

/// What tickets are for.
#[derive(Serialize, ToSchema)]
pub struct Occasion {
    event: EventResource,
    venue: Option<VenueResource>,
    organizer_name: String,
    ticket_types: Vec<TypeName>,
    /// What to ask the payment provider with where there is no choice.
    payment_method: String,
}

#[derive(Serialize, ToSchema)]
pub struct TypeName {
    #[schema(value_type = String)]
    ticket_type_id: TicketTypeId,
    name: String,
}

/// An order with all that its buyer's page shows.
#[derive(Serialize, ToSchema)]
pub struct OrderPage {
    #[serde(flatten)]
    order: OrderView,
    #[serde(flatten)]
    occasion: Occasion,
    /// What comes back if the buyer cancels now. None: the order can't be cancelled by its buyer any more.
    cancellation: Option<MoneyView>,
}

impl Occasion {
    pub(super) async fn of(
        app: &App,
        db: &mut Reader,
        event_id: EventId,
        types: impl IntoIterator<Item = TicketTypeId>,
    ) -> Result<Self> {
        let event = events::get(db, event_id).await?;
        let venue = match event.venue_id {
            Some(venue_id) => Some(venues::get(db, venue_id).await?.into()),
            None => None,
        };
        let mut ticket_types = Vec::new();
        for id in types {
            let ticket_type = ticket_types::get(db, id).await?;
            ticket_types.push(TypeName {
                ticket_type_id: id,
                name: ticket_type.name.to_string(),
            });
        }
        let methods = app.payments.provider().methods();
        Ok(Self {
            venue,
            organizer_name: organizers::get(db, event.organizer_id).await?.name.to_string(),
            ticket_types,
            payment_method: methods.first().copied().unwrap_or_default().to_owned(),
            event: event.into(),
        })
    }
}

/// Show an order
#[utoipa::path(get, path = "/v1/orders/{order_id}", tag = "storefront", security(()),
    params(("order_id" = String, Path), SecretQuery),
    responses((status = 200, body = OrderPage), (status = 404, body = Problem)))]
pub async fn show_order(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Id(order_id): Id<OrderId>,
    query: SecretQuery,
) -> Result<Json<OrderPage>> {
    let mut db = app.store.read().await?;
    let order = readable_order(&app, &mut db, caller, order_id, query.secret).await?;
    let mut payments = payments::of_order(&mut db, order_id).await?;
    payments.sort_by_key(|payment| std::cmp::Reverse(payment.payment_id));
    let refunds = refunds::of_order(&mut db, order_id).await?;
    let mut types: Vec<_> = order.lines.iter().map(|line| line.ticket_type_id).collect();
    types.sort();
    types.dedup();
    let occasion = Occasion::of(&app, &mut db, order.event_id, types).await?;
    let cancellation = match orders::back_to_buyer(&mut db, &order, Timestamp::now()).await {
        Ok(money) => Some(money.into()),
        Err(error) if error.kind() == Kind::Conflict => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Json(OrderPage {
        order: OrderView {
            secret: app.store.order_secret(order_id),
            order: order.into(),
            payments: payments.into_iter().map(Resource::from).collect(),
            refunds: refunds.into_iter().map(Resource::from).collect(),
            payment_url: None,
        },
        occasion,
        cancellation,
    }))
}

/// Draw a ticket's QR code
#[utoipa::path(get, path = "/v1/orders/{order_id}/tickets/{ticket_id}/qr.svg", tag = "storefront", security(()),
    params(("order_id" = String, Path), ("ticket_id" = String, Path), SecretQuery),
    responses((status = 200, body = String, content_type = "image/svg+xml"), (status = 404, body = Problem)))]
pub async fn draw_ticket(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Ids(order_id, ticket_id): Ids<OrderId, TicketId>,
    query: SecretQuery,
) -> Result<([(HeaderName, &'static str); 2], String)> {
    let mut db = app.store.read().await?;
    let order = readable_order(&app, &mut db, caller, order_id, query.secret).await?;
    let ticket = tickets::get(&mut db, ticket_id).await?;
    drop(db);
    if ticket.order_id != order_id || order.awaits_approval {
        return Err(Problem::not_found("ticket"));
    }
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, qr::svg(&app.store.ticket_code(&ticket).await?)?))
}
