use super::events::require_event;
use crate::{
    auth::Identity,
    extract::{Body, Id},
    problem::{Problem, Result},
    resource::PromoCodeResource,
    view::Moment,
    wiring::App,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{
    EventId, PersonId, PromoCodeId, TicketTypeId, Timestamp,
    pricing::{DiscountKind, WHOLE_BPS},
    role::Permission,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use transactional::promo_codes::{self, PromoCodeDetails, PromoCodeState};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoCodeInput {
    /// Upper and lower case are the same.
    #[schema(example = "EARLY-BIRD", min_length = 3, max_length = 40)]
    code: String,
    /// `none`: the code only opens the hidden ticket types that it names.
    #[schema(value_type = String, example = "percent")]
    kind: DiscountKind,
    /// Of kind `percent`: 1,000 are 10 %.
    #[schema(minimum = 0, maximum = 10_000)]
    percent_bps: Option<i64>,
    /// Of kind `fixed`: off each ticket, in the event's currency.
    #[schema(minimum = 0)]
    amount_minor: Option<i64>,
    /// Of kind `free_tickets`: for every so many paid …
    buy_quantity: Option<i64>,
    /// … so many are free, the cheapest.
    free_quantity: Option<i64>,
    /// Empty: every ticket type. Hidden ones that are named are opened by the code.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    ticket_types: Vec<TicketTypeId>,
    from_at: Option<Moment>,
    to_at: Option<Moment>,
    /// In how many orders it may be used. None: without limit.
    #[schema(minimum = 0)]
    max_uses: Option<i64>,
    /// The ids of the people it is for. None: everyone.
    #[schema(value_type = Option<Vec<String>>)]
    audience: Option<Vec<PersonId>>,
    #[serde(default = "yes")]
    #[schema(default = true)]
    active: bool,
}

fn yes() -> bool {
    true
}

impl PromoCodeInput {
    fn details(self) -> Result<PromoCodeDetails> {
        let of_kind = [
            (
                "/percent_bps",
                self.percent_bps.is_some(),
                self.kind == DiscountKind::Percent,
            ),
            (
                "/amount_minor",
                self.amount_minor.is_some(),
                self.kind == DiscountKind::Fixed,
            ),
            (
                "/buy_quantity",
                self.buy_quantity.is_some(),
                self.kind == DiscountKind::FreeTickets,
            ),
            (
                "/free_quantity",
                self.free_quantity.is_some(),
                self.kind == DiscountKind::FreeTickets,
            ),
        ];
        if let Some((field, given, _)) = of_kind.iter().find(|(_, given, asked)| given != asked) {
            let message = match given {
                true => format!("a code of kind {} has no such value", self.kind),
                false => format!("a code of kind {} needs this value", self.kind),
            };
            return Err(Problem::invalid(field, message));
        }
        if self.percent_bps.is_some_and(|bps| !(0..=WHOLE_BPS).contains(&bps)) {
            return Err(Problem::invalid(
                "/percent_bps",
                "a percentage is 0 to 10,000 basis points",
            ));
        }
        Ok(PromoCodeDetails {
            code: self.code,
            kind: self.kind,
            value: self.percent_bps.or(self.amount_minor).unwrap_or(0),
            buy_quantity: self.buy_quantity.unwrap_or(0),
            free_quantity: self.free_quantity.unwrap_or(0),
            ticket_types: self.ticket_types,
            from_at: self.from_at.map(Timestamp::from),
            to_at: self.to_at.map(Timestamp::from),
            max_uses: self.max_uses,
            audience: self.audience,
            active: self.active,
        })
    }
}

/// A promo code with its uses.
#[derive(Serialize, ToSchema)]
pub struct PromoCodeView {
    #[serde(flatten)]
    promo_code: PromoCodeResource,
    /// None: without limit.
    max_uses: Option<i64>,
    /// By holds and by orders that are not paid yet.
    reserved: i64,
    /// By orders that are paid.
    used: i64,
}

impl From<PromoCodeState> for PromoCodeView {
    fn from(state: PromoCodeState) -> Self {
        Self {
            promo_code: state.promo_code.into(),
            max_uses: state.max_uses,
            reserved: state.reserved,
            used: state.used,
        }
    }
}

/// Create a promo code
#[utoipa::path(post, path = "/v1/events/{event_id}/promo-codes", tag = "events", request_body = PromoCodeInput,
    params(("event_id" = String, Path)),
    responses((status = 201, body = PromoCodeResource), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn create_promo_code(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
    Body(input): Body<PromoCodeInput>,
) -> Result<(StatusCode, Json<PromoCodeResource>)> {
    require_event(&app, &identity, event_id, Permission::ManageEvents).await?;
    let details = input.details()?;
    let code = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { promo_codes::create(tx, event_id, details).await })
        })
        .await?;
    Ok((StatusCode::CREATED, Json(code.into())))
}

/// List an event's promo codes with their uses
#[utoipa::path(get, path = "/v1/events/{event_id}/promo-codes", tag = "events", params(("event_id" = String, Path)),
    responses((status = 200, body = Vec<PromoCodeView>)))]
pub async fn list_promo_codes(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(event_id): Id<EventId>,
) -> Result<Json<Vec<PromoCodeView>>> {
    require_event(&app, &identity, event_id, Permission::ManageEvents).await?;
    let codes = promo_codes::list(&mut app.store.read().await?, event_id).await?;
    Ok(Json(codes.into_iter().map(PromoCodeView::from).collect()))
}

/// Change a promo code
///
/// Its text stays. What is held keeps its discount.
#[utoipa::path(put, path = "/v1/promo-codes/{promo_code_id}", tag = "events", request_body = PromoCodeInput,
    params(("promo_code_id" = String, Path)),
    responses((status = 200, body = PromoCodeResource), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn update_promo_code(
    State(app): State<Arc<App>>,
    identity: Identity,
    Id(promo_code_id): Id<PromoCodeId>,
    Body(input): Body<PromoCodeInput>,
) -> Result<Json<PromoCodeResource>> {
    let code = promo_codes::get(&mut app.store.read().await?, promo_code_id).await?;
    identity.require(code.organizer_id, Permission::ManageEvents)?;
    let details = input.details()?;
    let code = app
        .store
        .write(identity.actor(), move |tx| {
            Box::pin(async move { promo_codes::update(tx, promo_code_id, details).await })
        })
        .await?;
    Ok(Json(code.into()))
}
